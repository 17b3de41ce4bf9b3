from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, wavfile

from data_pipelines import synthesize
from data_pipelines.runtime import errors
from data_pipelines.synthetic import database
from data_pipelines.synthetic.gaze import gaze_points
from data_pipelines.synthetic.plan import KINDS, film_plan
from data_pipelines.synthetic.scene import LOOKS, render_frames
from data_pipelines.synthetic.sound import SOUND_RATE_HZ, render_film_sound, render_sound

NUM_FRAMES = 20
FRAME_SIZE = (80, 60)  # (width, height)
SMALL = {"num_train_films": 2, "num_test_films": 1, "num_frames": NUM_FRAMES, "frame_size": FRAME_SIZE, "workers": 1}
PLANS = [film_plan(0, number) for number in range(1, 97)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("synthetic") / "raw"
    synthesize.synthesize(output, **SMALL)
    return output


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _band_energies(waveform: np.ndarray) -> np.ndarray:
    """log energy [20] in equal bands of a Hann-windowed excerpt."""
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) ** 2
    return np.log([1e-3 + band.sum() for band in np.array_split(power, 20)])


def _distances(plan, points: np.ndarray) -> np.ndarray:
    """[T, observers, N] pixels from each gaze point to each object."""
    return np.linalg.norm(points[:, :, None] - plan.trajectories[:, None], axis=-1)


def test_every_film_has_all_its_readable_files(raw):
    width, height = FRAME_SIZE
    for name in ("film_001", "film_002", "film_003"):
        annotations = raw / "annotations/Synthetic" / name
        for frame in range(1, NUM_FRAMES + 1):
            picture = np.asarray(Image.open(raw / f"video_frames/Synthetic/{name}/img_{frame:05d}.jpg"))
            density = np.asarray(Image.open(annotations / f"maps/eyeMap_{frame:05d}.jpg"))
            fixations = loadmat(annotations / f"fixMap_{frame:05d}.mat")["eyeMap"]
            assert picture.shape == (height, width, 3)
            assert density.shape == fixations.shape == (height, width)
            assert density.dtype == fixations.dtype == np.uint8
            assert density.max() > 240  # 255 before JPEG
            assert set(np.unique(fixations)) == {0, 1}
            assert fixations.sum() >= 3
    assert len(_files(raw)) == 3 * (3 * NUM_FRAMES + 1) + 6


def test_sound_is_as_long_as_the_film_and_16_bit_mono(raw):
    rate_hz, samples = wavfile.read(raw / "video_audio/Synthetic/film_002/film_002.wav")
    assert rate_hz == 22_050
    assert samples.dtype == np.int16
    assert samples.shape == (round(NUM_FRAMES / 25 * 22_050),)


def test_splits_part_the_films_and_share_no_test_film(tmp_path):
    synthesize.synthesize(tmp_path / "raw", **SMALL | {"num_train_films": 4, "num_test_films": 2, "num_frames": 16})
    tested = []
    for split in (1, 2, 3):
        lists = {}
        for subset in ("train", "test"):
            lines = (tmp_path / f"raw/fold_lists/Synthetic_list_{subset}_{split}_fps.txt").read_text().splitlines()
            assert all(line.split()[1:] == ["16", "25"] for line in lines)
            lists[subset] = {line.split()[0] for line in lines}
        assert lists["train"] | lists["test"] == {f"film_{number:03d}" for number in range(1, 7)}
        assert not lists["train"] & lists["test"]
        tested += lists["test"]
    assert len(tested) == len(set(tested)) == 6


def test_fixation_map_marks_the_gaze_points(raw):
    plan = film_plan(0, 2, num_frames=NUM_FRAMES, frame_size=FRAME_SIZE)
    points = gaze_points(plan)[6]
    x, y = points[~np.isnan(points[:, 0])].astype(int).T
    fixations = loadmat(raw / "annotations/Synthetic/film_002/fixMap_00007.mat")["eyeMap"]
    assert set(zip(y, x, strict=True)) == set(zip(*np.nonzero(fixations), strict=True))


def test_same_seed_same_bytes_whatever_the_number_of_processes(raw, tmp_path):
    synthesize.synthesize(tmp_path / "raw", **SMALL | {"workers": 2})
    assert _files(tmp_path / "raw") == _files(raw)


def test_other_seed_other_bytes(raw, tmp_path):
    synthesize.synthesize(tmp_path / "raw", **SMALL, seed=1)
    ours, theirs = _files(tmp_path / "raw"), _files(raw)
    for name in ("video_frames/Synthetic/film_001/img_00001.jpg", "video_audio/Synthetic/film_001/film_001.wav"):
        assert ours[name] != theirs[name]


def test_existing_output_is_refused_and_left_alone(tmp_path):
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(errors.UserError, match="exists already"):
        synthesize.synthesize(tmp_path, **SMALL)
    assert _files(tmp_path) == {"keep.txt": b"mine"}


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(plan):
        raise OSError("no space left")

    monkeypatch.setattr(database, "render_film_sound", fail)
    with pytest.raises(OSError, match="no space left"):
        synthesize.synthesize(tmp_path / "raw", **SMALL)
    assert not list(tmp_path.iterdir())


def test_command_writes_the_database(tmp_path, capsys):
    options = ["--films", "2", "--seconds", "0.8", "--frame-size", "40x32", "--workers", "1"]
    synthesize.main(["--output", str(tmp_path / "raw"), *options])
    assert len(list((tmp_path / "raw/video_frames/Synthetic/film_002").iterdir())) == 20
    assert "2 films" in capsys.readouterr().out


def test_command_names_a_number_that_is_too_small(tmp_path):
    with pytest.raises(SystemExit, match="training films: 0 is too small"):
        synthesize.main(["--output", str(tmp_path / "raw"), "--films", "1"])


def test_sounding_object_changes_every_one_to_two_seconds_and_airtime_is_shared():
    for plan in PLANS:
        changes = np.flatnonzero(np.diff(plan.schedule)) + 1
        segments = np.diff([0, *changes, plan.num_frames]) / plan.fps
        assert segments.min() >= 0.96 and segments.max() <= 2.04  # rounded to frames
        airtime = np.bincount(plan.schedule, minlength=len(plan.kinds)) / plan.num_frames
        assert airtime.min() > 0.6 / len(plan.kinds)


def test_pairs_of_kinds_are_balanced():
    pairs = [frozenset(plan.kinds) for plan in PLANS if len(plan.kinds) == 2]
    counts = [pairs.count(pair) for pair in set(pairs)]
    assert len(counts) == 6
    assert min(counts) == max(counts) == 12
    assert sum(len(plan.kinds) == 3 for plan in PLANS) == 24


def test_objects_keep_inside_the_frame_and_apart():
    for plan in PLANS:
        radii = plan.radii[:, None]
        assert (plan.trajectories >= radii).all()
        assert (plan.trajectories <= np.array(plan.frame_size) - 1 - radii).all()
        for i in range(len(plan.kinds)):
            for j in range(i):
                distance = np.linalg.norm(plan.trajectories[:, i] - plan.trajectories[:, j], axis=1)
                assert distance.min() > 1.2 * (plan.radii[i] + plan.radii[j])


def test_objects_move_smoothly():
    for plan in PLANS[:8]:
        steps = np.linalg.norm(np.diff(plan.trajectories, axis=0), axis=-1)
        assert steps.max() <= 0.45 * 120 / 25 + 1e-9
        assert np.median(steps) > 0.25 * 120 / 25 * 0.99


@pytest.mark.slow
def test_nothing_visible_tells_which_object_sounds():
    cues = {True: [], False: []}  # of a sounding object, of a silent one
    for plan in PLANS[:48]:
        frames = np.stack(list(render_frames(plan))[::10]).astype(float)
        speeds = np.linalg.norm(np.gradient(plan.trajectories, axis=0), axis=-1)
        centre = (np.array(plan.frame_size) - 1) / 2
        for place, frame in enumerate(range(0, plan.num_frames, 10)):
            for index, radius in enumerate(plan.radii):
                x, y = plan.trajectories[frame, index]
                reach = int(radius)
                patch = frames[place, int(y) - reach : int(y) + reach, int(x) - reach : int(x) + reach]
                from_centre = np.hypot(x - centre[0], y - centre[1])
                cue = [radius, speeds[frame, index], from_centre, patch.mean(), patch.std()]
                cues[plan.schedule[frame] == index].append(cue)
    sounding, silent = np.array(cues[True]), np.array(cues[False])
    difference = sounding.mean(axis=0) - silent.mean(axis=0)
    spread = np.concatenate([sounding, silent]).std(axis=0)
    assert (np.abs(difference) < 0.15 * spread).all(), difference / spread


def test_sounding_object_is_first_of_the_film_as_often_as_not():
    pairs = [plan for plan in PLANS if len(plan.kinds) == 2]
    share = np.mean([plan.schedule[0] == 0 for plan in pairs])
    assert 0.3 < share < 0.7  # 72 films: 3.4 standard errors


def test_people_look_at_the_sounding_object():
    nearer = []
    for plan in PLANS[:16]:
        distances = _distances(plan, gaze_points(plan))
        seen = ~np.isnan(distances[..., 0])
        nearest = np.argmin(np.where(seen[..., None], distances, 0), axis=-1)
        assert seen.sum(axis=1).min() >= 4
        nearer.append((nearest == plan.schedule[:, None])[seen])
    assert np.concatenate(nearer).mean() > 0.85


def test_gaze_follows_the_sound_two_to_three_frames_later():
    plan = PLANS[1]
    change = np.flatnonzero(np.diff(plan.schedule))[0] + 1
    before, after = plan.schedule[change - 1], plan.schedule[change]
    distances = _distances(plan, gaze_points(plan))
    still = np.nanmean(distances[change : change + 2, :, before] < distances[change : change + 2, :, after])
    moved = np.nanmean(distances[change + 3 : change + 6, :, after] < distances[change + 3 : change + 6, :, before])
    assert still > 0.7
    assert moved > 0.7


def test_each_kind_is_told_by_its_sound():
    rng = np.random.default_rng(0)

    def excerpts(num_of_each: int) -> np.ndarray:  # [kinds, num_of_each, bands], 0.64 s
        return np.array(
            [
                [_band_energies(render_sound(kind, 0.64, SOUND_RATE_HZ, rng)) for _ in range(num_of_each)]
                for kind in KINDS
            ]
        )

    centroids = excerpts(10).mean(axis=1)
    distances = np.linalg.norm(excerpts(25)[:, :, None] - centroids, axis=-1)  # [kinds, 25, kinds]
    assert (distances.argmin(axis=-1) == np.arange(len(KINDS))[:, None]).mean() >= 0.95


def test_sounds_are_equally_loud():
    for kind in KINDS:
        waveform = render_sound(kind, 2.0, SOUND_RATE_HZ, np.random.default_rng(3))
        assert waveform.dtype == np.float32
        assert np.sqrt(np.mean(waveform**2)) == pytest.approx(0.25, rel=0.01)  # -12 dBFS
        assert np.abs(waveform).max() <= 1


def test_exactly_the_scheduled_kind_is_heard_in_the_film():
    centroids = np.array(
        [
            np.mean(
                [_band_energies(render_sound(kind, 0.64, SOUND_RATE_HZ, np.random.default_rng(i))) for i in range(9)], 0
            )
            for kind in KINDS
        ]
    )
    half = round(0.32 * SOUND_RATE_HZ)
    for plan in PLANS[:8]:
        waveform = render_film_sound(plan)
        for frame in range(9, plan.num_frames - 9):
            if len(set(plan.schedule[frame - 9 : frame + 10])) > 1:
                continue  # the excerpt spans a change
            middle = round(frame / plan.fps * SOUND_RATE_HZ)
            heard = _band_energies(waveform[middle - half : middle + half])
            nearest = KINDS[np.linalg.norm(centroids - heard, axis=1).argmin()]
            assert nearest == plan.kinds[plan.schedule[frame]]


def test_every_kind_has_a_look_of_its_own_and_about_the_same_area():
    u, v = np.meshgrid(np.linspace(-1.2, 1.2, 200), np.linspace(-1.2, 1.2, 200))
    areas = [np.mean(LOOKS[kind].inside(u, v) > 0) for kind in KINDS]
    assert max(areas) / min(areas) < 1.15
    means = np.array([np.mean(LOOKS[kind].colours, axis=0) for kind in KINDS])
    gaps = [np.linalg.norm(means[i] - means[j]) for i in range(4) for j in range(i)]
    assert min(gaps) > 60


def test_plan_number_counts_from_one():
    assert film_plan(0, 7).name == "film_007"
    with pytest.raises(ValueError, match="from 1"):
        film_plan(0, 0)

"""The reframe command: a film with a known target, given maps or a stand-in for the network."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import beginning_of_real_film, real_film, write_film
from made_models import Brightness, MadeModel
from made_targets import target_maps, target_pictures, write_maps, write_target_film
from PIL import Image

from stavis_jax import reframe
from stavis_jax.reframing.plan import PAD_BELOW, PADDINGS
from stavis_jax.reframing.smooth_path import CameraLimits

CUTS = (0, 60, 100)
SPEED, ACCELERATION, JERK = 0.4, 0.8, 4.0  # the bounds that docs/reframe.md states


def walk() -> list[tuple[float, float]]:
    """Returns 160 centres of a target, in three shots: it walks to the right, stands still, walks to and fro."""
    across = [(x, 0.5) for x in np.linspace(0.15, 0.85, 60)]
    to_and_fro = [(0.5 + 0.3 * np.sin(index / 12), 0.4) for index in range(60)]
    return [*across, *[(0.1, 0.3)] * 40, *to_and_fro]


def run(film: Path, output: Path, *flags: object) -> Path:
    """Runs the command and returns the folder of the film."""
    reframe.main([*map(str, (film, "--output", output, *flags))])
    return output / film.stem


def error(film: Path, output: Path, *flags: object) -> str:
    with pytest.raises(SystemExit) as stopped:
        run(film, output, *flags)
    text = str(stopped.value)
    assert text.startswith("error: ") and "\n" not in text
    return text


def rows(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def frames_of(path: Path, **kind) -> list:
    with av.open(str(path)) as film:
        return list(film.decode(**(kind or {"video": 0})))


def share_with_target(frames: Sequence[av.VideoFrame]) -> float:
    """Returns the share of frames in which the white target is whole, but for what H.264 blurs."""
    bright = [(frame.to_ndarray(format="gray") > 180).sum() for frame in frames]
    return float(np.mean(np.array(bright) >= 45))  # of 64 pixels


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> tuple[Path, Path]:
    """Returns a film of three shots with sound, and the folder of its maps."""
    folder = tmp_path_factory.mktemp("target")
    film = write_target_film(folder / "film.mkv", target_pictures(walk(), CUTS), seconds_of_sound=6.4)
    return film, write_maps(folder / "maps", target_maps(walk()))


@pytest.mark.usefixtures("no_model")
def test_target_that_moves_and_cuts_stays_in_every_ratio(target, tmp_path, capsys):
    film, maps = target
    folder = run(film, tmp_path, "--ratio", "9:16", "1:1,4:5", "--maps", maps, "--preview")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["reframing.json"]
        + [
            f"{name}{rest}"
            for name in ("9x16", "1x1", "4x5")
            for rest in (".mp4", "_preview.mp4", ".csv", ".json", "_ffmpeg.sh", "_crop.txt", ".xml")
        ]
    )
    for name, size in (("9x16", (50, 90)), ("1x1", (90, 90)), ("4x5", (72, 90))):
        frames = frames_of(folder / f"{name}.mp4")
        assert len(frames) == 160
        assert {(frame.width, frame.height) for frame in frames} == {size}
        assert share_with_target(frames) >= 0.98
        path = rows(folder / f"{name}.csv")
        inside = [row["x"] <= 160 * x <= row["x"] + row["width"] for row, (x, _) in zip(path, walk(), strict=True)]
        assert np.mean(inside) >= 0.98
        assert [row["shot"] for row in path] == [1] * 60 + [2] * 40 + [3] * 60
    said = capsys.readouterr().out
    assert "9:16, 50x90 pixels" in said and said.count("\n film ") == 3
    assert f"{folder}: 160 frames, wrote 9x16.mp4, 9x16_preview.mp4, 9x16.csv" in said


@pytest.mark.usefixtures("no_model")
def test_camera_keeps_its_bounds_within_shots_jumps_at_cuts_and_rests_when_the_target_does(target, tmp_path):
    film, maps = target
    folder = run(film, tmp_path, "--ratio", "9:16", "--maps", maps)
    content = json.loads((folder / "9x16.json").read_text())
    path = np.array([row[2] for row in content["frames"]]) / 160
    seconds = np.array([row[1] for row in content["frames"]])
    assert [(shot["first_frame"] - 1, shot["last_frame"]) for shot in content["shots"]] == [
        (0, 60),
        (60, 100),
        (100, 160),
    ]
    moved = []
    for first, end in ((0, 60), (60, 100), (100, 160)):
        values, step = path[first:end], 0.04
        assert np.diff(seconds[first:end]) == pytest.approx(step)
        rounding = 0.5e-4 / 160  # of the file's numbers
        for order, most in ((1, SPEED), (2, ACCELERATION), (3, JERK)):
            assert np.abs(np.diff(values, order)).max() <= most * step**order + 2**order * rounding
        moved.append(np.ptp(values))
    assert moved[1] == 0 and moved[0] > 0.3 and moved[2] > 0.2
    assert abs(path[60] - path[59]) > SPEED * 0.04 * 5 and abs(path[100] - path[99]) > SPEED * 0.04 * 5


@pytest.mark.usefixtures("no_model")
def test_pictures_and_sound_keep_their_times(target, tmp_path):
    film, maps = target
    written = run(film, tmp_path, "--ratio", "9:16", "--maps", maps) / "9x16.mp4"
    assert [frame.time for frame in frames_of(written)] == pytest.approx([frame.time for frame in frames_of(film)])
    lengths = [sum(frame.samples for frame in frames_of(path, audio=0)) / 44100 for path in (film, written)]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.04)
    with av.open(str(written)) as reframed:
        assert reframed.streams.audio[0].codec_context.name == "aac"


class SeesTheTarget(MadeModel):
    """Takes what is nearly white in the target frame of a clip as salient."""

    size, uses_sound = 56, False

    def logits(self, clip, waveform):
        return (clip[:, 7].mean(axis=-1) - 40) / 4


def test_a_network_predicts_and_its_own_frames_are_searched_for_cuts(target, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: SeesTheTarget())
    film, _ = target
    folder = run(film, tmp_path, "--ratio", "9:16")
    assert share_with_target(frames_of(folder / "9x16.mp4")) >= 0.98
    assert [shot["first_frame"] for shot in json.loads((folder / "9x16.json").read_text())["shots"]] == [1, 61, 101]
    assert "starter: " in capsys.readouterr().err


def centers(count: int) -> list[tuple[float, float]]:
    return [(0.75, 0.3)] * count


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("film_size", "ratio", "size"),
    [
        ((161, 91), "9:16", (50, 90)),  # odd
        ((161, 91), "161:91", (160, 90)),
        ((160, 90), "16:9", (160, 90)),  # nothing to do
        ((160, 90), "2.39:1", (160, 66)),  # wider
        ((90, 160), "16:9", (90, 50)),
    ],
)
def test_films_of_all_shapes_keep_their_target_and_get_even_sides(film_size, ratio, size, tmp_path):
    pictures = target_pictures(centers(8), size=film_size)
    film = write_target_film(tmp_path / "film.mkv", pictures)
    maps = write_maps(tmp_path / "maps", target_maps(centers(8)))
    folder = run(film, tmp_path / "out", "--ratio", ratio, "--maps", maps)
    (written,) = folder.glob("*.mp4")
    frames = frames_of(written)
    assert len(frames) == 8 and {(frame.width, frame.height) for frame in frames} == {size}
    assert share_with_target(frames) == 1
    with av.open(str(written)) as reframed:
        assert not reframed.streams.audio


@pytest.mark.usefixtures("no_model")
def test_a_film_that_a_phone_has_turned_is_cropped_upright(tmp_path):
    stored = target_pictures(centers(8), size=(160, 90))  # shown as 90x160, turned to the right
    source = write_target_film(tmp_path / "stored.mp4", stored, codec="h264", pix_fmt="yuv420p")
    film = tmp_path / "film.mp4"
    content = source.read_bytes()
    at = content.index(b"tkhd") + 4 + 40  # the matrix of a track header, version 0
    one, turned = 1 << 16, (0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30)
    assert int.from_bytes(content[at : at + 4], "big") == one
    film.write_bytes(content[:at] + b"".join(number.to_bytes(4, "big") for number in turned) + content[at + 36 :])
    upright = [(1 - y, x) for x, y in centers(8)]
    folder = run(
        film, tmp_path / "out", "--ratio", "1:1", "--maps", write_maps(tmp_path / "maps", target_maps(upright))
    )
    frames = frames_of(folder / "1x1.mp4")
    assert {(frame.width, frame.height) for frame in frames} == {(90, 90)}
    assert share_with_target(frames) == 1
    assert json.loads((folder / "1x1.json").read_text())["film_size"] == [90, 160]


@pytest.mark.usefixtures("no_model")
def test_uneven_times_are_kept(tmp_path):
    times_ms = [0, 40, 45, 300, 1300, 1340, 1400, 2000]
    film = tmp_path / "film.mkv"
    write_film(film, target_pictures(centers(8)), frame_rate_hz=25, times_ms=times_ms)
    folder = run(film, tmp_path, "--ratio", "9:16", "--maps", write_maps(tmp_path / "maps", target_maps(centers(8))))
    assert [round(frame.time * 1000) for frame in frames_of(folder / "9x16.mp4")] == times_ms
    assert [round(row["seconds"] * 1000) for row in rows(folder / "9x16.csv")] == times_ms


@pytest.mark.usefixtures("no_model")
def test_a_film_of_one_frame_is_reframed(tmp_path):
    film = write_target_film(tmp_path / "film.mkv", target_pictures(centers(1)))
    folder = run(film, tmp_path, "--ratio", "9:16", "--maps", write_maps(tmp_path / "maps", target_maps(centers(1))))
    assert share_with_target(frames_of(folder / "9x16.mp4")) == 1


@pytest.mark.usefixtures("no_model")
def test_a_folder_of_pictures_is_reframed_without_files_for_other_programs(tmp_path):
    (tmp_path / "film").mkdir()
    for number, picture in enumerate(target_pictures(centers(5))):
        Image.fromarray(picture).save(tmp_path / "film" / f"{number}.png")
    maps = write_maps(tmp_path / "maps", target_maps(centers(5)))
    folder = run(tmp_path / "film", tmp_path / "out", "--ratio", "9:16", "--maps", maps, "--frame-rate", 10)
    assert {path.name for path in folder.iterdir()} == {"9x16.mp4", "9x16.csv", "9x16.json", "reframing.json"}
    assert frames_of(folder / "9x16.mp4")[4].time == pytest.approx(0.4)


@pytest.mark.usefixtures("no_model")
def test_the_folder_that_predict_wrote_serves_as_maps(target, tmp_path):
    film, maps = target
    (tmp_path / "predicted").mkdir()
    (tmp_path / "predicted" / "maps").symlink_to(maps)
    folder = run(film, tmp_path / "out", "--ratio", "9:16", "--maps", tmp_path / "predicted")
    assert len(rows(folder / "9x16.csv")) == 160


@pytest.mark.usefixtures("no_model")
def test_a_prediction_without_pictures_of_maps_says_how_to_make_them(target, tmp_path):
    (tmp_path / "predicted").mkdir()
    (tmp_path / "predicted" / "prediction.json").write_text("{}")
    said = error(target[0], tmp_path / "out", "--ratio", "9:16", "--maps", tmp_path / "predicted")
    assert "predicted: was predicted without pictures of maps. Predict it with --outputs maps." in said


@pytest.mark.usefixtures("no_model")
def test_coloured_pictures_in_place_of_maps_are_a_warning(tmp_path, caplog):
    """The frames of the film, say."""
    pictures = target_pictures(centers(4))
    film = write_target_film(tmp_path / "film.mkv", pictures)
    (tmp_path / "maps").mkdir()
    for number, picture in enumerate(pictures, start=1):
        picture = picture.copy()
        picture[0, 0] = 255, 0, 0
        Image.fromarray(picture).save(tmp_path / "maps" / f"{number}.png")
    run(film, tmp_path / "out", "--ratio", "9:16", "--maps", tmp_path / "maps")
    assert any("4 maps have colours, and only the red is read" in line for line in caplog.messages)


@pytest.mark.slow
def test_a_real_film_keeps_its_surround_sound(tmp_path, monkeypatch):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    film = beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path)
    with av.open(str(run(film, tmp_path / "out", "--ratio", "9:16") / "9x16.mp4")) as written:
        video, sound = written.streams.video[0], written.streams.audio[0]
        assert (video.frames, video.width, video.height) == (30, 404, 720)
        assert sound.codec_context.layout.nb_channels == 6
        assert float(sound.duration * sound.time_base) == pytest.approx(1.3, abs=0.04)


@pytest.mark.usefixtures("no_model")
def test_faults_are_one_line_and_nothing_is_written(target, tmp_path, capsys):
    film, maps = target
    output, ratio = tmp_path / "out", ("--ratio", "9:16")
    assert "'9x16'" in error(film, output, "--ratio", "9x16", "--maps", maps)
    assert "--ratio 18:32: is given twice" in error(film, output, "--ratio", "9:16", "18:32", "--maps", maps)
    assert "--max-speed 0: is out of range" in error(film, output, *ratio, "--max-speed", 0)
    assert "--max-jerk nan: is out of range" in error(film, output, *ratio, "--max-jerk", "nan")
    assert "--pad-below 2: is out of range" in error(film, output, *ratio, "--pad-below", 2)
    assert "--stride 65: is too large" in error(film, output, *ratio, "--stride", 65)
    assert "no such folder" in error(film, output, *ratio, "--maps", tmp_path / "none")
    for flags in (("--checkpoint", "stavis"), ("--stride", 2), ("--batch-size", 1)):
        assert f"{flags[0]}: has no effect with --maps" in error(film, output, *ratio, "--maps", maps, *flags)
    assert "none.mp4: no such file" in error(tmp_path / "none.mp4", output, *ratio)
    Image.new("RGB", (64, 48)).save(tmp_path / "still.png")
    assert "is a single picture" in error(tmp_path / "still.png", output, *ratio)
    fewer = write_maps(tmp_path / "fewer", target_maps(walk()[:100]))
    assert "has no map of frame 101" in error(film, output, *ratio, "--maps", fewer)
    more = write_maps(tmp_path / "more", target_maps([*walk(), (0.5, 0.5)]))
    assert "has 161 maps" in error(film, output, *ratio, "--maps", more)
    Image.new("L", (9, 9)).save(fewer / "000050.png")
    assert "frame 50 has another size" in error(film, output, *ratio, "--maps", fewer)
    assert not output.exists()


@pytest.mark.usefixtures("no_model")
def test_only_an_earlier_result_is_replaced_and_only_on_request(target, tmp_path):
    film, maps = target
    flags = ("--ratio", "9:16", "--maps", maps)
    folder = run(film, tmp_path, *flags)
    assert "exists already. Use --overwrite" in error(film, tmp_path, *flags)
    run(film, tmp_path, "--ratio", "1:1", "--maps", maps, "--overwrite")
    assert not (folder / "9x16.mp4").exists() and (folder / "1x1.mp4").exists()
    (folder / "notes.txt").write_text("mine")
    assert "holds notes.txt" in error(film, tmp_path, *flags, "--overwrite")
    other = tmp_path / "other" / "film"
    other.mkdir(parents=True)
    (other / "mine.txt").write_text("mine")
    assert "is not a reframed film" in error(film, tmp_path / "other", *flags, "--overwrite")
    assert (other / "mine.txt").read_text() == "mine"


@pytest.mark.usefixtures("no_model")
def test_a_failure_while_writing_leaves_nothing(target, tmp_path, monkeypatch):
    film, maps = target

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stavis_jax.reframing.reframe_film.write_csv", fail)
    assert "No space left on device" in error(film, tmp_path / "out", "--ratio", "9:16", "--maps", maps)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_several_films_is_refused(tmp_path):
    for name in ("bikes.mp4", "bigbuckbunny.mp4"):
        (tmp_path / name).symlink_to(real_film(name))
    assert "holds 2 films. Give one." in error(tmp_path, tmp_path / "out", "--ratio", "9:16")


def test_defaults_of_the_flags_are_those_of_the_library():
    assert tuple(vars(CameraLimits()).values()) == (reframe.SPEED, reframe.ACCELERATION, reframe.JERK)
    assert (reframe.SPEED, reframe.ACCELERATION, reframe.JERK) == (SPEED, ACCELERATION, JERK)
    assert (reframe.PAD_BELOW, reframe.PADDINGS) == (PAD_BELOW, PADDINGS)

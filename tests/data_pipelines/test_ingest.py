"""A user's films and gaze -> raw data -> shards -> clips -> a training; and what goes wrong on the way."""

import contextlib
import json
import shutil
from pathlib import Path

import grain
import jax
import made_films
import numpy as np
import pytest
import soundfile
from PIL import Image
from rich.console import Console

from data_pipelines import open_clips
from data_pipelines.clips.batches import evaluation_batches, training_batches
from data_pipelines.ingest import ingest, main
from data_pipelines.ingestion.viewing_geometry import Viewing
from data_pipelines.prepare import prepare
from data_pipelines.raw import layout as raw_layout
from data_pipelines.raw import transaction
from data_pipelines.raw.fold_lists import read_films
from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from stavis_jax.models.stavis import NetworkConfig
from stavis_jax.scoring.observers import read_observers
from stavis_jax.training import loop
from stavis_jax.training.devices import DataParallel
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.weights.flat_names import new_network

RATE_HZ = 8000
FRAME_SIZE = (64, 48)


def write_film(path: Path, times=range(6), sound: bool = True, sound_start: int = 0) -> Path:
    """A film of 64x48 frames, each one shade; `times`, `sound_start`: in tenths of a second, the film starts at 1 s."""
    samples = np.repeat(np.int16([[1000], [-200]]), 800 * len(times), axis=1)
    return made_films.write_film(
        path,
        [np.full((*FRAME_SIZE[::-1], 3), 10 * number, np.uint8) for number in range(len(times))],
        [(sound_start / 10, samples)] if sound else [],
        times_ms=[100 * time for time in times],
        start_seconds=1,
        rate_hz=RATE_HZ,
        layout="stereo",
        container="matroska",
    )


def write_gaze(path: Path, rows, header: str = "video,time,x,y") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


def steady(video: str, x: float = 20, y: float = 10, seconds: float = 0.6):
    """A gaze sample in the middle of each frame."""
    return [(video, f"{0.05 + 0.1 * number:.2f}", x, y) for number in range(round(10 * seconds))]


@pytest.fixture
def films(tmp_path) -> Path:
    """A folder of the films a.mkv, b.mkv and c.mkv."""
    folder = tmp_path / "films"
    folder.mkdir()
    write_film(folder / "a.mkv")
    for name in ("b", "c"):
        shutil.copy(folder / "a.mkv", folder / f"{name}.mkv")
    return folder


@pytest.fixture
def gaze(tmp_path) -> Path:
    return write_gaze(tmp_path / "gaze.csv", [row for name in "abc" for row in steady(name)])


@pytest.fixture
def add(films, gaze, tmp_path):
    """Adds the films to tmp_path/raw, in this process, as the database Mine."""

    def run(**options):
        settings = {"films": [films], "gaze": [gaze], "database": "Mine", "viewing": Viewing(sigma=3), "workers": 1}
        return ingest(raw=tmp_path / "raw", **settings | options)

    return run


@pytest.fixture
def layout(tmp_path):
    return lambda: RawLayout(tmp_path / "raw")


def warnings_of(caplog, word: str) -> list[str]:
    return [record.message for record in caplog.records if word in record.message]


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_films_become_raw_data(add, layout):
    report = add(test=["b"])
    raw = layout()
    assert raw.databases() == ["Mine"]
    assert raw.videos("Mine") == ["a", "b", "c"]
    assert raw.num_frames("Mine", "a") == 6
    for number in (1, 6):
        frame = raw_layout.read_frame(raw.frame_path("Mine", "a", number))
        assert frame.shape == (48, 64, 3)
        assert abs(frame.mean() - 10 * (number - 1)) < 2
        fixations = raw_layout.read_fixations(raw.fixation_path("Mine", "a", number))
        assert fixations.sum() == fixations[10, 20] == 1
        density = raw_layout.read_density(raw.density_path("Mine", "a", number))
        assert np.unravel_index(density.argmax(), density.shape) == (10, 20)
        assert density[10, 20] > 250
        assert density[10, 23] == pytest.approx(255 * np.exp(-0.5), abs=4)  # a sigma away
    samples, rate_hz = soundfile.read(raw.sound_path("Mine", "a"), dtype="int16")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(samples, np.tile(np.int16([1000, -200]), (4800, 1)))
    assert [film.name for film in read_films(raw, "train", 3)] == ["a", "c"]
    (tested,) = read_films(raw, "test", 1)
    assert (tested.name, tested.num_frames, tested.fps) == ("b", 6, 10)
    assert (report.units, report.num_observers) == ("pixels", 0)
    assert not hidden(raw.root)


def test_times_of_frames_decide_not_their_number(add, layout, films, tmp_path, caplog):
    write_film(films / "a.mkv", times=(0, 1, 2, 6, 7))
    table = write_gaze(tmp_path / "a.csv", [("a", 0.45, 20, 10)])
    add(gaze=[table])
    seen = [raw_layout.read_fixations(layout().fixation_path("Mine", "a", number)).any() for number in range(1, 6)]
    assert seen == [False, False, True, False, False]
    assert warnings_of(caplog, "no steady frame rate")[0].startswith("1 of 3 films have no steady frame rate")


def test_fixations_stay_for_their_duration_and_observers_are_counted(add, layout, tmp_path):
    rows = [("a", "P1", 0.1, 0.2, 20, 10), ("a", "P2", 0.2, 0.05, 40, 30)]
    report = add(gaze=[write_gaze(tmp_path / "fixations.csv", rows, "video,observer,time,duration,x,y")])
    points = []
    for number in range(1, 7):
        ys, xs = np.nonzero(raw_layout.read_fixations(layout().fixation_path("Mine", "a", number)))
        points.append(sorted(zip(xs.tolist(), ys.tolist(), strict=True)))
    assert points == [[], [(20, 10)], [(20, 10), (40, 30)], [], [], []]
    assert (report.num_observers, report.films[0].num_frames_without_gaze) == (2, 4)


def test_who_looked_where_is_kept_in_pixels_of_the_frames_written(add, layout, tmp_path):
    rows = [("a", "P1", 0.1, 0.2, 20, 10), ("a", "P2", 0.2, 0.05, 40, 30), ("a", "P2", 0.2, 0.05, 40, 30)]
    table = write_gaze(tmp_path / "fixations.csv", rows, "video,observer,time,duration,x,y")
    other = write_gaze(
        tmp_path / "more.csv", [("a", "P1", 0.3, 5, 5), ("b", "P1", 0.3, 5, 5)], "video,observer,time,x,y"
    )
    add(gaze=[table, other], height=24)
    points = read_observers(layout().observers_path("Mine", "a"), (24, 32))
    assert {number: {name: at.tolist() for name, at in of.items()} for number, of in points.items()} == {
        2: {"P1": [[5, 10]]},
        3: {"P1": [[5, 10]], "P2": [[15, 20]]},
        4: {"P1": [[2, 2]]},
    }
    assert not layout().observers_path("Mine", "b").exists()  # one observer: nobody to compare with


def test_frames_and_gaze_are_scaled_down_together(add, layout):
    report = add(height=24, viewing=Viewing(sigma=6))
    raw = layout()
    assert raw_layout.read_frame(raw.frame_path("Mine", "a", 1)).shape == (24, 32, 3)
    assert raw_layout.read_fixations(raw.fixation_path("Mine", "a", 1))[5, 10] == 1
    density = raw_layout.read_density(raw.density_path("Mine", "a", 1))
    assert density.shape == (24, 32)
    assert density[5, 13] == pytest.approx(255 * np.exp(-0.5), abs=4)  # sigma is in the film's own pixels
    assert report.films[0].sigma == 6
    add(height=100, overwrite=True)
    assert raw_layout.read_frame(raw.frame_path("Mine", "a", 1)).shape == (48, 64, 3)


@pytest.mark.parametrize(("sound_start", "first_samples"), [(2, [0, 1000]), (-2, [1000, 1000])])
def test_sound_keeps_its_place_against_the_picture(add, layout, films, sound_start, first_samples):
    write_film(films / "a.mkv", sound_start=sound_start)
    add()
    samples, _ = soundfile.read(layout().sound_path("Mine", "a"), dtype="int16")
    assert len(samples) == 4800 + sound_start * 800
    assert samples[[1599, 1600], 0].tolist() == first_samples


def test_fractions_are_told_from_pixels(add, layout, tmp_path):
    table = write_gaze(tmp_path / "gaze.csv", steady("a", 0.25, 0.5))
    assert add(gaze=[table]).units == "fraction"
    assert raw_layout.read_fixations(layout().fixation_path("Mine", "a", 1))[24, 16] == 1


def test_what_is_left_out_is_counted(add, layout, films, tmp_path, caplog):
    write_film(films / "b.mkv", sound=False)
    write_film(films / "short.mkv", times=[0])
    rows = [*steady("a"), *steady("b", seconds=0.3), *steady("short", seconds=0.1), ("a", 0.1, 64, 10)]
    rows += [("a", 0.1, 20, -0.5), ("b", 0.61, 20, 10), ("b", "", "", ""), ("gone", 0.1, 20, 10)]
    report = add(gaze=[write_gaze(tmp_path / "gaze.csv", rows)])
    assert [film.name for film in report.films] == layout().videos("Mine") == ["a", "b"]
    assert not layout().sound_path("Mine", "b").exists()
    for start in (
        "1 of 15 rows of gaze have no time or position",
        "1 videos of the gaze tables have no film and are left out; first: 'gone'",
        "2 of 13 gaze points are outside the picture and are left out; most: 2 of a",
        "1 of 13 gaze points are before or after the film",
        "2 of 4 films are left out; first: short has a single frame",
        "1 of 4 films have no sound; first: b",
    ):
        assert len([record for record in caplog.records if record.message.startswith(start)]) == 1, start
    assert report.films[1].num_frames_without_gaze == 3


def test_names_are_made_safe_and_found_again_in_the_tables(add, layout, films, tmp_path):
    names = {
        "a b  c": "a_b_c",
        "-dash'quote": "-dash'quote",
        "färö": "färö",
        'say "hi"': "say_hi_",
        "v1.2": "v1.2",
    }
    for stem in names:
        shutil.copy(films / "a.mkv", films / f"{stem}.mkv")
    written = ["a b  c", "-dash'quote", "fa\u0308ro\u0308", "say_hi_", "v1.2.mkv"]  # a Mac writes ä as two characters
    for number, video in enumerate(written):
        (tmp_path / "tables").mkdir(exist_ok=True)
        write_gaze(tmp_path / "tables" / f"{number}.csv", steady(video))
    add(gaze=[tmp_path / "tables"], test=["a b  c.mkv"])
    assert layout().videos("Mine") == sorted(names.values())
    assert [film.name for film in read_films(layout(), "test", 1)] == ["a_b_c"]
    lists = (layout().root / "fold_lists" / "Mine_list_train_fps.txt").read_text(encoding="utf-8")
    assert all(len(line.split()) == 3 for line in lists.splitlines())


def test_each_split_tests_on_other_films_and_a_seed_decides(add, layout, films, gaze, tmp_path):
    def tested(**options):
        add(overwrite=True, **options)
        return [{film.name for film in read_films(layout(), "test", split)} for split in (1, 2, 3)]

    first = tested(test_share=0.34)
    assert sorted(name for names in first for name in names) == ["a", "b", "c"]
    assert tested(test_share=0.34) == first
    assert any(tested(test_share=0.34, seed=seed) != first for seed in range(1, 6))
    assert tested(test_share=1) == 3 * [{"a", "b", "c"}]
    assert not list(layout().root.glob("fold_lists/*train*"))
    add(overwrite=True, test_share=0)
    assert not list(layout().root.glob("fold_lists/*test*"))
    assert {film.name for film in read_films(layout(), "train", 2)} == {"a", "b", "c"}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_lists_of_test_films_may_have_commas_and_so_may_films(add, layout, films, tmp_path):
    shutil.copy(films / "a.mkv", films / "d,e.mkv")
    table = write_gaze(tmp_path / "gaze.csv", [row for name in ("a", "b", "c", '"d,e"') for row in steady(name)])
    add(gaze=[table], test=["a,c.mkv", "d,e"])
    assert [film.name for film in read_films(layout(), "test", 1)] == ["a", "c", "d,e"]


def test_a_film_slower_than_raw_data_can_be_is_left_out(add, layout, films, caplog):
    write_film(films / "a.mkv", times=(0, 1, 2, 3, 900))
    report = add()
    assert [film.name for film in report.films] == layout().videos("Mine") == ["b", "c"]
    assert "1 of 3 films are left out; first: a has 0.0444444 frames a second on average" in caplog.text


def test_a_folder_of_pictures_is_a_film(add, layout, films, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 4):
        Image.new("RGB", FRAME_SIZE, (80 * number, 0, 0)).save(folder / f"{number}.png")
    soundfile.write(folder / "any.wav", np.zeros(960, np.int16), RATE_HZ)
    table = write_gaze(tmp_path / "gaze.csv", [("pictures", 0.05, 20, 10)])
    report = add(films=[folder], gaze=[table], test=["pictures"])
    assert (report.films[0].num_frames, report.films[0].fps, report.films[0].has_sound) == (3, 25, True)
    assert raw_layout.read_fixations(layout().fixation_path("Mine", "pictures", 2)).any()
    assert abs(raw_layout.read_frame(layout().frame_path("Mine", "pictures", 3))[0, 0, 0] - 240.0) < 3


def test_a_second_database_leaves_the_first_as_it_is(add, layout):
    add()
    before = content(layout().root)
    add(database="Other")
    assert layout().databases() == ["Mine", "Other"]
    assert before.items() <= content(layout().root).items()


def test_a_database_is_replaced_on_demand_only(add, layout, gaze):
    add(test=["a"])
    before = content(layout().root)
    with pytest.raises(UserError, match=r"video_frames.Mine: exists already\. Give another --database, or --overwrite"):
        add()
    assert content(layout().root) == before
    write_gaze(gaze, steady("a"))
    add(overwrite=True)
    assert layout().videos("Mine") == ["a"]
    assert {path.name for path in layout().root.glob("fold_lists/*")} == {
        f"Mine_list_test_{n}_fps.txt" for n in (1, 2, 3)
    }
    assert not hidden(layout().root)


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("moves", range(9))
def test_a_killed_run_leaves_a_whole_database_or_none_and_the_next_run_tidies_up(tmp_path, monkeypatch, moves):
    """Killed as it puts a new database in the place of an old one, which takes nine steps."""
    raw = tmp_path / "raw"

    def write(layout: RawLayout, database: str, text: str) -> None:
        for folder in (layout.frame_folder(database, "a"), layout.annotation_folder(database, "a")):
            folder.mkdir(parents=True)
            (folder / "file").write_text(text)
        for subset in ("train", "test") if text == "old" else ("train_1", "test_1", "test_2"):
            (layout.root / "fold_lists" / f"{database}_list_{subset}_fps.txt").write_text(text)

    with transaction.new_database(raw, "Mine", False) as layout:
        write(layout, "Mine", "old")
    old = content(raw)
    move, done = transaction._move, []

    def killed(*paths):
        if len(done) == moves:
            raise KilledError
        done.append(move(*paths))

    with monkeypatch.context() as patched:
        patched.setattr(transaction, "_move", killed)
        patched.setattr(transaction, "_put_back", lambda *paths: None)
        with pytest.raises(KilledError), transaction.new_database(raw, "Mine", True) as layout:
            write(layout, "Mine", "new")
    assert hidden(raw)
    assert RawLayout(raw).databases() == (["Mine"] if moves == 0 else [])
    with transaction.new_database(raw, "Other", False) as layout:
        write(layout, "Other", "other")
    assert not hidden(raw)
    assert {name: data for name, data in content(raw).items() if "Mine" in name} == old


def test_two_runs_do_not_write_at_once(add, layout, tmp_path):
    with transaction.new_database(tmp_path / "raw", "Other", False) as aside:
        with pytest.raises(UserError, match="another run is writing to it"):
            add()
        aside.frame_folder("Other", "a").mkdir(parents=True)
    add()
    assert layout().databases() == ["Mine", "Other"]


def no_film(path: Path) -> Path:
    path.write_text("not a film\n" * 50)
    return path


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda films, gaze: {"films": [films / "none.mp4"]}, r"none\.mp4: no such file"),
        (lambda films, gaze: {"films": [gaze.parent]}, "holds no film"),
        (lambda films, gaze: {"films": [films, write_film(gaze.parent / "a.avi")]}, "a.avi: has the same name as"),
        (lambda films, gaze: {"films": [no_film(films / "a.mkv")]}, "a.mkv: "),
        (
            lambda films, gaze: {"gaze": [write_gaze(gaze, steady("gone"))]},
            "the tables name 'gone', but the films are a, b, c",
        ),
        (lambda films, gaze: {"gaze": [write_gaze(gaze, [])]}, "the tables have no usable row"),
        (
            lambda films, gaze: {"gaze": [write_gaze(gaze, steady("a", 900))]},
            "no film can be used; first: a has no gaze",
        ),
        (lambda films, gaze: {"gaze": [write_gaze(gaze, [("a", 50, 20, 10)])]}, "times are seconds since"),
        (lambda films, gaze: {"gaze": [write_gaze(gaze, [("a", 0, 20, "x")])]}, "gaze.csv, line 2: y: 'x'"),
        (lambda films, gaze: {"test": ["d"]}, "--test 'd': is not one of the films. Choose from a, b, c"),
        (lambda films, gaze: {"test_share": 1.5}, "--test-share 1.5"),
        (lambda films, gaze: {"height": 0}, "--height 0: is too small"),
        (lambda films, gaze: {"workers": 0}, "--workers 0: is too small"),
        (lambda films, gaze: {"seed": -1}, "--seed -1: is too small"),
        (lambda films, gaze: {"database": "../Mine"}, "--database '../Mine'"),
        (lambda films, gaze: {"database": "my films"}, "--database 'my films'"),
        (lambda films, gaze: {"database": "DIEM"}, "--database DIEM: has one list of test films"),
    ],
)
def test_a_fault_is_named_and_nothing_is_written(add, films, gaze, tmp_path, change, fault):
    options = change(films, gaze)
    with pytest.raises(UserError, match=fault):
        add(**options)
    assert not (tmp_path / "raw").exists()


def test_the_command_works_with_processes_and_says_what_it_did(films, gaze, tmp_path, capsys):
    arguments = ["--films", str(films), "--gaze", str(gaze), "--database", "Mine", "--output", str(tmp_path / "raw")]
    main([*arguments, "--columns", "x=X,video=Video", "y=y", "--screen", "128x96", "--workers", "2"])
    assert capsys.readouterr().out.splitlines() == [
        "gaze: pixels of the screen; sigma: 1.6 pixels of the film.",
        f"{tmp_path / 'raw'}: Mine, 3 films, 18 frames, 0 of them without gaze; 18 gaze points.",
    ]
    assert raw_layout.read_fixations(RawLayout(tmp_path / "raw").fixation_path("Mine", "c", 6))[5, 10] == 1


def test_the_command_ends_with_one_line_on_an_error(films, gaze, tmp_path):
    arguments = ["--films", str(films), "--gaze", str(gaze), "--database", "Mine", "--output", str(tmp_path / "raw")]
    with pytest.raises(SystemExit, match=r"^error: .*gaze.csv: has no column 'gx'.*$"):
        main([*arguments, "--columns", "x=gx"])
    with pytest.raises(SystemExit, match=r"^error: --columns: 'x' is not OURS=YOURS.*$"):
        main([*arguments, "--columns", "x"])


def gaze_in_bunny(seconds) -> np.ndarray:
    """A made-up path of gaze, (x, y) in pixels of a film of 1280x720."""
    return np.stack([640 + 400 * np.cos(seconds), 360 + 200 * np.sin(seconds)], axis=-1)


@pytest.fixture(scope="module")
def bunny(tmp_path_factory) -> Path:
    """A folder with raw data and 32x32 shards of a real film, whose gaze is made up, and of a test film."""
    folder = tmp_path_factory.mktemp("bunny")
    films = [made_films.real_film("bigbuckbunny.mp4"), write_film(folder / "other.mkv", range(20))]
    times = np.arange(0.005, 5.28, 0.01)
    path = [("bigbuckbunny", f"{time:.3f}", x, y) for time, (x, y) in zip(times, gaze_in_bunny(times), strict=True)]
    table = write_gaze(folder / "gaze.csv", path + steady("other", seconds=2))
    ingest(films, [table], folder / "raw", "Mine", test=["other"], height=90, workers=1)
    prepare(folder / "raw", folder / "shards", size=32, workers=1)
    return folder


@pytest.mark.slow
def test_density_of_clips_peaks_where_people_looked(bunny):
    clips = open_clips(bunny / "shards", "train", windows="test")
    assert len(clips) == 131
    for index in (0, 40, 80, 116):
        item = clips[index]
        expected = gaze_in_bunny((item["target_frame"] - 0.5) / 25) * 32 / np.array([1280, 720])
        y, x = np.unravel_index(item["density"].argmax(), (32, 32))
        assert np.abs(np.array([x, y]) + 0.5 - expected).max() < 1.5
        assert item["fixations"][y, x] == 1
        assert np.abs(item["waveform"]).max() > 0


@pytest.mark.slow
def test_a_network_trains_on_it(bunny, tmp_path):
    """An epoch of one batch, on 2 of each clip's 16 frames, which compile faster than all."""
    listed = {"split": 1, "batch_size": 2}
    with contextlib.closing(training_batches(bunny / "shards", seed=0, **listed)) as batches:
        train = shorter(next(batches))
    validation = [
        shorter(batch) for batch in evaluation_batches(bunny / "shards", subset="test", windows="validation", **listed)
    ]
    kept = {}
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules multiply a Python float and an integer step
        loop.train(
            new_network(NetworkConfig("visual", depth=10), seed=0),
            TrainingSettings(1, 2, 2, learning_rate=1e-3, group_rates={"trunk": 1.0, "heads": 1.0}),
            loop.TrainingData(iter(grain.MapDataset.source([train]).repeat().to_iter_dataset()), 1, lambda: validation),
            tmp_path,
            keep=lambda network, what: kept.update({what: network}),
            devices=DataParallel(jax.devices()[:1]),
            console=Console(quiet=True),
        )
    (row,) = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert row["epoch"] == 1
    assert all(np.isfinite(value) for value in row.values() if isinstance(value, float))
    assert "last" in kept


def shorter(batch: dict) -> dict:
    return dict(batch) | {"clip": batch["clip"][:, 7:9]}

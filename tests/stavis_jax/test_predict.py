"""The predict command, with tiny stand-ins for the network."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import beginning_of_real_film, real_film
from made_models import Brightness
from PIL import Image

from data_pipelines.films.film import open_film
from data_pipelines.runtime.errors import UserError
from stavis_jax import predict
from stavis_jax.outputs.folder import write_prediction_settings
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.write import write_predictions
from stavis_jax.weights.named_checkpoints import STARTER_DIRECTORY

SIZE = 16
SMALL = PredictionOptions(appearance=OutputOptions(map_size="network"))


class Broken(Brightness):
    def logits(self, clip, waveform):
        return np.full(clip.shape[:1] + clip.shape[2:4], np.nan)


@pytest.mark.slow
def test_command_predicts_a_real_film_with_sound(tmp_path, monkeypatch, capsys):
    loaded = []
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: loaded.append((a, k)) or Brightness())
    film = beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path)
    flags = ["--checkpoint", "some.pth", "--variant", "visual", "--dtype", "bfloat16"]
    predict.main([str(film), *flags, "--output", str(tmp_path / "out")])

    assert loaded == [((Path("some.pth"),), {"variant": "visual", "dtype": "bfloat16"})]
    folder = tmp_path / "out" / "bigbuckbunny"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bigbuckbunny"]
    assert f"{folder}: 30 frames, wrote maps, overlay.mp4" in capsys.readouterr().out
    maps = sorted((folder / "maps").iterdir())
    assert [path.name for path in maps] == [f"{number:06d}.png" for number in range(1, 31)]
    with Image.open(maps[15]) as picture:
        assert (picture.size, picture.mode, picture.getextrema()) == ((1280, 720), "L", (0, 255))
    with av.open(str(film)) as source, av.open(str(folder / "overlay.mp4")) as overlay:
        assert overlay.streams.video[0].frames == 30
        assert overlay.streams.video[0].average_rate == 25
        assert (overlay.streams.video[0].width, overlay.streams.video[0].height) == (1280, 720)
        assert overlay.duration == pytest.approx(source.duration, abs=1024 / 48000 * 1e6)  # one AAC frame
        assert sum(frame.samples for frame in overlay.decode(audio=0)) > 1.15 * 48000


class Seeing(Brightness):
    uses_sound = False


def test_without_a_checkpoint_the_starter_predicts_and_one_line_says_what_it_is(tmp_path, monkeypatch, capsys):
    loaded = []
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda path, **how: loaded.append(path) or Seeing())
    film, flags = str(real_film("carphone_pristine.mp4")), ["--outputs", "track", "--output"]
    predict.main([film, *flags, str(tmp_path / "default")])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("starter: ")]
    assert "sees the picture only and has never heard sound" in line and "--checkpoint stavis" in line
    predict.main([film, *flags, str(tmp_path / "named"), "--checkpoint", "starter"])
    assert loaded == [STARTER_DIRECTORY] * 2
    assert "starter: " not in capsys.readouterr().err


def test_a_sound_file_for_a_network_that_hears_nothing_is_warned_of(tmp_path, monkeypatch, caplog):
    film, sound = real_film("carphone_pristine.mp4"), real_film("bigbuckbunny.mp4")
    flags = ["--sound", str(sound), "--outputs", "track", "--output"]
    for model, warned in ((Seeing, True), (Brightness, False)):
        monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, model=model, **k: model())
        caplog.clear()
        predict.main([str(film), *flags, str(tmp_path / model.__name__)])
        assert any("--sound: this network sees the picture only." in text for text in caplog.messages) == warned


@pytest.mark.slow
def test_command_warns_of_a_film_without_sound_and_predicts_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    film = beginning_of_real_film("bikes.mp4", 1.2, tmp_path)
    predict.main([str(film), "--checkpoint", "x", "--output", str(tmp_path), "--map-size", "network"])
    (warning,) = caplog.messages
    assert "bikes.mp4: no sound in this film" in warning
    assert len(list((tmp_path / "bikes" / "maps").iterdir())) == 30
    with Image.open(tmp_path / "bikes" / "maps" / "000001.png") as picture:
        assert picture.size == (SIZE, SIZE)


def command_error(*arguments) -> str:
    with pytest.raises(SystemExit) as stopped:
        predict.main([*map(str, arguments), "--checkpoint", "x"])
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


@pytest.mark.usefixtures("no_model")
def test_command_names_what_is_not_a_film(tmp_path, capsys):
    (tmp_path / "notes.mp4").write_bytes(b"no film")
    good = real_film("bikes.mp4")
    line = command_error(tmp_path / "notes.mp4", "--output", tmp_path / "out")
    assert line.startswith(f"error: {tmp_path}/notes.mp4: cannot be read")
    assert "none.mp4: no such file" in command_error(good, tmp_path / "none.mp4", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err == ""


@pytest.fixture
def films(tmp_path) -> Path:
    """A folder of four film files, two of which cannot be read."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a", "c"):
        (folder / f"{name}.mp4").write_bytes(b"no film")
    for name in ("b", "d"):
        shutil.copy(real_film("carphone_pristine.mp4"), folder / f"{name}.mp4")
    return folder


def test_of_many_films_those_that_fail_do_not_stop_the_others(tmp_path, films, monkeypatch, capsys):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    out = tmp_path / "out"
    (out / "d").mkdir(parents=True)
    (out / "d" / "mine.txt").touch()
    line = command_error(films, "--output", out, "--outputs", "track")
    assert line.startswith("error: 3 of 4 films failed: a.mp4, c.mp4, d.mp4. ")
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(told) == 3
    assert told[0].startswith(f"error: {films / 'a.mp4'}: cannot be read as a film")
    assert told[1].startswith(f"error: {films / 'c.mp4'}: cannot be read as a film")
    assert told[2].startswith(f"error: {films / 'd.mp4'}: {out / 'd'}: is not a prediction")
    assert sorted(path.name for path in out.iterdir()) == ["b", "d"]
    assert (out / "b" / "track.csv").is_file()


@pytest.mark.usefixtures("no_model")
def test_where_every_film_fails_no_model_is_loaded(tmp_path, films):
    for name in ("b", "d"):
        (films / f"{name}.mp4").unlink()
    assert "2 of 2 films failed: a.mp4, c.mp4" in command_error(films, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_share_opens_its_own_films_alone(tmp_path, films, monkeypatch):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    opened = []
    monkeypatch.setattr(predict, "open_film", lambda path, **how: opened.append(path.name) or open_film(path, **how))
    predict.main(
        [str(films), "--shard", "2/2", "--checkpoint", "x", "--output", str(tmp_path / "out"), "--outputs", "track"]
    )
    assert opened == ["b.mp4", "d.mp4"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b", "d"]


@pytest.mark.usefixtures("no_model")
def test_malloc_is_told_to_keep_memory_before_decoders_start_their_threads(tmp_path, films, monkeypatch):
    done = []
    monkeypatch.setattr(predict, "keep_big_buffers", lambda: done.append("malloc"))
    monkeypatch.setattr(predict, "open_film", lambda path, **how: done.append("film") or open_film(path, **how))
    command_error(films / "a.mp4", "--output", tmp_path / "out")
    assert done == ["malloc", "film"]


@pytest.mark.usefixtures("no_model")
def test_command_refuses_two_films_of_one_name(tmp_path):
    twins = [tmp_path / "day1" / "film.mp4", tmp_path / "day2" / "film.mp4"]
    for twin in twins:
        twin.parent.mkdir()
        shutil.copy(real_film("bikes.mp4"), twin)
    message = command_error(*twins, "--output", tmp_path / "out")
    assert f"{twins[1]}: has the same output folder as {twins[0]}" in message


def test_command_refuses_what_is_no_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    (tmp_path / "bikes").mkdir(parents=True)
    (tmp_path / "bikes" / "letters.txt").touch()
    message = command_error(real_film("bikes.mp4"), "--output", tmp_path, "--overwrite")
    assert "bikes: is not a prediction" in message
    assert (tmp_path / "bikes" / "letters.txt").exists()


def test_overwriting_leaves_nothing_of_the_earlier_prediction(tmp_path):
    old = tmp_path / "film" / "maps" / "000999.png"
    old.parent.mkdir(parents=True)
    old.touch()
    write_prediction_settings(tmp_path / "film", {"film": "another"}, {})
    num_frames = write_predictions(
        real_film("carphone_pristine.mp4"), tmp_path / "film", Brightness(), SMALL, overwrite=True
    )
    assert num_frames == 120
    assert len(list(old.parent.iterdir())) == 120
    assert not old.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["film"]


def test_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/film: cannot be written"):
        write_predictions(real_film("carphone_pristine.mp4"), tmp_path / "file" / "film", Brightness())


def test_a_failure_leaves_nothing_behind(tmp_path):
    earlier = tmp_path / "film" / "overlay.mp4"
    earlier.parent.mkdir()
    earlier.write_text("earlier")
    write_prediction_settings(tmp_path / "film", {"film": "another"}, {})
    for folder in (tmp_path / "film", tmp_path / "new" / "film"):
        with pytest.raises(UserError, match="not numbers"):
            write_predictions(real_film("carphone_pristine.mp4"), folder, Broken(), overwrite=True)
    assert earlier.read_text() == "earlier"
    assert sorted(tmp_path.rglob("*")) == [earlier.parent, earlier, tmp_path / "film" / "prediction.json"]


def test_a_film_that_is_done_is_left_alone_and_other_settings_are_refused(tmp_path):
    film, folder = real_film("carphone_pristine.mp4"), tmp_path / "film"
    assert write_predictions(film, folder, Brightness(), SMALL) == 120
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_predictions(film, folder, Brightness(), SMALL) is None
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    other = PredictionOptions(stride=2, appearance=SMALL.appearance)
    with pytest.raises(UserError, match=r"was predicted with other settings \(stride: 1, now: 2\). Use --overwrite"):
        write_predictions(film, folder, Brightness(), other)
    assert json.loads((folder / "prediction.json").read_text())["frames"] == 120


def test_shares_of_the_films_together_are_all_films(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    for name in ("a", "b", "c"):
        shutil.copy(real_film("carphone_pristine.mp4"), tmp_path / f"{name}.mp4")
    options = ["--checkpoint", "x", "--output", str(tmp_path / "out"), "--outputs", "track"]
    found = []
    for share in ("1/2", "2/2"):
        predict.main([str(tmp_path), "--shard", share, *options])
        found.append(sorted(path.name for path in (tmp_path / "out").iterdir()))
    assert found == [["a", "c"], ["a", "b", "c"]]
    predict.main([str(tmp_path / "*.mp4"), *options])
    assert capsys.readouterr().out.count("already predicted") == 3


def test_lists_are_separated_by_spaces_or_commas(tmp_path, monkeypatch):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Brightness())
    film = str(real_film("carphone_pristine.mp4"))
    for name, outputs in (("spaces", ["track", "npy"]), ("commas", ["track,npy"])):
        flags = ["--checkpoint", "x", "--output", str(tmp_path / name), "--outputs", *outputs, "--stride", "8"]
        predict.main([film, *flags])
        written = sorted(path.name for path in (tmp_path / name / "carphone_pristine").iterdir())
        assert written == ["maps.npy", "prediction.json", "track.csv"]


def test_all_outputs_at_once(tmp_path):
    names = ("maps", "overlay", "grey", "npz", "npy", "contact-sheet", "track")
    options = PredictionOptions(names, SMALL.appearance, stride=4)
    write_predictions(real_film("carphone_pristine.mp4"), tmp_path / "film", Brightness(), options)
    written = sorted(path.name for path in (tmp_path / "film").iterdir())
    files = ["contact-sheet.png", "grey.mp4", "maps", "maps.npy", "maps.npz", "overlay.mp4"]
    assert written == [*files, "prediction.json", "track.csv"]
    assert np.load(tmp_path / "film" / "maps.npy").shape == (120, SIZE, SIZE)


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("--outputs", "map", "--outputs: 'map' is not known, choose from maps, overlay"),
        ("--outputs", ",", "--outputs: expected at least one value"),
        ("--colormap", "warm", "--colormap warm: is not a colormap"),
        ("--opacity", "2", "--opacity 2.0: is out of range. Give a number from 0"),
        ("--panes", "sound", "--panes: 'sound' is not known, choose from localization, attention"),
        ("--shard", "3/2", "--shard: expected I/N with I from 1 to N, such as 2/8, found '3/2'"),
        ("--shard", "half", "found 'half'"),
        ("--stride", "0", "--stride: expected a whole number of 1 or more"),
        ("--stride", "65", "--stride 65: is too large. Give at most 64."),
    ],
)
@pytest.mark.usefixtures("no_model")
def test_a_wrong_option_is_one_line_that_names_it(tmp_path, option, value, fault):
    assert fault in command_error(real_film("bikes.mp4"), "--output", tmp_path / "out", option, value)
    assert not (tmp_path / "out").exists()

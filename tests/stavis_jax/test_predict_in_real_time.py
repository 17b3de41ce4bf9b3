"""--real-time of predict and reframe, with networks whose speed the tests make up."""

import json
import shutil

import pytest
from made_films import real_film
from made_models import Brightness

from stavis_jax import predict, reframe
from stavis_jax.prediction import real_time


class Slow(Brightness):
    """Takes a number of seconds for each clip, on a clock that it moves itself."""

    uses_sound = False
    clip_seconds = now = 0.0

    def logits(self, clip, waveform):
        Slow.now += len(clip) * Slow.clip_seconds
        return super().logits(clip, waveform)


@pytest.fixture
def slow_network(monkeypatch):
    """Returns a function that sets the seconds of a clip."""
    monkeypatch.setattr(real_time.time, "perf_counter", lambda: Slow.now)
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Slow())
    return lambda seconds: monkeypatch.setattr(Slow, "clip_seconds", seconds)


@pytest.fixture
def film(tmp_path):
    """A film of 30 frames a second."""
    return shutil.copy(real_film("carphone_pristine.mp4"), tmp_path / "call.mp4")


@pytest.fixture
def run(tmp_path, film, capsys):
    """Returns a function that predicts the film and returns what is printed."""

    def predicted(*flags: str) -> str:
        predict.main([str(film), "--checkpoint", "x", "--outputs", "npz", "--output", str(tmp_path / "out"), *flags])
        return capsys.readouterr().out

    return predicted


def settings(tmp_path) -> dict:
    return json.loads((tmp_path / "out" / "call" / "prediction.json").read_text())["settings"]


@pytest.mark.slow
def test_a_slow_network_gets_a_stride_that_is_said_and_recorded(slow_network, run, tmp_path):
    slow_network(0.1)
    line, done = run("--real-time").splitlines()
    rate = settings(tmp_path)["stride"] / 0.1
    assert line.startswith(f"{tmp_path}/out/call: real time: stride {settings(tmp_path)['stride']}, ")
    assert line.endswith(" maps a second for 29.97 frames a second")
    assert 29.97 < rate < 60
    assert "wrote maps.npz" in done
    assert [path.name for path in sorted((tmp_path / "out" / "call").iterdir())] == ["maps.npz", "prediction.json"]


def test_a_fast_network_predicts_every_frame(slow_network, run, tmp_path):
    slow_network(0.001)
    assert "real time: stride 1, " in run("--real-time")
    assert settings(tmp_path)["stride"] == 1


def test_a_network_too_slow_for_any_stride_says_so_and_predicts(slow_network, run):
    slow_network(60.0)
    lines = run("--real-time")
    assert "real time is out of reach with any stride" in lines and "wrote maps.npz" in lines


@pytest.mark.slow
def test_a_second_run_does_not_predict_again_even_if_the_machine_has_become_slower(slow_network, run, tmp_path):
    slow_network(0.1)
    run("--real-time")
    stride = settings(tmp_path)["stride"]
    slow_network(0.3)
    assert run("--real-time") == f"{tmp_path}/out/call: already predicted\n"
    assert run("--stride", str(stride)) == f"{tmp_path}/out/call: already predicted\n"
    assert run("--real-time", "--overwrite").count("real time: stride ") == 1
    assert settings(tmp_path)["stride"] > stride


def test_a_prediction_with_a_stride_of_the_user_is_not_taken_for_one_in_real_time(slow_network, run, tmp_path):
    slow_network(0.1)
    run("--stride", "7")
    with pytest.raises(SystemExit, match=r"was predicted with other settings \(stride: 7, now: real time\)"):
        run("--real-time")
    assert settings(tmp_path)["stride"] == 7


@pytest.mark.usefixtures("slow_network")
def test_a_stride_beside_real_time_is_refused(run, film, tmp_path):
    line = "error: --stride 1 --real-time: --real-time chooses the stride. Give one of them."
    with pytest.raises(SystemExit, match=f"^{line}$"):
        run("--stride", "1", "--real-time")
    flags = ["--ratio", "1:1", "--stride", "1", "--real-time", "--output", str(tmp_path / "cut")]
    with pytest.raises(SystemExit, match=f"^{line}$"):
        reframe.main([str(film), *flags])


@pytest.mark.slow
def test_reframe_chooses_a_stride_and_records_it(slow_network, film, tmp_path, capsys):
    slow_network(0.1)
    reframe.main([str(film), "--checkpoint", "x", "--ratio", "1:1", "--real-time", "--output", str(tmp_path / "cut")])
    noted = json.loads((tmp_path / "cut" / "call" / "reframing.json").read_text())["settings"]["stride"]
    assert noted > 3 and f"real time: stride {noted}, " in capsys.readouterr().out

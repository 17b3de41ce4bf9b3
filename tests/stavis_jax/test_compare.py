"""The compare command, with a tiny stand-in for the network."""

import pytest
from made_films import real_film
from made_models import Brightness

from stavis_jax import compare, predict


class Dark(Brightness):
    uses_sound = False

    def logits(self, clip, waveform):
        return -super().logits(clip, waveform)


@pytest.mark.slow
def test_command_compares_a_film_with_a_prediction(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stavis_jax.prediction.model.load", lambda *a, **k: Dark())
    film, out = str(real_film("carphone_pristine.mp4")), str(tmp_path / "out")
    predict.main([film, "--outputs", "npz", "--output", str(tmp_path / "maps")])
    folder = str(tmp_path / "maps" / "carphone_pristine")
    for cuts in ([film, film], [folder, film]):
        capsys.readouterr()
        compare.main([*cuts, "--output", out])
        said = capsys.readouterr()
        assert "Attention differs by 0% on average" in said.out
        assert f"{out}: wrote seconds.csv, summary.csv, compare.png" in said.out
        assert said.err.count("starter: ") == 1


def test_command_names_what_is_no_cut(tmp_path):
    with pytest.raises(SystemExit) as stopped:
        compare.main([str(tmp_path / "none"), str(tmp_path), "--output", str(tmp_path / "out")])
    assert str(stopped.value).startswith("error: ") and "none" in str(stopped.value)
    with pytest.raises(SystemExit) as stopped:
        compare.main(["a", "b", "--output", str(tmp_path / "out"), "--stride", "99"])
    assert "--stride 99: is too large" in str(stopped.value)
    assert not (tmp_path / "out").exists()

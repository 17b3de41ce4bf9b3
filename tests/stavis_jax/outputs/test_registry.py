import numpy as np
import pytest
from made_models import Brightness

from data_pipelines.ingestion.gaze import GazeTable
from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.regions import Region, Regions
from stavis_jax.outputs import registry
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.recorded_gaze import RecordedGaze
from stavis_jax.outputs.registry import OUTPUTS, open_outputs
from stavis_jax.outputs.write import write_predictions

REGIONS = Regions("boxes.json", "share", (Region("all", (0.0,), ((0, 0, 1, 1),)),))
ROW = np.zeros(1)
GAZE = RecordedGaze({"film": [GazeTable(ROW, ROW, ROW + 5, ROW + 5, False, ROW.astype(int), ("a",))]})
EVERY_OPTION = OutputOptions(regions=REGIONS, gaze=GAZE)


def test_every_output_is_one_file_of_its_name(tmp_path, small_film, predicted):
    folder = tmp_path / "unfinished"
    folder.mkdir()
    with open_outputs(tuple(OUTPUTS), folder, small_film, EVERY_OPTION) as write:
        for prediction in predicted(np.random.default_rng(0).random((20, 8, 8))):
            write(prediction)
            assert small_film.open_decoders == 1  # all outputs share it
    assert sorted(path.name for path in folder.iterdir()) == sorted(registry.file_names(OUTPUTS))
    assert len(list((folder / "maps").iterdir())) == 20
    written = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert all(map(registry.is_output, written))
    assert small_film.open_decoders == 0


def test_pictures_are_not_decoded_if_no_output_needs_them(tmp_path, small_film, predicted):
    with open_outputs(("track", "npy"), tmp_path, small_film, OutputOptions()) as write:
        write(predicted([np.eye(8)])[0])
        assert small_film.open_decoders == 0


def test_an_error_closes_all_outputs(tmp_path, small_film, predicted):
    def write_and_interrupt() -> None:
        with open_outputs(tuple(OUTPUTS), tmp_path, small_film, EVERY_OPTION) as write:
            write(predicted([np.eye(8)])[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_interrupt()
    assert small_film.open_decoders == 0
    assert not (tmp_path / "contact-sheet.png").exists()


def test_maps_and_overlay_are_written_by_default():
    assert registry.file_names(PredictionOptions().outputs) == ["maps", "overlay.mp4"]


@pytest.mark.parametrize(("names", "message"), [(("maps", "map"), "'map' is not known"), ((), "is empty")])
def test_unknown_outputs_are_one_line(tmp_path, names, message, write_film):
    film = write_film(tmp_path / "film.mkv", [0, 40], (32, 48))
    with pytest.raises(UserError, match=f"--outputs: {message}. Choose from maps, overlay"):
        write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(outputs=names))
    assert not (tmp_path / "out").exists()


def test_outputs_opened_before_one_that_fails_are_closed(tmp_path, small_film):
    small_film.sound_path = tmp_path / "gone.wav"
    with (
        pytest.raises(UserError, match=r"gone\.wav"),
        open_outputs(("npz", "overlay"), tmp_path, small_film, OutputOptions()),
    ):
        pass
    assert not (tmp_path / ".maps.npz.saliency").exists()


def test_an_output_and_its_option_are_given_together(tmp_path, write_film):
    film = write_film(tmp_path / "film.mkv", [0, 40], (32, 48))
    for names, options, says in (
        (["regions"], OutputOptions(), "--outputs regions: needs --regions. Give it too"),
        (["scanpath"], OutputOptions(), "--outputs scanpath: needs --gaze. Give it too"),
        (["track"], OutputOptions(gaze=GAZE), "--gaze: has no effect without --outputs scanpath. Add this output"),
        (
            ["track"],
            OutputOptions(regions=REGIONS),
            "--regions: has no effect without --outputs regions. Add this output",
        ),
    ):
        with pytest.raises(UserError, match=says):
            write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(names, options))

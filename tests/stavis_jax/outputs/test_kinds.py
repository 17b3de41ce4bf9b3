import numpy as np
import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs import kinds
from stavis_jax.outputs.kinds import OUTPUTS, OutputOptions


def test_every_output_is_one_file_of_its_name(tmp_path, small_film, feed, predicted):
    folder = tmp_path / "unfinished"
    folder.mkdir()
    feed(
        kinds.open_outputs(tuple(OUTPUTS), folder, small_film, OutputOptions()),
        predicted(np.random.default_rng(0).random((20, 8, 8))),
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(kinds.file_names())
    assert len(list((folder / "maps").iterdir())) == 20
    assert small_film.open_decoders == 0


def test_maps_and_overlay_are_what_is_written_by_default():
    assert kinds.file_names(kinds.DEFAULT_OUTPUTS) == ["maps", "overlay.mp4"]


def test_names_are_read_once_each():
    assert kinds.output_names("track, maps,track") == ("track", "maps")


@pytest.mark.parametrize("text", ["maps,heat", "", ","])
def test_wrong_name_is_one_line_that_lists_the_valid_ones(text):
    with pytest.raises(UserError, match="maps, overlay, grey, npz, npy, contact-sheet, track") as error:
        kinds.output_names(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"opacity": 1.5}, "--opacity 1.5: give a number from 0"),
        ({"opacity": float("nan")}, "--opacity nan"),
        ({"colormap": "rainbows"}, "--colormap rainbows"),
        ({"view": "below"}, "--view below: give one of overlay, side-by-side"),
        ({"naming": "mine"}, "--naming mine: give one of frames, original"),
        ({"map_size": "half"}, "--map-size half: give one of film, network"),
        ({"sheet_frames": 0}, "--sheet-frames 0: give 1 to 200"),
        ({"sheet_frames": 201}, "--sheet-frames 201: give 1 to 200"),
        ({"panes": ("localization",)}, "--panes localization"),
    ],
)
def test_wrong_option_is_told_before_the_work(options, fault):
    with pytest.raises(UserError, match=fault):
        OutputOptions(**options).check(uses_sound=False)


def test_sinks_opened_before_one_that_cannot_be_are_closed(tmp_path, small_film):
    folder = tmp_path / "unfinished"
    folder.mkdir()
    small_film.sound_path = tmp_path / "gone.wav"
    with pytest.raises(UserError, match="gone.wav"):
        kinds.open_outputs(("npz", "overlay"), folder, small_film, OutputOptions())
    assert not (folder / ".maps.npz.saliency").exists()

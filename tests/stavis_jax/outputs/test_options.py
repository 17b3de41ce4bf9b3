import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.options import OutputOptions

BOTH = ("localization", "attention")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"opacity": 1.5}, "--opacity 1.5: is out of range. Give a number from 0"),
        ({"opacity": float("nan")}, "--opacity nan"),
        ({"colormap": "rainbows"}, "--colormap rainbows"),
        ({"view": "below"}, "--view below: is not known. Choose from overlay, side-by-side"),
        ({"naming": "mine"}, "--naming mine: is not known. Choose from frames, original"),
        ({"map_size": "half"}, "--map-size half: is not known. Choose from film, network"),
        ({"sheet_frames": 0}, "--sheet-frames 0: is out of range. Give 1 to 200"),
        ({"sheet_frames": 201}, "--sheet-frames 201: is out of range. Give 1 to 200"),
        ({"panes": ("localization",)}, "--panes localization"),
        ({"panes": ("attention", "depth")}, "--panes depth: is not known. Choose from localization, attention"),
    ],
)
def test_wrong_option_is_reported(options, error):
    with pytest.raises(UserError, match=error) as raised:
        OutputOptions(**options).check(uses_sound=False)
    assert "\n" not in str(raised.value)


def test_pane_of_sound_is_refused_if_the_network_uses_no_sound():
    OutputOptions(panes=BOTH).check(uses_sound=True)
    OutputOptions(panes=("attention",)).check(uses_sound=False)
    with pytest.raises(UserError, match="--panes localization: this network does not use sound"):
        OutputOptions(panes=BOTH).check(uses_sound=False)

"""Made scenes show what they say: parts of pictures in their places, moving evenly."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from tools.starter.rendering import render, render_maps  # noqa: E402
from tools.starter.scenes import LAYERS, SceneDraw, Scenes  # noqa: E402

SIZE = 24, 32  # height and width of a frame


def pictures(number: int = 3) -> "torch.Tensor":
    """Returns pictures of one colour each, with a white left half: uint8 [N, 3, 24, 32]."""
    pixels = torch.zeros(number, 3, *SIZE, dtype=torch.uint8)
    for picture in range(number):
        pixels[picture, picture % 3] = 200
    pixels[..., : SIZE[1] // 2] = 255
    return pixels


def scenes(number: int = 1, **changes) -> Scenes:
    """Returns scenes that show a whole picture each, 0, 1, ..., unchanged; the other layers are not there."""
    whole = torch.tensor([0.0, 0, 1, 1]).expand(number, LAYERS, 2, 4).clone()
    plain = {
        "sources": torch.arange(number)[:, None].expand(-1, LAYERS).clone(),
        "boxes": whole,
        "places": whole.clone(),
        "mirrored": torch.zeros(number, LAYERS, dtype=torch.bool),
        "opacity": torch.tensor([1.0, 0, 0]).expand(number, -1).clone(),
        "round": torch.zeros(number, LAYERS, dtype=torch.bool),
        "softness": torch.full((number, LAYERS), 0.01),
        "background": torch.full((number, 3), 7.0),
        "colour": torch.tensor([1.0, 1, 1, 0, 1, 1, 1]).expand(number, -1).clone(),
        "blur": torch.ones(number),
        "noise": torch.zeros(number),
    }
    return Scenes(**plain | changes)


def draw(**options) -> Scenes:
    points = torch.rand(3, 8, 2, generator=torch.Generator().manual_seed(1))
    return SceneDraw(points, 4 / 3, seed=0)(200, 4 / 3, **options)


def test_a_whole_picture_stays_as_it_is():
    torch.testing.assert_close(render(scenes(3), pictures(), SIZE), pictures().float(), atol=0.1, rtol=0)


def test_a_mirrored_layer_is_mirrored():
    mirrored = scenes(mirrored=torch.ones(1, LAYERS, dtype=torch.bool))
    torch.testing.assert_close(render(mirrored, pictures(), SIZE), pictures()[:1].flip(3).float(), atol=0.1, rtol=0)


def test_a_layer_covers_its_place_only():
    both = scenes(sources=torch.tensor([[0, 1, 1]]), opacity=torch.tensor([[1.0, 1, 0]]))
    both.places[:, 1] = torch.tensor([0.5, 0.0, 0.5, 1.0])
    frame = render(both, pictures(), SIZE)[0].round()
    assert frame[:, 2, -3].tolist() == [200, 0, 0]
    assert frame[:, -3, -3].tolist() == [0, 200, 0]


def test_bars_show_the_background():
    barred = scenes()
    barred.places[:, 0] = torch.tensor([0.25, 0.0, 0.5, 1.0])
    frame = render(barred, pictures(), SIZE)[0]
    assert frame[:, [0, -1]].unique().tolist() == [7]


def test_a_round_layer_leaves_its_corners_free():
    corners = render(scenes(round=torch.ones(1, LAYERS, dtype=torch.bool)), pictures(), SIZE)[0, 0]
    assert corners[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [7] * 4
    assert corners[SIZE[0] // 2, SIZE[1] // 2 + 3] == 200


def test_a_place_moves_evenly():
    moving = scenes(sources=torch.tensor([[0, 1, 1]]), opacity=torch.tensor([[1.0, 1, 0]]))
    moving.boxes[:, 1] = torch.tensor([0.0, 0.75, 1.0, 0.25])  # green
    for end, left in enumerate((0.25, 0.75)):
        moving.places[:, 1, end] = torch.tensor([0.0, left, 1.0, 0.25])
    for time, column in ((0, 12), (0.5, 20), (1, 28)):
        green = (render(moving, pictures(), SIZE, time)[0, :, 12].round() == torch.tensor([[0.0], [200], [0]])).all(0)
        assert torch.nonzero(green)[:, 0].float().mean() == pytest.approx(column - 0.5, abs=0.6)


def test_maps_are_cut_like_the_first_layer_and_keep_their_levels():
    maps = torch.zeros(1, *SIZE)
    maps[:, :, 16:] = 100
    part = scenes(colour=torch.full((1, 7), 0.5), noise=torch.full((1,), 9.0), blur=torch.full((1,), 6.0))
    part.boxes[:, 0] = torch.tensor([0.0, 0.5, 1.0, 0.5])
    torch.testing.assert_close(
        render_maps(part, maps, SIZE)[:, :, 2:], torch.full((1, 24, 30), 100.0), atol=0.1, rtol=0
    )


@pytest.mark.parametrize("moving", [False, True])
def test_drawn_scenes_stay_within_their_pictures(moving):
    boxes = draw(moving=moving).boxes
    assert boxes.min() >= 0
    assert (boxes[..., :2] + boxes[..., 2:]).max() <= 1 + 1e-5


def test_drawn_frames_are_pixels():
    frames = render(draw(), pictures(), SIZE)
    assert frames.shape == (200, 3, *SIZE)
    assert frames.min() >= 0 and frames.max() <= 255 and frames.isfinite().all()


def test_still_scenes_do_not_move_and_moving_ones_do():
    still, moving = draw(), draw(moving=True)
    assert torch.equal(still.boxes[:, :, 0], still.boxes[:, :, 1]) and torch.equal(
        still.places[:, :, 0], still.places[:, :, 1]
    )
    assert 0.5 < (moving.boxes[:, 0, 0] != moving.boxes[:, 0, 1]).any(1).float().mean() < 0.9
    assert torch.equal(moving.places[:, 0, 0], moving.places[:, 0, 1])  # the background has no place to go
    assert (moving.places[:, 1, 0] != moving.places[:, 1, 1]).any(1).float().mean() > 0.2


def test_the_same_seed_draws_the_same_scenes():
    for field in dataclasses.fields(Scenes):
        assert torch.equal(getattr(draw(), field.name), getattr(draw(), field.name))

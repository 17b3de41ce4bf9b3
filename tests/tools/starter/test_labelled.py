"""Scenes and their densities fit together."""

import pytest

torch = pytest.importorskip("torch")

from starter_stubs import LooksAtBrightness, pictures  # noqa: E402

from tools.starter.labelled import CLIP_FRAMES, FRAME, labelled_scenes, points_of, with_motion  # noqa: E402
from tools.starter.scenes import SceneDraw  # noqa: E402


def batches(number: int, **options) -> list:
    return list(labelled_scenes(pictures(), LooksAtBrightness(), number, seed=0, batch=4, **options))


@pytest.mark.slow
@pytest.mark.parametrize(("moving", "frames"), [(False, 1), (True, CLIP_FRAMES)])
def test_there_are_as_many_scenes_as_asked(moving, frames):
    made = batches(10, moving=moving)
    assert [tuple(part.frames.shape) for part in made] == [(count, frames, 3, *FRAME) for count in (4, 4, 2)]
    assert all(part.frames.dtype == torch.uint8 for part in made)
    for part in made:
        torch.testing.assert_close(part.densities.sum((1, 2)), torch.ones(len(part.frames)))


def test_parts_of_single_pictures_get_half_of_the_real_density():
    real, made = batches(8)
    real_share, made_share = (_upper_left(part.densities) for part in (real, made))
    assert real_share > 0.4 and made_share < 0.3


def _upper_left(densities: "torch.Tensor") -> float:
    """Returns the mean mass in the upper left or, since scenes are mirrored, right."""
    rows, columns = (round(side * 0.34) for side in densities.shape[1:])
    upper = densities[:, :rows]
    return float(torch.maximum(upper[..., :columns].sum((1, 2)), upper[..., -columns:].sum((1, 2))).mean())


@pytest.mark.slow
def test_the_same_seed_makes_the_same_data():
    for one, other in zip(batches(8), batches(8), strict=True):
        torch.testing.assert_close(one.densities, other.densities, atol=1e-3, rtol=0)  # the noise of frames differs


def test_points_follow_the_density():
    density = torch.zeros(1, 10, 20)
    density[0, 3, 15] = 1
    points = points_of(density, 50)
    assert points.shape == (1, 50, 2)
    assert ((points[..., 0] * 10).long() == 3).all() and ((points[..., 1] * 20).long() == 15).all()


def test_what_moves_fast_attracts_and_what_stands_still_does_not():
    scenes = SceneDraw(pictures().gaze_points(), 4 / 3, seed=0)(64, 4 / 3, moving=True)
    even = torch.full((64, 30, 40), 1 / 1200)
    changed = with_motion(even, scenes)
    torch.testing.assert_close(changed.sum((1, 2)), torch.ones(64))
    steps = (scenes.places[:, 1:, 1, :2] - scenes.places[:, 1:, 0, :2]).norm(dim=2) * scenes.opacity[:, 1:]
    moves = steps.amax(1) > 0.05
    assert moves.any() and not moves.all()
    assert (changed[moves].amax((1, 2)) > 1.4 / 1200).all()
    torch.testing.assert_close(changed[steps.amax(1) == 0], even[steps.amax(1) == 0])

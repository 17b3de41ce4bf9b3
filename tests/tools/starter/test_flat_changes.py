"""Changes of the pictures go along with changes of their densities."""

import pytest

torch = pytest.importorskip("torch")

from data_pipelines.clips.augmentation import Augmentation  # noqa: E402
from tools.starter.flat_changes import Batch, changed, combined, cropped, normalised, recoloured, roughened  # noqa: E402

HOW = Augmentation(crop=0.5, stretch=0.2, colour=0.3)


def spots(number: int = 64) -> Batch:
    """Returns black pictures, each with a bright spot, and densities that lie on the spots."""
    torch.manual_seed(0)
    maps = torch.full((number, 56, 56), 1e-3)
    for row, (y, x) in enumerate(torch.randint(8, 40, (number, 2)).tolist()):
        maps[row, y : y + 8, x : x + 8] = 255
    return Batch(maps[:, None].expand(-1, 3, -1, -1).clone(), normalised(maps))


def peaks_agree(batch: Batch) -> "torch.Tensor":
    """Returns whether a picture is bright where its density is highest."""
    brightest = batch.pictures.mean(1).flatten(1)
    return brightest.gather(1, batch.densities.flatten(1).argmax(1, keepdim=True))[:, 0] > 0.5 * brightest.amax(1)


@pytest.mark.parametrize("change", [lambda b: cropped(b, HOW), combined, lambda b: changed(b, Augmentation())])
def test_densities_stay_with_what_they_belong_to(change):
    batch = change(spots())
    assert peaks_agree(batch).float().mean() > 0.9
    torch.testing.assert_close(batch.densities.sum((1, 2)), torch.ones(64))


def test_a_crop_enlarges_or_mirrors_and_the_whole_picture_only_mirrors():
    before = spots()
    whole = cropped(before, Augmentation(crop=0.5, whole=1.0))
    same = (whole.pictures - before.pictures).abs().amax((1, 2, 3)) < 1
    mirrored = (whole.pictures - before.pictures.flip(3)).abs().amax((1, 2, 3)) < 1
    assert (same | mirrored).all() and same.any() and mirrored.any()
    bright = [(batch.pictures[:, 0] > 128).sum((1, 2)).float().mean() for batch in (before, cropped(before, HOW))]
    assert bright[1] > 1.1 * bright[0]


def test_colours_change_and_stay_within_range():
    before = Batch(255 * torch.rand(32, 3, 8, 8), torch.full((32, 8, 8), 1 / 64))
    after = recoloured(before, 0.4)
    assert (after.pictures != before.pictures).any((1, 2, 3)).all()
    assert after.pictures.min() >= 0 and after.pictures.max() <= 255
    torch.testing.assert_close(recoloured(before, 0.0).pictures, before.pictures, atol=1e-3, rtol=0)


def test_some_pictures_are_roughened_and_most_stay():
    before = Batch(255 * torch.rand(200, 3, 56, 56), torch.full((200, 56, 56), 1 / 56**2))
    torch.manual_seed(0)
    same = (roughened(before).pictures == before.pictures).all((1, 2, 3)).float().mean()
    assert 0.55 < same < 0.9

"""The teacher's readout learns densities; what it is given at another size, or mirrored, fits."""

import pytest

torch = pytest.importorskip("torch")

from tools.starter.backbone import CHANNELS, STRIDES  # noqa: E402
from tools.starter.teacher import (  # noqa: E402
    Readout,
    Teacher,
    correlation,
    divergence,
    load_readout,
    save_readout,
    train_readout,
)

SIZE = 64, 96


class Brightness(torch.nn.Module):
    """Stands for the backbone: all features are the brightness of the picture, reduced."""

    def forward(self, pictures):
        grey = pictures.mean(1, keepdim=True) / 255
        return [
            torch.nn.functional.avg_pool2d(grey, stride).repeat(1, channels, 1, 1)
            for channels, stride in zip(CHANNELS, STRIDES, strict=True)
        ]


def pictures_and_targets(number: int = 64) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Returns pictures with a bright square each, and densities on the squares."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.zeros(number, 3, *SIZE)
    targets = torch.full((number, SIZE[0] // 8, SIZE[1] // 8), 1e-3)
    for picture in range(number):
        row, column = (int(torch.randint(length // 16, (), generator=generator)) * 16 for length in SIZE)
        pixels[picture, :, row : row + 16, column : column + 16] = 255
        targets[picture, row // 8 : row // 8 + 2, column // 8 : column // 8 + 2] = 1
    return pixels, targets / targets.sum((1, 2), keepdim=True)


def test_densities_sum_to_one():
    teacher = Teacher(Brightness(), Readout()).eval()
    densities = teacher.densities(pictures_and_targets()[0][:4])
    assert densities.shape == (4, 8, 12)
    torch.testing.assert_close(densities.sum((1, 2)), torch.ones(4))


def test_a_mirrored_picture_gets_the_mirrored_density():
    teacher = Teacher(Brightness(), Readout()).eval()
    pixels = pictures_and_targets()[0][:4]
    torch.testing.assert_close(teacher.densities(pixels.flip(3)), teacher.densities(pixels).flip(2))


@pytest.mark.slow
def test_it_learns_where_people_look():
    pixels, targets = pictures_and_targets()
    features = Brightness()(pixels)
    readout = train_readout(features, targets, epochs=30, batch=16)
    densities = Teacher(Brightness(), readout).densities(pixels)
    assert correlation(densities.log(), targets).mean() > 0.8
    assert divergence(densities.log(), targets) < 1


def test_a_saved_readout_is_read_back(tmp_path):
    pixels, targets = pictures_and_targets(16)
    readout = train_readout(Brightness()(pixels), targets, epochs=1)
    save_readout(readout, tmp_path / "teacher.npz")
    with torch.inference_mode():
        one, other = (r(Brightness()(pixels), (8, 12)) for r in (readout, load_readout(tmp_path / "teacher.npz")))
    assert torch.equal(one, other)


def test_scores_of_the_target_itself_are_perfect():
    targets = pictures_and_targets()[1]
    torch.testing.assert_close(correlation(targets.log(), targets), torch.ones(len(targets)))
    assert divergence(targets.log(), targets).abs() < 1e-6

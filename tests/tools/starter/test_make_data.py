"""What is written is a database that the project prepares and trains on."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from starter_stubs import LooksAtBrightness, pictures  # noqa: E402

from data_pipelines.raw.fold_lists import read_films  # noqa: E402
from data_pipelines.raw.layout import RawLayout, read_density, read_fixations, read_frame  # noqa: E402
from tools.starter.make_data import write_database  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize(("moving", "frames"), [(False, 1), (True, 16)])
def test_made_scenes_are_listed_for_training_with_frames_and_maps(tmp_path, moving, frames):
    write_database(tmp_path, "Made", pictures(), LooksAtBrightness(), 3, seed=0, moving=moving)
    layout = RawLayout(tmp_path)
    films = read_films(layout, "train", 1, ["Made"])
    assert [(film.name, film.num_frames) for film in films] == [(f"{n:06d}", frames) for n in (1, 2, 3)]
    for number in {1, frames}:
        place = "Made", "000002", number
        assert read_frame(layout.frame_path(*place)).shape == (240, 320, 3)
        density, fixations = read_density(layout.density_path(*place)), read_fixations(layout.fixation_path(*place))
        assert density.shape == fixations.shape == (240, 320)
        assert density.max() > 250 and 50 < np.sum(fixations > 0) <= 100


def test_a_database_of_the_same_name_is_replaced(tmp_path):
    for number in (3, 2):
        write_database(tmp_path, "Made", pictures(), LooksAtBrightness(), number, seed=0, moving=False)
    assert RawLayout(tmp_path).videos("Made") == ["000001", "000002"]

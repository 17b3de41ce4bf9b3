import numpy as np
import pytest
from PIL import Image

from data_pipelines.raw.layout import RawLayout
from data_pipelines.runtime.errors import UserError
from stavis_jax.reports.example_frames import film_frames, middle_frames
from stavis_jax.scoring.protocol import PredictedVideo


@pytest.fixture
def layout(tmp_path):
    path = tmp_path / "video_frames/db/film/img_00009.jpg"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (40, 30), (200, 0, 0)).save(path)
    path.with_name("img_00010.jpg").write_bytes(b"not a picture")
    return RawLayout(tmp_path)


def test_frames_are_read_and_missing_or_damaged_ones_are_none(layout):
    read = film_frames(layout.root)
    assert read("db", "film", 9).shape == (30, 40, 3)
    assert read("db", "film", 10) is None and read("db", "film", 11) is None


def test_folder_that_holds_no_data_is_an_error(tmp_path):
    with pytest.raises(UserError, match="has no folder video_frames"):
        film_frames(tmp_path)


def test_middle_frames_have_a_column_a_method_and_leave_out_what_has_no_picture(layout, pictures):
    def video(name, num_frames, level):
        return PredictedVideo("db", 1, name, num_frames, dict.fromkeys(range(9, 30), np.full((2, 2), level)))

    predictions = {
        method: [video("film", 18, level), video("film", 22, level)] for method, level in (("a", 1), ("b", 2))
    }
    columns = middle_frames(film_frames(layout.root), pictures.annotations, predictions, 5)
    assert list(columns) == ["frame", "ground truth", "a", "b"]
    assert [len(column) for column in columns.values()] == [1] * 4  # frame 11 of the second is missing
    assert (columns["a"][0] == 1).all() and (columns["b"][0] == 2).all()

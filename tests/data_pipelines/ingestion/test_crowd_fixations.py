"""The films, fixations and saliency films of AViMoS, NTIRE 2026 and CrowdSAL become raw data."""

import json

import made_benchmarks
import numpy as np
import pytest
from ingested import NUM_FRAMES, SIZE, fixations
from PIL import Image

from data_pipelines.ingestion.crowd_fixations import read_fixation_file
from data_pipelines.raw.layout import RawLayout, read_density
from data_pipelines.runtime.errors import UserError

WIDTH, HEIGHT = SIZE
POINTS = [[[5, 11 + frame], [20, 50], [20, 50]] for frame in range(NUM_FRAMES)]  # row, column; one pixel twice
WANTED = [[(11 + frame, 5), (50, 20)] for frame in range(NUM_FRAMES)]
PLACES = {  # fixations, saliency film
    "avimos": ("FixationsTrain/Train/one/fixations.json", "SaliencyTrain/Train/one.mp4"),
    "crowdsal": ("Train/Fixations/one.json", "Train/Saliency/one.mp4"),
}


def write(path, points):
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(points))


@pytest.fixture
def maps() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([made_benchmarks.density_map(rng, (HEIGHT, WIDTH)) for _ in range(NUM_FRAMES)])


@pytest.mark.parametrize("layout", PLACES)
def test_fixations_and_saliency_film_are_taken_as_given(add, films, tmp_path, maps, layout):
    places = [tmp_path / "data" / place for place in PLACES[layout]]
    write(places[0], POINTS)
    made_benchmarks.write_grey_film(places[1], maps)
    (places[0].parent / "fixations").mkdir()  # pictures, which lose fixations that share a pixel
    Image.fromarray(np.full((HEIGHT, WIDTH), 255, np.uint8)).save(places[0].parent / "fixations/001.png")
    (tmp_path / "data/VideoInfo.json").write_text('{"one": {"license": "CC-BY"}}')
    said = add(films, tmp_path / "data")
    assert "AViMoS, CrowdSAL: pixels of the film, frames from 1" in said and "sigma" not in said
    assert fixations(tmp_path, "one") == WANTED
    raw = RawLayout(tmp_path / "raw")
    for number, given in enumerate(maps, start=1):
        found = read_density(raw.density_path("D", "one", number))
        assert np.abs(found.astype(int) - given).max() < 12  # JPEG, and the levels of a film


def test_density_is_made_from_the_fixations_without_a_saliency_film(add, films, tmp_path):
    write(tmp_path / "data/FixationsTrain/Train/one/fixations.json", POINTS)
    assert "sigma: 1.6 pixels" in add(films, tmp_path / "data")
    raw = RawLayout(tmp_path / "raw")
    density = read_density(raw.density_path("D", "one", 1))
    assert density.argmax() in (5 * WIDTH + 11, 20 * WIDTH + 50)


def test_film_whose_saliency_film_has_another_length_is_left_out(add, films, tmp_path, maps, caplog):
    for name, count in (("one", NUM_FRAMES), ("two", NUM_FRAMES - 1)):
        write(tmp_path / f"data/FixationsTrain/Train/{name}/fixations.json", POINTS)
        made_benchmarks.write_grey_film(tmp_path / f"data/SaliencyTrain/Train/{name}.mp4", maps[:count])
    add(films, tmp_path / "data")
    assert f"two has a saliency film of {NUM_FRAMES - 1} frames for {NUM_FRAMES} frames" in caplog.text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[[[1, 2]], [[3]]]", "frame 2: is not a list of pairs"),
        ("[[[1, 2.5]]]", "frame 1: is not a list of pairs"),
        ('[[["a", 2]]]', "frame 1: is not a list of pairs"),
        ("[[[1, 2]], null]", "frame 2: is not a list of pairs"),
        ('{"1": []}', "is not a list of frames"),
        ("[[[1, 2]", "no JSON"),
    ],
)
def test_other_content_names_the_file_and_the_frame(tmp_path, content, fault):
    path = tmp_path / "fixations.json"
    path.write_text(content)
    with pytest.raises(UserError, match=fault) as error:
        read_fixation_file(path)
    assert str(path) in str(error.value)

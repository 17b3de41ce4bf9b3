"""Submissions are read back: folders, names, sizes, numbers of frames and maps."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import made_benchmarks
import made_films
import numpy as np
import pytest
from PIL import Image

from data_pipelines.films.film_maps import FilmMaps
from stavis_jax import submission
from stavis_jax.outputs.many_films import output_folders

NUM_FRAMES = 7
WIDTH, HEIGHT = 64, 36


@pytest.fixture
def maps() -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.stack([made_benchmarks.density_map(rng, (HEIGHT, WIDTH)) for _ in range(NUM_FRAMES)])


def write_film(path: Path, times_ms: list[int] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [np.full((HEIGHT, WIDTH, 3), 30 * number, np.uint8) for number in range(NUM_FRAMES)]
    times_ms = times_ms or [round(1000 * number / 30) for number in range(NUM_FRAMES)]
    return made_films.write_film(path, pictures, [], times_ms=times_ms, container="matroska")


def write_maps(folder: Path, maps: np.ndarray, first: int = 1) -> None:
    folder.mkdir(parents=True)
    for number, saliency in enumerate(maps, start=first):
        Image.fromarray(saliency).save(folder / f"{number:06d}.png")


def pack(tmp_path, benchmark, *films):
    given = films or [tmp_path / "films"]
    output = ["--benchmark", benchmark, "--output", tmp_path / "packed"]
    submission.main([str(word) for word in (tmp_path / "saliency", "--films", *given, *output)])
    return sorted(path.relative_to(tmp_path / "packed").as_posix() for path in (tmp_path / "packed").rglob("*.*"))


def test_dhf1k_has_a_folder_of_four_digits_with_a_picture_for_each_frame(tmp_path, maps, capsys):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps)
    found = pack(tmp_path, "dhf1k")
    assert found == [f"0701/{number:04d}.png" for number in range(1, NUM_FRAMES + 1)]
    for name, expected in zip(found, maps, strict=True):
        with Image.open(tmp_path / "packed" / name) as picture:
            assert picture.mode == "L" and np.array_equal(np.asarray(picture), expected)
    assert f"1 films, {NUM_FRAMES} maps for dhf1k" in capsys.readouterr().out


def test_maps_of_the_networks_size_get_that_of_the_film(tmp_path, maps):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps[:, :32, :32])
    pack(tmp_path, "dhf1k")
    with Image.open(tmp_path / "packed/0701/0001.png") as picture:
        assert picture.size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("benchmark", ["hollywood2", "ucf-sports", "dhf1k"])
def test_maps_of_published_frames_take_their_names(tmp_path, maps, benchmark):
    folder = tmp_path / "films/Diving-Side-001/images"
    folder.mkdir(parents=True)
    names = [f"Diving-Side_001_{number:03d}" for number in range(23, 23 + NUM_FRAMES)]
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{name}.png")
    write_maps(tmp_path / "saliency/Diving-Side-001", maps)
    assert pack(tmp_path, benchmark) == [f"Diving-Side-001/{name}.png" for name in names]


@pytest.mark.parametrize("benchmark", ["avimos", "ntire2026", "crowdsal"])
def test_challenge_has_a_film_of_the_same_name_size_rate_and_length(tmp_path, maps, benchmark):
    # The film's times are uneven. FFmpeg, which the benchmark uses, would repeat and drop frames of such a film.
    write_film(tmp_path / "films/clip_1.mkv", times_ms=[0, 33, 67, 100, 250, 267, 300])
    write_maps(tmp_path / "saliency/clip_1/maps", maps)
    assert pack(tmp_path, benchmark) == ["clip_1.mp4"]
    found = FilmMaps(tmp_path / "packed/clip_1.mp4")
    assert len(found) == NUM_FRAMES and found.shape == (HEIGHT, WIDTH)
    for number, expected in enumerate(maps, start=1):
        assert np.corrcoef(found[number].ravel(), expected.ravel())[0, 1] > 0.995
    with av.open(str(tmp_path / "packed/clip_1.mp4")) as film:
        times = [frame.pts * frame.time_base for frame in film.decode(video=0)]
        assert len(film.streams) == 1  # no sound
    assert len({after - before for before, after in pairwise(times)}) == 1
    assert times[0] == Fraction(0)


def test_missing_frame_names_the_folder_and_leaves_nothing(tmp_path, maps):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps[:-1])
    with pytest.raises(SystemExit, match=r"1 of 7 frames of 701.mkv have no map; first: frame 7"):
        pack(tmp_path, "dhf1k")
    assert not (tmp_path / "packed").exists()


def test_maps_named_as_the_original_are_a_clear_error(tmp_path, maps):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps, first=9)
    with pytest.raises(SystemExit, match="first: frame 1. Predict the whole film, with --naming frames"):
        pack(tmp_path, "dhf1k")


def test_too_many_maps_are_an_error(tmp_path, maps):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", np.concatenate([maps, maps[:1]]))
    with pytest.raises(SystemExit, match="holds 8 maps, but 701.mkv has 7 frames"):
        pack(tmp_path, "dhf1k")


def test_film_without_maps_is_named(tmp_path, maps):
    for name in ("701", "702"):
        write_film(tmp_path / f"films/{name}.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps)
    with pytest.raises(SystemExit, match="1 of 2 films have no folder of maps; first: 702"):
        pack(tmp_path, "dhf1k")


def test_output_that_exists_is_not_replaced(tmp_path, maps):
    write_film(tmp_path / "films/701.mkv")
    write_maps(tmp_path / "saliency/701/maps", maps)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match="exists already"):
        pack(tmp_path, "dhf1k")
    assert (tmp_path / "packed/notes.txt").read_text() == "mine"


def test_hollywood_maps_need_the_names_of_frames(tmp_path, maps):
    write_film(tmp_path / "films/actioncliptest00001.mkv")
    write_maps(tmp_path / "saliency/actioncliptest00001", maps)
    with pytest.raises(SystemExit, match=r"Give the folder <film>/images"):
        pack(tmp_path, "hollywood2")


def test_published_folders_of_frames_are_predicted_under_the_names_of_their_films(tmp_path):
    films = [tmp_path / name / "images" for name in ("one", "two")]
    for film in films:
        film.mkdir(parents=True)
    assert [folder for _, folder in output_folders(films, tmp_path)] == [tmp_path / "one", tmp_path / "two"]
    assert output_folders(films[:1], tmp_path) == [(films[0], tmp_path / "images")]

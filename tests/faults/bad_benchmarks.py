"""Annotations in a benchmark's own layout that are damaged, and maps that make no submission."""

import shutil
from collections.abc import Sequence

from bad_input import BadInput, Place
from PIL import Image

POINTS = "[" + ", ".join(["[[3, 4], [20, 60]]"] * 6) + "]"


def _crowd(place: Place, fixations: str, damaged: bool = False) -> list[object]:
    """Returns the flags that score maps against a film of AViMoS, whose pictures are 64x48."""
    place.file("data/FixationsTest/Test/film/fixations.json", fixations)
    film = place.supplies.film.read_bytes()
    place.file("data/SaliencyTest/Test/film.mp4", film[: len(film) // 3] if damaged else film)
    flags = ["--predictions", place.supplies.maps_of_film, "--data", place.folder / "data", "--output", place.output]
    return [*flags, "--protocol", "avimos", "--workers", 1]


def _maps_only(place: Place) -> Sequence[object]:
    folder = place.folder / "data/0601/maps"
    folder.mkdir(parents=True)
    Image.new("L", (64, 48)).save(folder / "0001.png")
    flags = ["--predictions", place.supplies.maps_of_film, "--data", place.folder / "data", "--output", place.output]
    return [*flags, "--protocol", "dhf1k"]


def _pack(place: Place, maps: object, benchmark: str = "dhf1k") -> list[object]:
    return [maps, "--films", place.supplies.film, "--benchmark", benchmark, "--output", place.output]


def _without_last(place: Place) -> Sequence[object]:
    maps = place.copy("maps_of_film")
    (maps / "film/maps/000006.png").unlink()
    return _pack(place, maps)


def _one_too_many(place: Place) -> Sequence[object]:
    maps = place.copy("maps_of_film")
    shutil.copy(maps / "film/maps/000006.png", maps / "film/maps/000007.png")
    return _pack(place, maps)


def _damaged_map(place: Place) -> Sequence[object]:
    maps = place.copy("maps_of_film")
    (maps / "film/maps/000004.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return _pack(place, maps, "avimos")


ROWS = [
    BadInput("fixations that are no JSON", "evaluate", lambda place: _crowd(place, "[[[3, 4]"), "no JSON"),
    BadInput(
        "fixations that are no list", "evaluate", lambda place: _crowd(place, '{"1": []}'), "not a list of frames"
    ),
    BadInput(
        "a fixation of three numbers",
        "evaluate",
        lambda place: _crowd(place, POINTS.replace("[3, 4]", "[3, 4, 5]", 1)),
        "frame 1: is not a list of pairs",
    ),
    BadInput(
        "a fixation with the column first",
        "evaluate",
        lambda place: _crowd(place, POINTS.replace("[20, 60]", "[60, 20]", 1)),
        "row 60, column 20 is outside the saliency film of 64x48",
    ),
    BadInput("a saliency film cut short", "evaluate", lambda place: _crowd(place, POINTS, damaged=True), "film.mp4"),
    BadInput("published maps without fixations", "evaluate", _maps_only, "has no fixation maps"),
    BadInput("no folder of maps", "submission", lambda place: _pack(place, place.folder / "none"), "no such folder"),
    BadInput(
        "maps of another film",
        "submission",
        lambda place: _pack(place, place.supplies.maps),
        "1 of 1 films have no folder of maps; first: film",
    ),
    BadInput("a frame without a map", "submission", _without_last, "first: frame 6"),
    BadInput("a map more than frames", "submission", _one_too_many, "holds 7 maps, but film.mp4 has 6 frames"),
    BadInput("a damaged map", "submission", _damaged_map, "000004.png: not a readable picture"),
    BadInput(
        "a film where names of frames are needed",
        "submission",
        lambda place: _pack(place, place.supplies.maps_of_film, "hollywood2"),
        "Give the folder <film>/images",
    ),
]

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from made_models import Brightness
from PIL import Image

from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.regions import Region, Regions
from stavis_jax.outputs.options import OutputOptions, PredictionOptions
from stavis_jax.outputs.region_attention import region_attention, region_tables
from stavis_jax.outputs.write import write_predictions

FILM = SimpleNamespace(width=160, height=80, frame_rate_hz=25.0, name="film")
LEFT, RIGHT = (0.0, 0.0, 80.0, 80.0), (80.0, 0.0, 80.0, 80.0)


def regions(*given: Region) -> Regions:
    return Regions("boxes.json", "pixels", given)


def rows_of(path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def spot(column: int) -> np.ndarray:
    """A map with all attention in one pixel of its 8x8."""
    saliency = np.zeros((8, 8), np.float32)
    saliency[3, column] = 1
    return saliency


def test_attention_to_a_quarter_of_the_picture():
    mass = np.full((8, 8), 0.5 / 64)
    mass[1, 1] += 0.5
    found = region_attention(mass, (0, 0, 0.5, 0.5))
    assert found == (pytest.approx(0.5 + 0.125), pytest.approx(2.5), True)
    assert region_attention(mass, (0.5, 0, 0.5, 0.5)) == (pytest.approx(0.125), pytest.approx(0.5), False)


def test_tables_tell_when_attention_moves_from_one_region_to_the_other(tmp_path, feed, predicted):
    maps = [spot(1)] * 10 + [spot(6)] * 30
    given = regions(Region("left", (0.0,), (LEFT,)), Region("right", (0.0,), (RIGHT,)))
    feed(region_tables, tmp_path / "regions", FILM, predicted(maps), regions=given)
    rows = rows_of(tmp_path / "regions" / "regions.csv")
    assert [row["region"] for row in rows] == ["left", "right"] * 40
    right = [row for row in rows if row["region"] == "right"]
    assert [int(row["frame"]) for row in right] == list(range(1, 41))
    assert [float(row["share"]) for row in right] == [0.0] * 10 + [1.0] * 30
    assert [float(row["share_over_area"]) for row in right] == [0.0] * 10 + [2.0] * 30
    assert [row["holds_maximum"] for row in right] == ["0"] * 10 + ["1"] * 30
    one, other = rows_of(tmp_path / "regions" / "summary.csv")
    assert (one["region"], one["fixation_share"], float(one["first_look_seconds"])) == ("left", "0.2500", 0)
    assert (other["region"], other["fixation_share"]) == ("right", "0.7500")
    assert float(other["first_look_seconds"]) == pytest.approx(10 / 25) and float(other["mean_share"]) == 0.75
    with Image.open(tmp_path / "regions" / "regions.png") as picture:
        picture.load()


def test_a_moving_region_follows_what_moves_and_a_fixed_one_loses_it(tmp_path, feed, predicted):
    keyframes = ((0.0, 0.0, 20.0, 80.0), (140.0, 0.0, 20.0, 80.0))
    given = regions(Region("moving", (0.0, 7 / 25), keyframes), Region("fixed", (0.0,), keyframes[:1]))
    feed(region_tables, tmp_path / "regions", FILM, predicted(map(spot, range(8))), regions=given)
    moving, fixed = rows_of(tmp_path / "regions" / "summary.csv")
    assert (moving["mean_share"], moving["fixation_share"]) == ("1.000000", "1.0000")
    assert (fixed["mean_share"], fixed["fixation_share"]) == ("0.125000", "0.1250")


def test_a_region_has_rows_only_while_it_is_part_of_the_film(tmp_path, feed, predicted):
    given = regions(
        Region("late", (0.0,), (LEFT,), first_second=0.16), Region("never", (0.0,), (LEFT,), first_second=9.0)
    )
    feed(region_tables, tmp_path / "regions", FILM, predicted([spot(1)] * 8), regions=given)
    rows = rows_of(tmp_path / "regions" / "regions.csv")
    assert [(row["region"], int(row["frame"])) for row in rows] == [("late", number) for number in (5, 6, 7, 8)]
    late, never = rows_of(tmp_path / "regions" / "summary.csv")
    assert late["num_frames"] == "4" and float(late["first_look_seconds"]) == pytest.approx(0.16)
    assert (never["num_frames"], never["mean_share"], never["first_look_seconds"]) == ("0", "", "")


def test_a_region_that_is_never_part_of_the_film_is_a_warning(tmp_path, feed, predicted, caplog):
    given = regions(Region("left", (0.0,), (LEFT,)), Region("late", (0.0,), (RIGHT,), 60.0, 90.0))
    feed(region_tables, tmp_path / "regions", FILM, predicted([spot(1)] * 5), regions=given)
    assert caplog.messages == ["boxes.json: region 'late' is never part of film. Check 'from'."]
    assert rows_of(tmp_path / "regions" / "summary.csv")[1]["mean_share"] == ""


def test_other_regions_are_other_settings(tmp_path, write_film):
    film = write_film(tmp_path / "film.mkv", [0, 40], (80, 160))

    def write(box) -> int | None:
        options = OutputOptions(regions=regions(Region("a", (0.0,), (box,))))
        return write_predictions(film, tmp_path / "out", Brightness(), PredictionOptions(("regions",), options))

    assert (write(LEFT), write(LEFT)) == (2, None)
    with pytest.raises(UserError, match="predicted with other settings .regions: "):
        write(RIGHT)
    with pytest.raises(UserError, match="boxes.json: region 'a': the box .* is not within the film of 160x80"):
        write((100.0, 0.0, 80.0, 80.0))

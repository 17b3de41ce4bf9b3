import json
import math

import pytest

from data_pipelines.runtime.errors import UserError
from stavis_jax.maps.regions import read_regions

BOX = [10, 20, 30, 40]


@pytest.fixture
def write(tmp_path):
    def write_json(content):
        path = tmp_path / "boxes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write_json


def given(region, unit="pixels"):
    return {"unit": unit, "regions": {"logo": region}}


def test_box_moves_linearly_between_keyframes_and_stands_still_beyond_them(write):
    keyframes = [{"seconds": 1, "box": [0, 0, 10, 10]}, {"seconds": 3, "box": [20, 40, 10, 30]}]
    (region,) = read_regions(write(given({"keyframes": keyframes}))).regions
    assert region.box_at(0) == region.box_at(1) == (0, 0, 10, 10)
    assert region.box_at(1.5) == (5, 10, 10, 15)
    assert region.box_at(3) == region.box_at(99) == (20, 40, 10, 30)


def test_region_is_part_of_the_film_from_its_first_second_until_its_end(write):
    (region,) = read_regions(write(given({"box": BOX, "from": 1, "until": 2}))).regions
    assert [region.box_at(seconds) is not None for seconds in (0.9, 1, 1.9, 2)] == [False, True, True, False]
    (always,) = read_regions(write(given({"box": BOX}))).regions
    assert always.box_at(1e9) == tuple(BOX) and always.end_second == math.inf


def test_pixels_become_shares_of_the_film_and_shares_stay(write):
    pixels = read_regions(write(given({"box": BOX}))).in_shares((100, 200))
    shares = read_regions(write(given({"box": [0.1, 0.1, 0.3, 0.2]}, "share"))).in_shares((640, 480))
    assert pixels[0].boxes[0] == pytest.approx((0.1, 0.1, 0.3, 0.2)) == shares[0].boxes[0]


@pytest.mark.parametrize("box", [[80, 0, 30, 10], [0, 190, 10, 20], [-1, 0, 10, 10]])
def test_box_that_leaves_the_film_is_refused_with_its_region_and_the_films_size(write, box):
    regions = read_regions(write(given({"box": box})))
    with pytest.raises(UserError, match=r"boxes.json: region 'logo': the box .* is not within the film of 100x200"):
        regions.in_shares((100, 200))


def test_shares_that_are_given_as_pixels_are_refused(write):
    """A box of less than one pixel measures next to nothing."""
    regions = read_regions(write(given({"box": [0.5, 0.25, 0.5, 0.5]})))
    with pytest.raises(UserError, match=r"region 'logo': the box .* is within one pixel. .*set 'unit' to 'share'"):
        regions.in_shares((100, 200))
    assert read_regions(write(given({"box": [0, 0, 1.5, 1]}))).in_shares((100, 200))


def test_digest_is_of_the_content_and_not_of_the_path(write, tmp_path):
    one = read_regions(write(given({"box": BOX})))
    (tmp_path / "other.json").write_text(json.dumps(given({"box": BOX})))
    assert read_regions(tmp_path / "other.json").digest() == one.digest()
    assert read_regions(write(given({"box": [10, 20, 30, 41]}))).digest() != one.digest()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged"),
        (
            '{"unit": "pixels", "regions": {"a": {"box": [0, 0, 9, 9]}, "a": {"box": [9, 9, 9, 9]}}}',
            "'a' is given twice",
        ),
        ({"unit": "pixels", "regions": {"two\nlines": {"box": BOX}}}, "and no line break"),
        ({"unit": "pixels", "regions": {"\ud800": {"box": BOX}}}, "printable characters"),
        ({"unit": "pixels", "regions": {"x" * 101: {"box": BOX}}}, "at most 100 printable characters"),
        ([], "expected an object, found list"),
        ({"regions": {}}, "has no 'unit'"),
        ({"unit": "pixels"}, "has no 'regions'"),
        ({"unit": "pixels", "regions": {}}, "with at least one name"),
        ({"unit": "pixels", "regions": [BOX]}, "an object of names"),
        ({**given({"box": BOX}), "units": 1}, "'units' is not known. It may have regions, unit"),
        (given({"box": BOX}, "percent"), "unit 'percent' is not known: give pixels or share"),
        (given(BOX), "region 'logo': must be an object with 'box' or 'keyframes'"),
        (given({}), "must have either 'box' or 'keyframes'"),
        (given({"box": BOX, "keyframes": []}), "must have either"),
        (given({"box": BOX, "form": 1}), "region 'logo': 'form' is not known. It may have box, from, keyframes, until"),
        (given({"box": [1, 2, 3]}), "four numbers"),
        (given({"box": [1, 2, 3, "4"]}), "four numbers"),
        (given({"box": [1, 2, 3, math.nan]}), "four numbers"),
        (given({"box": [1, 2, 0, 4]}), "has no area"),
        (given({"box": BOX, "from": -1}), "'from' must be a time in seconds"),
        (given({"box": BOX, "from": 2, "until": 2}), "'until' 2 is not after 'from' 2"),
        (given({"keyframes": []}), "at least one keyframe"),
        (given({"keyframes": [{"box": BOX}]}), "region 'logo', keyframe 1: has no 'seconds'"),
        (given({"keyframes": [{"seconds": 1}]}), "keyframe 1: has no 'box'"),
        (given({"keyframes": [{"seconds": 1, "box": BOX, "x": 1}]}), "keyframe 1: 'x' is not known"),
        (given({"keyframes": [{"seconds": s, "box": BOX} for s in (2, 1)]}), "keyframe 2: 1 s is not after 2 s"),
        (given({"keyframes": [{"seconds": "0:01", "box": BOX}]}), "keyframe 1: 'seconds' must be a time"),
    ],
)
def test_wrong_file_is_one_line_that_names_the_place(write, content, says):
    with pytest.raises(UserError) as raised:
        read_regions(write(content))
    assert str(raised.value).startswith(str(write(content))) and says in str(raised.value)
    assert str(raised.value).endswith("docs/regions.md shows the format.")

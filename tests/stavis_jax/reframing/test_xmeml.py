import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_plans import plan_of_places

from stavis_jax.reframing.xmeml import FilmFacts, center, frame_numbers, keyframes, write_xmeml

FILM = FilmFacts(Path("/films/my film é.mp4"), "my film é", Fraction(25), True)


@pytest.fixture
def sequence(tmp_path) -> ET.Element:
    made = plan_of_places(
        [*np.linspace(0, 60, 12), *np.full(4, 7.0), *[20.0] * 8], [(0, 12, 0), (12, 16, 1), (16, 24, 0)]
    )
    write_xmeml(tmp_path / "9x16.xml", made, FILM)
    text = (tmp_path / "9x16.xml").read_text(encoding="utf-8")
    assert "<!DOCTYPE xmeml>" in text
    root = ET.fromstring(text)
    assert (root.tag, root.get("version")) == ("xmeml", "4")
    return root.find("sequence")


def test_sequence_has_the_reframed_size_and_a_clip_for_each_shot(sequence):
    size = sequence.find("media/video/format/samplecharacteristics")
    assert (size.findtext("width"), size.findtext("height")) == ("50", "90")
    clips = sequence.findall("media/video/track/clipitem")
    spans = [tuple(int(clip.findtext(name)) for name in ("start", "end", "in", "out")) for clip in clips]
    assert spans == [(0, 12, 0, 12), (12, 16, 12, 16), (16, 24, 16, 24)]
    assert {clip.find("file").get("id") for clip in clips} == {"file-1"}
    assert clips[0].findtext("file/pathurl") == "file://localhost/films/my%20film%20%C3%A9.mp4"
    assert len(sequence.findall("media/audio/track/clipitem")) == 1


def test_moving_shots_have_keyframes_and_padded_ones_are_scaled(sequence):
    moving, padded, still = (clip.find("filter/effect") for clip in sequence.findall("media/video/track/clipitem"))
    whens = [int(node.text) for node in moving.iter("when")]
    assert whens[0] == 0 and whens[-1] == 11 and len(whens) == 2  # a straight line
    first, last = (float(node.text) for node in list(moving.iter("horiz"))[-2:])
    assert first == pytest.approx((80 - 25) / 160) and last == pytest.approx((80 - 85) / 160)
    assert [node.text for node in padded.iter("value") if node.text and node.text.strip()] == ["31.250"]
    assert not list(padded.iter("when")) and not list(still.iter("when"))


def test_center_moves_the_film_against_the_crop():
    assert center(plan_of_places([55.0]), 0) == (0, 0)
    assert center(plan_of_places([110.0]), 0)[0] < 0


def test_keyframes_keep_the_path_within_the_tolerance():
    values = np.cumsum(np.random.default_rng(0).normal(0, 1, 300))
    chosen = keyframes(values, 2.0)
    assert np.abs(np.interp(np.arange(300), chosen, values[chosen]) - values).max() <= 2
    assert 2 < len(chosen) < 150 and chosen[0] == 0 and chosen[-1] == 299


def test_frame_numbers_rise_for_uneven_times_and_ntsc_rates():
    made = plan_of_places([0.0] * 5)
    made.seconds[:] = [0, 0.01, 0.02, 0.5, 0.54]
    assert frame_numbers(made, Fraction(25)) == [0, 1, 2, 12, 14, 15]
    assert frame_numbers(plan_of_places([0.0] * 3), Fraction(30000, 1001)) == [0, 1, 2, 4]


def test_any_name_of_a_file_gives_a_file_that_can_be_read(tmp_path):
    film = FilmFacts(Path("/films/a\udcff\x01 & <b>.mp4"), "a\udcff\x01 & <b>", Fraction(30000, 1001), False)
    write_xmeml(tmp_path / "9x16.xml", plan_of_places([1.0, 1.0]), film)
    root = ET.parse(tmp_path / "9x16.xml")
    assert root.findtext(".//pathurl").endswith("/a%FF%01%20%26%20%3Cb%3E.mp4")
    assert "& <b>" in root.findtext(".//clipitem/name")
    assert (root.findtext(".//rate/timebase"), root.findtext(".//rate/ntsc")) == ("30", "TRUE")
    assert root.find(".//media/audio") is None

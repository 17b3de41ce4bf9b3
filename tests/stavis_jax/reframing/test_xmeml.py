import dataclasses
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_plans import plan_of_places

from data_pipelines.films.sound_place import SoundPlace
from stavis_jax.reframing.xmeml import FilmFacts, center, frame_numbers, keyframes, stated_rate, write_xmeml

PATH = Path("/films/my film é.mp4")
FILM = FilmFacts(PATH, "my film é", Fraction(25), SoundPlace(PATH, Fraction(0), Fraction(1), ("aac",)))


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
    times = np.cumsum(np.random.default_rng(1).integers(1, 5, 300))  # uneven, as editors interpolate in time
    chosen = keyframes(values, times.tolist(), 2.0)
    assert np.abs(np.interp(times, times[chosen], values[chosen]) - values).max() <= 2
    assert 2 < len(chosen) < 150 and chosen[0] == 0 and chosen[-1] == 299


def test_frame_numbers_follow_uneven_times_and_ntsc_rates():
    made = plan_of_places([0.0] * 5)
    made.seconds[:] = [0, 0.01, 0.02, 0.5, 0.54]
    made = dataclasses.replace(made, shots=[dataclasses.replace(made.shots[0], end_seconds=0.58)])
    assert frame_numbers(made, Fraction(25)) == [0, 0, 0, 12, 13, 14]
    assert frame_numbers(plan_of_places([0.0] * 3), Fraction(30000, 1001)) == [0, 1, 2, 4]


def test_any_name_of_a_file_gives_a_file_that_can_be_read(tmp_path):
    film = FilmFacts(Path("/films/a\udcff\x01 & <b>.mp4"), "a\udcff\x01 & <b>", Fraction(30000, 1001), None)
    write_xmeml(tmp_path / "9x16.xml", plan_of_places([1.0, 1.0]), film)
    root = ET.parse(tmp_path / "9x16.xml")
    assert root.findtext(".//pathurl").endswith("/a%FF%01%20%26%20%3Cb%3E.mp4")
    assert "& <b>" in root.findtext(".//clipitem/name")
    assert (root.findtext(".//rate/timebase"), root.findtext(".//rate/ntsc")) == ("30", "TRUE")
    assert root.find(".//media/audio") is None


@pytest.mark.parametrize(
    ("rate_hz", "stated", "is_ntsc"),
    [(Fraction(2987, 100), 30, "FALSE"), (Fraction(25, 2), 12, "FALSE"), (Fraction(24000, 1001), 24, "TRUE")],
)
def test_clips_last_as_long_as_their_shots_at_the_rate_that_is_stated(rate_hz, stated, is_ntsc, tmp_path):
    """Phones have mean rates such as 29.87 Hz, which XMEML cannot state."""
    made = plan_of_places([0.0] * 3000, [(0, 1000, 0), (1000, 3000, 0)])  # two minutes
    write_xmeml(tmp_path / "9x16.xml", made, dataclasses.replace(FILM, frame_rate_hz=rate_hz))
    root = ET.parse(tmp_path / "9x16.xml")
    assert (root.findtext(".//rate/timebase"), root.findtext(".//rate/ntsc")) == (str(stated), is_ntsc)
    hz = float(stated_rate(rate_hz).hz)
    spans = [
        (int(clip.findtext("start")) / hz, int(clip.findtext("end")) / hz) for clip in root.findall(".//track/clipitem")
    ]
    assert spans == [pytest.approx(span, abs=0.5 / hz) for span in ((0, 40), (40, 120), (0, 120))]


def test_shots_shorter_than_a_frame_of_the_sequence_have_a_frame_each():
    made = plan_of_places([0.0] * 4, [(0, 1, 0), (1, 2, 0), (2, 4, 0)])
    assert frame_numbers(made, Fraction(5)) == [0, 1, 2, 2, 3]


def test_sequences_of_films_with_wide_pixels_have_square_ones(tmp_path):
    made = dataclasses.replace(plan_of_places([1.0, 1.0]), pixel_aspect=Fraction(16, 11))
    write_xmeml(tmp_path / "9x16.xml", made, FILM)
    root = ET.parse(tmp_path / "9x16.xml")
    sequence, film = (root.find(f".//{place}//samplecharacteristics") for place in ("format", "file"))
    assert [sequence.findtext(name) for name in ("width", "height", "pixelaspectratio")] == ["72", "90", "square"]
    assert [film.findtext(name) for name in ("width", "height", "pixelaspectratio")] == ["160", "90", None]


@pytest.mark.parametrize(
    ("lead", "length", "span"),
    [
        (0, 10, (0, 24, 0, 24)),
        (2, 10, (0, 24, 50, 74)),
        (Fraction(-1, 5), 10, (5, 24, 0, 19)),
        (0, Fraction(2, 5), (0, 10, 0, 10)),
    ],
)
def test_sound_of_another_file_begins_with_the_film(lead, length, span, tmp_path):
    sound = SoundPlace(Path("/films/sound.wav"), Fraction(lead), Fraction(length), ("pcm_s16le",))
    write_xmeml(tmp_path / "9x16.xml", plan_of_places([1.0] * 24), dataclasses.replace(FILM, sound=sound))
    root = ET.parse(tmp_path / "9x16.xml")
    clip = root.find(".//audio/track/clipitem")
    assert tuple(int(clip.findtext(name)) for name in ("start", "end", "in", "out")) == span
    assert clip.findtext("file/pathurl") == "file://localhost/films/sound.wav"
    assert root.find(".//video//file/media/audio") is None

"""The script makes the film that the command writes. PyAV runs its filters, and ffmpeg the script if installed."""

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import write_film
from made_plans import plan_of_places

from data_pipelines.films.encoded_film import first_picture_seconds
from data_pipelines.films.film import open_film
from data_pipelines.films.sound_place import sound_place
from stavis_jax.reframing.ffmpeg_script import (
    CROP,
    commands_name,
    crop_commands,
    filter_graph,
    script_name,
    write_script,
)

PLACES = [*np.linspace(0, 60, 12), *np.full(4, 7.0), *np.linspace(100, 90, 8)]
SHOTS = [(0, 12, False), (12, 16, True), (16, 24, False)]


def column_pictures(count: int) -> np.ndarray:
    """Returns pictures [count, 90, 160, 3] whose grey is 40 + the number of the column."""
    row = (40 + np.arange(160)).astype(np.uint8)
    return np.broadcast_to(row[None, None, :, None], (count, 90, 160, 3))


def first_columns(frames) -> list[int]:
    return [round(float(frame.to_ndarray(format="gray")[40, 2:6].mean()) - 40 - 3.5) for frame in frames]


def test_commands_move_the_crop_in_the_frame_for_which_they_are_meant(tmp_path, monkeypatch):
    """Between rounded timestamps, commands must not come a frame late."""
    made = plan_of_places(PLACES)
    write_script(tmp_path, made, Path("film.mp4"), Fraction(1, 2))
    commands = tmp_path / commands_name(made)
    commands.write_text(commands.read_text().replace(CROP, "crop"))  # PyAV gives no names to filters
    monkeypatch.chdir(tmp_path)
    graph, frames = av.filter.Graph(), []
    text = filter_graph(made, Fraction(1, 2)).removeprefix("[0:v]").removesuffix("[reframed]")
    steps = [re.fullmatch(r"(\w+)(?:@\w+)?=(.*)", part).groups() for part in text.split(",")]
    source = graph.add_buffer(width=160, height=90, format="gray", time_base=Fraction(1, 1000))
    nodes = [source, graph.add("sendcmd", steps[0][1]), graph.add("crop", steps[1][1])]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    for index, picture in enumerate(column_pictures(len(PLACES))):
        frame = av.VideoFrame.from_ndarray(picture[..., 0].copy(), format="gray")
        frame.pts, frame.time_base = 500 + index * 40 + index % 2, Fraction(1, 1000)
        graph.push(frame)
        frames.append(graph.pull())
    assert [frame.width for frame in frames] == [50] * len(PLACES)
    assert first_columns(frames) == [round(place) for place in PLACES]


def test_commands_are_for_frames_at_which_the_crop_moves():
    assert crop_commands(plan_of_places([5, 5, 5, 6, 6])) == "0.000000 crop@path x 5;\n0.100000 crop@path x 6;\n"


@pytest.mark.parametrize("start_seconds", [0.0, 1.5])
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="runs the script, which needs ffmpeg")
def test_script_writes_the_same_crops_and_pads_the_same_frames(tmp_path, start_seconds):
    made = plan_of_places(PLACES, SHOTS)
    film = tmp_path / "it's a film.mkv"
    write_film(film, column_pictures(len(PLACES)), frame_rate_hz=25, start_seconds=start_seconds)
    write_script(tmp_path, made, film, Fraction(0))
    assert (tmp_path / commands_name(made)).is_file()
    done = subprocess.run(["sh", script_name(made)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "9x16_by_ffmpeg.mp4")) as written:
        frames = list(written.decode(video=0))
    assert {(frame.width, frame.height) for frame in frames} == {made.size} and len(frames) == len(PLACES)
    cropped = [index for first, end, padded in SHOTS if not padded for index in range(first, end)]
    found = first_columns([frames[index] for index in cropped])
    assert np.abs(np.array(found) - np.rint(np.array(PLACES)[cropped])).max() <= 1  # H.264 loses a little
    for index in range(12, 16):
        middle = frames[index].to_ndarray(format="gray")[45]
        assert middle[-2] > middle[1] + 120  # all 160 columns are in view


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="runs the script, which needs ffmpeg")
@pytest.mark.parametrize("is_apart", [False, True])
def test_script_has_the_sound_of_the_reframed_film_whatever_its_codec(is_apart, tmp_path):
    """MP4 cannot hold PCM. A sound of its own file begins half a second before the film."""
    burst = np.zeros((1, 22050 * 2), np.int16)
    burst[0, 22050:] = 9000  # from 1 s on
    pictures = column_pictures(24)
    film, other = tmp_path / "film.mkv", tmp_path / "it's another.mkv"
    write_film(film, pictures, [] if is_apart else [(0.0, burst)], frame_rate_hz=25, start_seconds=0.5)
    write_film(other, pictures, [(-0.5, burst)], frame_rate_hz=25, start_seconds=0.5)
    opened = open_film(film, sound=other if is_apart else None)
    write_script(tmp_path, plan_of_places([7.0] * 24), film, first_picture_seconds(opened), sound_place(opened))
    done = subprocess.run(["sh", "9x16_ffmpeg.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "9x16_by_ffmpeg.mp4")) as written:
        begins = next(written.decode(video=0)).time
    with av.open(str(tmp_path / "9x16_by_ffmpeg.mp4")) as written:
        frames = list(written.decode(audio=0))
    loud = next(frame.time for frame in frames if np.abs(frame.to_ndarray()).max() > 0.1)
    assert loud - begins == pytest.approx(0.5 if is_apart else 1.0, abs=0.03)

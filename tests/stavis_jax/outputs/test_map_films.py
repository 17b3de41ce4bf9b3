import dataclasses
import itertools
import os
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from data_pipelines.films.decoding import upright_picture
from stavis_jax.outputs.map_films import grey_film, overlay_film
from stavis_jax.prediction.frame_prediction import FramePrediction

AAC_FRAME = 1024
SILENT_FILM = SimpleNamespace(frame_rate_hz=25.0)


@pytest.mark.slow
def test_overlay_of_a_real_film_keeps_its_frames_rate_and_sound(tmp_path, real_film, feed, predicted, frames_of):
    target = tmp_path / "overlay.mp4"
    feed(overlay_film, target, real_film, predicted(np.zeros((30, 8, 8))))
    with av.open(str(real_film.path)) as film, av.open(str(target)) as overlay:
        before, after = film.streams, overlay.streams
        assert (after.video[0].codec_context.name, after.audio[0].codec_context.name) == ("h264", "aac")
        assert after.video[0].average_rate == before.video[0].average_rate == 25
        assert overlay.duration == pytest.approx(film.duration, abs=AAC_FRAME / 48000 * 1e6)
        sounds = [
            np.concatenate([frame.to_ndarray().mean(0) for frame in container.decode(audio=0)])
            for container in (film, overlay)
        ]
    assert len(sounds[1]) == pytest.approx(len(sounds[0]), abs=AAC_FRAME)
    shared = min(map(len, sounds))
    assert np.corrcoef(sounds[0][:shared], sounds[1][:shared])[0, 1] > 0.95  # 5.1 to stereo, and AAC twice
    before, after = (frames_of(path, "video") for path in (real_film.path, target))
    assert len(after) == 30
    assert [frame.pts * frame.time_base for frame in after] == [frame.pts * frame.time_base for frame in before]
    film, overlay = (
        np.stack([upright_picture(frame) for frame in (frames[0], frames[-1])]) for frames in (before, after)
    )
    assert np.abs(film.astype(int) - overlay).mean() < 3  # a constant map is black: no heat


def test_picture_and_sound_lie_side_by_side_in_the_file(small_film, feed, predicted):
    path = small_film.path.with_name("overlay.mp4")
    feed(overlay_film, path, small_film, predicted(np.zeros((20, 8, 8))))
    with av.open(str(path)) as film:
        kinds = [packet.stream.type for packet in film.demux() if packet.size and packet.pts * packet.time_base < 0.7]
    changes = sum(a != b for a, b in itertools.pairwise(kinds))
    assert changes > len(kinds) / 3


def test_heat_lies_where_the_map_says(tmp_path, write_film, write_overlay, frames_of):
    film = write_film(tmp_path / "film.mkv", [0, 40, 80], (64, 96))
    maps = np.zeros((3, 8, 8), np.float32)
    maps[:, 2, 6] = 1
    picture = frames_of(write_overlay(film, maps), "video")[1].to_ndarray(format="rgb24").astype(int)
    hottest = (picture[..., 0] - picture[..., 2]).argmax()
    row, column = np.unravel_index(hottest, picture.shape[:2])
    assert (row, column) == (pytest.approx(20, abs=6), pytest.approx(78, abs=8))
    np.testing.assert_allclose(picture[40:, :40], 128, atol=4)


def test_odd_sizes_shrink_to_even_ones(tmp_path, write_film, write_overlay, frames_of):
    film = write_film(tmp_path / "film.mkv", [0, 40], (63, 97))
    frame = frames_of(write_overlay(film, np.ones((2, 8, 8))), "video")[0]
    assert (frame.height, frame.width) == (62, 96)


def test_a_film_of_one_pixel_grows_to_the_smallest_even_size(tmp_path, small_film, feed, predicted, frames_of):
    pictures = [dataclasses.replace(picture, pixels=picture.pixels[:1, :1]) for picture in small_film.pictures()]
    film = SimpleNamespace(
        **vars(small_film) | {"width": 1, "height": 1, "sound_path": None}, pictures=lambda: iter(pictures)
    )
    feed(overlay_film, tmp_path / "overlay.mp4", film, predicted(np.zeros((20, 8, 8))))
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / "overlay.mp4", "video")} == {(2, 2)}


def test_colours_of_the_film_are_kept(tmp_path, write_overlay, frames_of):
    colours = np.zeros((32, 96, 3), np.uint8)
    colours[:, :32], colours[:, 32:64], colours[:, 64:] = (255, 0, 0), (0, 200, 0), (20, 40, 240)
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 32, "bgr0"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(colours, format="rgb24")))
        container.mux(stream.encode(None))
    (frame,) = frames_of(write_overlay(film, np.zeros((1, 8, 8))), "video")
    middles = upright_picture(frame)[16, [16, 48, 80]]
    np.testing.assert_allclose(middles.astype(int), colours[16, [16, 48, 80]], atol=8)
    assert frame.colorspace == 1  # BT.709, as players take films of this kind to be


def broadcast(path: Path, width: int, layout: str) -> bytes:
    """A second of an MPEG transport stream, whose files may be joined byte by byte."""
    with av.open(str(path), "w", format="mpegts") as film:
        video = film.add_stream("h264", rate=25)
        video.width, video.height, video.pix_fmt = width, 64, "yuv420p"
        audio = film.add_stream("ac3", rate=48000, layout=layout)
        for _ in range(25):
            film.mux(video.encode(av.VideoFrame.from_ndarray(np.full((64, width, 3), 99, np.uint8), format="rgb24")))
        film.mux(video.encode(None))
        noise = np.random.default_rng(0).normal(0, 0.1, (audio.layout.nb_channels, 48000)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout=layout)
        frame.rate, frame.pts = 48000, 0
        film.mux(audio.encode(frame))
        film.mux(audio.encode(None))
    return path.read_bytes()


def test_broadcast_that_changes_its_picture_and_sound_midway_is_laid_over(tmp_path, write_overlay, frames_of):
    film = tmp_path / "film.ts"
    film.write_bytes(broadcast(tmp_path / "a.ts", 96, "5.1") + broadcast(tmp_path / "b.ts", 128, "stereo"))
    overlay = write_overlay(film, np.zeros((50, 8, 8)))
    pictures = frames_of(overlay, "video")
    steps = np.diff([frame.time for frame in pictures])
    np.testing.assert_allclose(steps, [1 / 25] * 49, atol=1e-4)
    assert {(frame.width, frame.height) for frame in pictures} == {(96, 64)}
    num_samples = sum(frame.samples for frame in frames_of(overlay, "audio"))
    assert num_samples == pytest.approx(2 * 48000, rel=0.05)  # AC-3 pads each part


def test_rates_of_television_stay_exact(tmp_path, write_film, open_film, changed_film, feed, predicted, frames_of):
    step = Fraction(1001, 24000)
    path = write_film(tmp_path / "film.mkv", [0, 42, 83], (32, 32))
    pictures = [
        dataclasses.replace(picture, seconds=number * step, duration_seconds=step)
        for number, picture in enumerate(open_film(path).pictures())
    ]
    film = changed_film(path, frame_rate_hz=float(1 / step), pictures=lambda: iter(pictures))
    feed(overlay_film, tmp_path / "overlay.mp4", film, predicted(np.zeros((3, 8, 8))))
    frames = frames_of(tmp_path / "overlay.mp4", "video")
    assert [frame.pts * frame.time_base for frame in frames] == [number * step for number in range(3)]


def test_film_stands_left_of_its_overlay_and_other_panes_below(tmp_path, small_film, feed, predicted, frames_of):
    corner = np.zeros((14, 14), np.float32)
    corner[10:, 10:] = 1
    attention = tuple(np.full((size, size), 1 / size**2, np.float32) for size in (8, 4, 2, 1))
    attention[1][:2, :2] *= 3
    saliency = np.zeros((20, 8, 8))
    saliency[:, 3:5, 3:5] = 1
    panes = "attention", "localization"
    predictions = predicted(saliency, localization=corner, attention=attention)
    path = tmp_path / "overlay.mp4"
    feed(overlay_film, path, small_film, predictions, view="side-by-side", panes=panes, opacity=1.0)
    frame = frames_of(tmp_path / "overlay.mp4", "video")[10]
    assert (frame.width, frame.height) == (2 * 64 + 4, 2 * 48 + 4)
    picture = frame.to_ndarray(format="rgb24").astype(int)
    heat = picture[..., 0] - picture[..., 2]
    film, overlay, localization, attention = heat[20:48, :64], heat[20:48, 68:], heat[72:, :64], heat[72:, 68:]
    assert np.abs(film).max() < 10  # below its label
    assert overlay[0:8, 24:40].mean() > 50 and np.abs(overlay[:, :8]).max() < 30
    assert localization[-6:, -6:].mean() > 50 and np.abs(localization[:, :16]).max() < 30
    assert attention[:, 40:].max() < 30


@pytest.mark.parametrize("num_written", [0, 3])
def test_interrupted_overlay_closes_its_files(tmp_path, small_film, feed, predicted, num_written):
    def interrupted():
        yield from predicted(np.zeros((num_written, 8, 8)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feed(overlay_film, tmp_path / "overlay.mp4", small_film, interrupted())
    assert small_film.open_decoders == 0
    opened = {os.path.realpath(link) for link in Path("/proc/self/fd").glob("*")}
    assert not opened & {str(tmp_path / "overlay.mp4"), str(small_film.path)}


def test_grey_film_shows_the_maps_at_their_times(tmp_path, feed, frames_of):
    ramp = np.tile(np.linspace(0.2, 0.3, 32, dtype=np.float32), (16, 1))
    times = (0.0, 0.04, 0.5)
    predictions = [FramePrediction(number, seconds, ramp) for number, seconds in enumerate(times, start=1)]
    feed(grey_film, tmp_path / "grey.mp4", SILENT_FILM, predictions, map_size="network")
    frames = frames_of(tmp_path / "grey.mp4", "video")
    assert [round(frame.time, 6) for frame in frames] == list(times)
    picture = frames[1].to_ndarray(format="rgb24").astype(int)
    assert picture.shape == (16, 32, 3)
    assert np.abs(picture - picture[..., :1]).max() <= 2  # grey
    np.testing.assert_allclose(picture[8, :, 1], np.linspace(0, 255, 32), atol=6)  # black to white


def test_grey_film_of_the_films_size_is_even(tmp_path, feed, predicted, frames_of):
    film = SimpleNamespace(width=65, height=49, frame_rate_hz=25.0, pixel_aspect=Fraction(64, 45))
    feed(grey_film, tmp_path / "grey.mp4", film, predicted(np.random.default_rng(0).random((2, 8, 8))))
    with av.open(str(tmp_path / "grey.mp4")) as grey:
        assert grey.streams.video[0].sample_aspect_ratio == film.pixel_aspect
    assert {(frame.width, frame.height) for frame in frames_of(tmp_path / "grey.mp4", "video")} == {(64, 48)}


@pytest.mark.parametrize("frame_rate_hz", [1 / 60, 500])
def test_films_of_the_slowest_and_the_fastest_rate_keep_their_times(tmp_path, feed, frames_of, frame_rate_hz):
    times = [number / frame_rate_hz for number in range(4)]
    maps = [FramePrediction(number, time, np.eye(16, dtype=np.float32)) for number, time in enumerate(times, start=1)]
    film = SimpleNamespace(frame_rate_hz=frame_rate_hz)
    feed(grey_film, tmp_path / "grey.mp4", film, maps, map_size="network")
    assert [frame.time for frame in frames_of(tmp_path / "grey.mp4", "video")] == pytest.approx(times)

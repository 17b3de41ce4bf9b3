import dataclasses
import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipelines.films import decoding
from data_pipelines.films import sound as film_sound
from data_pipelines.films.decoding import upright_picture
from data_pipelines.films.sound import FULL_SCALE, waveform_chunks
from data_pipelines.runtime.errors import UserError
from stavis_jax.outputs.overlay_film import OverlayFilm

SOUND_RATE_HZ = 22050
AAC_FRAME = 1024


@pytest.fixture
def write_overlay(feed, predicted, open_film):
    """Lays maps over a film file; returns the overlay's path."""

    def write(film: Path, saliency_maps: np.ndarray, **options) -> Path:
        path = film.with_name("overlay.mp4")
        feed(OverlayFilm(path, open_film(film), **options), predicted(saliency_maps))
        return path

    return write


def test_overlay_of_a_real_film_keeps_its_frames_rate_and_sound(tmp_path, real_film, feed, predicted, frames_of):
    target = tmp_path / "overlay.mp4"
    feed(OverlayFilm(target, real_film), predicted(np.zeros((132, 8, 8))))
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
    assert len(after) == 132
    assert [frame.pts * frame.time_base for frame in after] == [frame.pts * frame.time_base for frame in before]
    film, overlay = (
        np.stack([upright_picture(frame) for frame in (frames[0], frames[-1])]) for frames in (before, after)
    )
    assert np.abs(film.astype(int) - overlay).mean() < 3  # a constant map is black: no heat


def test_picture_and_sound_lie_side_by_side_in_the_file(small_film, feed, predicted):
    path = small_film.path.with_name("overlay.mp4")
    feed(OverlayFilm(path, small_film), predicted(np.zeros((20, 8, 8))))
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


def test_uneven_frame_times_and_late_sound_are_kept(tmp_path, write_film, write_overlay, frames_of):
    times_ms = [500, 540, 700, 740, 1500, 1540]
    film = write_film(tmp_path / "film.mkv", times_ms, (32, 32), late_seconds=0.9)
    overlay = write_overlay(film, np.zeros((6, 8, 8)))
    assert [round(frame.time * 1000) for frame in frames_of(overlay, "video")] == [0, 40, 200, 240, 1000, 1040]
    loud = next(frame for frame in frames_of(overlay, "audio") if np.abs(frame.to_ndarray()).max() > 0.1)
    assert loud.time == pytest.approx(0.4, abs=1.5 * AAC_FRAME / SOUND_RATE_HZ)


def test_silence_fills_a_gap_in_the_sounds_timestamps(tmp_path, write_film, write_overlay, frames_of):
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 3000, 40)), (32, 32), late_seconds=0.0)
    with av.open(str(whole)) as source, av.open(str(tmp_path / "film.mkv"), "w") as film:
        streams = [film.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio" and packet.pts * packet.time_base > 0.5:
                    packet.pts = packet.dts = packet.pts + round(1 / packet.time_base)  # a second later
                packet.stream = streams[packet.stream.index]
                film.mux(packet)
    sounds = frames_of(write_overlay(tmp_path / "film.mkv", np.zeros((75, 8, 8))), "audio")
    silent = [frame.time for frame in sounds if np.abs(frame.to_ndarray()).max() < 0.01]
    assert (silent[0], silent[-1]) == pytest.approx((0.5, 1.5), abs=0.15)
    assert sounds[-1].time == pytest.approx(2, abs=0.1)


def retimed_sound(source_path: Path, path: Path, late_seconds) -> Path:
    """A copy whose packets of sound say that they come later by `late_seconds(number of the packet)`."""
    with av.open(str(source_path)) as source, av.open(str(path), "w") as film:
        streams = [film.add_stream_from_template(stream) for stream in source.streams]
        number = itertools.count()
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    late = round(late_seconds(next(number)) / packet.time_base)
                    packet.pts = packet.dts = packet.pts + late
                packet.stream = streams[packet.stream.index]
                film.mux(packet)
    return path


@pytest.mark.parametrize("step_seconds", [0.02, -0.02])
def test_many_small_gaps_or_overlaps_do_not_shift_the_sound(
    tmp_path, write_film, write_overlay, frames_of, step_seconds
):
    """Each as small as timestamps tremble; by the 22nd packet they are almost half a second."""
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 2000, 40)), (32, 32), late_seconds=0.5)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: step_seconds * number)
    overlay = write_overlay(film, np.zeros((50, 8, 8)))
    loud = [frame.time for frame in frames_of(overlay, "audio") if np.abs(frame.to_ndarray()).max() > 0.1]
    assert loud[0] == pytest.approx(0.5, abs=0.06)
    assert loud[-1] == pytest.approx(1.5 + 21 * step_seconds, abs=0.1)


def test_timestamps_that_are_wrong_now_and_then_do_not_shift_the_sound(tmp_path, write_film, write_overlay, frames_of):
    """Every second one is later than its packet by more than timestamps tremble."""
    whole = write_film(tmp_path / "whole.mkv", list(range(0, 2000, 40)), (32, 32), late_seconds=0.0)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: 0.045 * (number % 2))
    sounds = frames_of(write_overlay(film, np.zeros((50, 8, 8))), "audio")
    assert sum(frame.samples for frame in sounds) == pytest.approx(SOUND_RATE_HZ, abs=2 * AAC_FRAME)


LATE_SECONDS = {
    "one timestamp too late": lambda number: 20 * (number == 5),
    "one timestamp too early": lambda number: -20 * (number == 5),
    "a gap": lambda number: 1.5 * (number >= 10),
    "an overlap": lambda number: -0.2 * (number >= 10),
    "another clock, earlier": lambda number: -0.4 * (number >= 10),
    "another clock, days later": lambda number: 10**6 * (number >= 10),
    "another clock from the start": lambda number: 10**6,
}


@pytest.mark.parametrize("kind", LATE_SECONDS)
def test_sound_is_where_the_network_hears_it(tmp_path, write_film, write_overlay, frames_of, monkeypatch, kind):
    film = write_film(tmp_path / "film.mkv", list(range(0, 1000, 40)), (32, 32), late_seconds=0.0)

    def seconds_of(frame):
        number = round(decoding.seconds_of(frame) * SOUND_RATE_HZ / 1024)  # of the packet
        return decoding.seconds_of(frame) + Fraction(LATE_SECONDS[kind](number))

    monkeypatch.setattr(film_sound, "seconds_of", seconds_of)
    expected = np.concatenate(list(waveform_chunks(film, Fraction(0)))) / FULL_SCALE
    frames = frames_of(write_overlay(film, np.zeros((25, 8, 8))), "audio")
    assert frames[0].time == 0
    found = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(found) == pytest.approx(len(expected), abs=2 * AAC_FRAME)
    heard, seen = (np.flatnonzero(np.abs(sound) > 0.1) for sound in (expected, found))
    np.testing.assert_allclose(seen[[0, -1]], heard[[0, -1]], atol=AAC_FRAME)
    assert len(seen) == pytest.approx(len(heard), rel=0.1)  # AAC does not keep every sample


def test_gaps_of_hours_are_kept_in_picture_and_sound(tmp_path, write_film, open_film, changed_film, feed, predicted):
    """MP4 cannot have a picture shown for so long at once."""
    gap = 3_700
    pictures = [0, 40, 1000 * gap, 1000 * gap + 40]
    whole = write_film(tmp_path / "whole.mkv", pictures, (32, 32), late_seconds=0.0)
    film = retimed_sound(whole, tmp_path / "film.mkv", lambda number: gap * (number >= 10))
    feed(OverlayFilm(tmp_path / "overlay.mp4", open_film(film)), predicted(np.zeros((4, 8, 8))))
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        times = sorted(packet.pts * packet.time_base for packet in overlay.demux(video=0) if packet.size)
    assert [float(time) for time in times] == pytest.approx([0, *(0.04 + 1200 * np.arange(4)), gap, gap + 0.04])
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        overlay.seek((gap - 1) * SOUND_RATE_HZ, stream=overlay.streams.audio[0])
        sounds = list(overlay.decode(audio=0))
    assert sounds[0].time > gap - 2
    loud = [frame.time for frame in sounds if np.abs(frame.to_ndarray()).max() > 0.1]
    begin = 10 * 1024 / SOUND_RATE_HZ
    assert (loud[0], loud[-1]) == pytest.approx((gap + begin, gap + 1), abs=0.1)


def test_sound_is_read_as_the_network_reads_it_whatever_it_is_called(
    tmp_path, write_film, changed_film, feed, predicted, monkeypatch
):
    """A name like a protocol's, a title that is no UTF-8; and so for the overlay."""
    monkeypatch.chdir(tmp_path)
    path = write_film(Path("film.mkv"), [0, 40], (32, 32), late_seconds=0.0)
    with av.open(str(path)) as source, av.open("titled.mkv", "w") as titled:
        titled.metadata["title"] = "Cafe"
        stream = titled.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                titled.mux(packet)
    sound = Path("a:b.mkv")
    sound.write_bytes(Path("titled.mkv").read_bytes().replace(b"Cafe", "Café".encode("latin-1")))
    Path("c:d").mkdir()
    film = changed_film(path, sound_path=sound)
    feed(OverlayFilm(Path("c:d/overlay.mp4"), film), predicted(np.zeros((2, 8, 8))))
    with av.open("file:c:d/overlay.mp4") as overlay:
        assert len(overlay.streams.audio) == 1


def test_sound_before_the_first_picture_is_left_out(tmp_path, write_film, write_overlay, frames_of):
    film = write_film(tmp_path / "film.mkv", [300, 340, 380], (32, 32), late_seconds=0.0)
    sounds = frames_of(write_overlay(film, np.zeros((3, 8, 8))), "audio")
    assert sounds[0].time == 0
    num_samples = sum(frame.samples for frame in sounds)
    assert num_samples == pytest.approx(0.7 * SOUND_RATE_HZ, abs=AAC_FRAME)


def test_film_without_sound_gives_a_silent_overlay(tmp_path, write_film, write_overlay):
    film = write_film(tmp_path / "film.mkv", [0, 40], (32, 32))
    with av.open(str(write_overlay(film, np.zeros((2, 8, 8))))) as overlay:
        assert not overlay.streams.audio


def test_sound_may_come_from_another_file(tmp_path, write_film, changed_film, feed, predicted):
    sound = write_film(tmp_path / "sound.mkv", [0], (32, 32), late_seconds=0.0)
    film = changed_film(write_film(tmp_path / "film.mkv", [0, 40], (32, 32)), sound_path=sound)
    feed(OverlayFilm(tmp_path / "overlay.mp4", film), predicted(np.zeros((2, 8, 8))))
    with av.open(str(tmp_path / "overlay.mp4")) as overlay:
        assert overlay.streams.audio[0].rate == SOUND_RATE_HZ


def test_unreadable_sound_is_one_line(tmp_path, write_film, changed_film):
    path, damaged = write_film(tmp_path / "film.mkv", [0, 40], (32, 32)), tmp_path / "sound.wav"
    damaged.write_bytes(b"no sound")
    with pytest.raises(UserError, match="sound.wav: cannot be read as a sound"):
        OverlayFilm(tmp_path / "overlay.mp4", changed_film(path, sound_path=damaged))
    with pytest.raises(UserError, match="film.mkv: holds no sound"):
        OverlayFilm(tmp_path / "overlay.mp4", changed_film(path, sound_path=path))


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
    feed(OverlayFilm(tmp_path / "overlay.mp4", film), predicted(np.zeros((3, 8, 8))))
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
    feed(
        OverlayFilm(tmp_path / "overlay.mp4", small_film, "side-by-side", panes, opacity=1.0),
        predicted(saliency, localization=corner, attention=attention),
    )
    frame = frames_of(tmp_path / "overlay.mp4", "video")[10]
    assert (frame.width, frame.height) == (2 * 64 + 4, 2 * 48 + 4)
    picture = frame.to_ndarray(format="rgb24").astype(int)
    heat = picture[..., 0] - picture[..., 2]
    film, overlay, localization, attention = heat[20:48, :64], heat[20:48, 68:], heat[72:, :64], heat[72:, 68:]
    assert np.abs(film).max() < 10  # below its label
    assert overlay[0:8, 24:40].mean() > 50 and np.abs(overlay[:, :8]).max() < 30
    assert localization[-6:, -6:].mean() > 50 and np.abs(localization[:, :16]).max() < 30
    assert attention[:, 40:].max() < 30


def test_interrupted_overlay_lets_go_of_its_files(tmp_path, small_film, predicted):
    sink = OverlayFilm(tmp_path / "overlay.mp4", small_film)
    for prediction in predicted(np.zeros((3, 8, 8))):
        sink.add(prediction)
    assert small_film.open_decoders == 1
    sink.close()
    sink.close()
    assert small_film.open_decoders == 0
    OverlayFilm(tmp_path / "other.mp4", small_film).close()  # nothing added yet

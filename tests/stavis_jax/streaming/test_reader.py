"""Reading: recordings play in real time, streams that break off come back a bounded number of times."""

import io
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from live_streams import LEVELS, Marks, mark, marked_pictures, streaming, write_marked_stream
from made_films import write_film
from PIL import Image

from data_pipelines.runtime.errors import UserError
from stavis_jax.streaming import reader as reader_module
from stavis_jax.streaming.newest_frames import NewestFrames
from stavis_jax.streaming.predictor import Predictor
from stavis_jax.streaming.reader import Reader
from stavis_jax.streaming.source import LiveSource

WAIT_SECONDS = 60  # for a busy machine


def until(condition, what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> bytes:
    """Returns 200 marked pictures of 25 Hz as MPEG-TS."""
    return write_marked_stream(tmp_path_factory.mktemp("stream") / "marked.ts", 200).read_bytes()


@pytest.fixture
def reading():
    """Returns a function that starts a reader of a source; all of them are stopped at the end."""
    readers = []

    def start(name: str, *, retries: int = 0, timeout_seconds: float = 20.0, lines: list | None = None, frames=None):
        frames = frames or NewestFrames()
        source = LiveSource(name, timeout_seconds=timeout_seconds)
        reader = Reader(source, frames, 16, retries=retries, report=[].append if lines is None else lines.append)
        readers.append(reader)
        reader.start()
        return reader, frames

    yield start
    for reader in readers:
        reader.stop(WAIT_SECONDS)


def ended(reader: Reader, frames: NewestFrames) -> str:
    """Waits for the end of reading. Returns the error, or an empty string."""
    until(lambda: frames._is_closed, "reading goes on")
    assert reader.error is None or isinstance(reader.error, UserError)
    return str(reader.error or "")


@pytest.mark.slow
def test_the_newest_frame_is_mapped_while_a_slow_network_drops_the_others(stream, reading, monkeypatch):
    """The network is held up while frames arrive. Its next map is of the newest of them, or of a later one."""
    monkeypatch.setattr(reader_module, "LATE_SECONDS", 1000)  # of a busy machine
    monkeypatch.setattr("stavis_jax.streaming.catching_up.BEHIND_SECONDS", 1000)
    model, maps, frames = Marks(), [], NewestFrames()
    predictor = Predictor(model, frames, maps.append, lookahead=0)
    predictor.start()
    assert predictor.ready.wait(WAIT_SECONDS)
    with streaming(stream, num_parts=200, seconds_per_part=0.02) as server:
        reader, _ = reading(server.url, frames=frames)
        for _ in range(2):
            model.free.clear()
            model.busy.clear()
            server.gate.set()
            assert model.busy.wait(WAIT_SECONDS)  # it holds a clip
            num_maps, known = len(maps), reader.num_frames
            until(lambda known=known: reader.num_frames >= known + 30, "frames arrive while the network computes")
            newest = frames.take(0)[-1].number
            server.gate.clear()
            model.free.set()
            until(lambda num_maps=num_maps: len(maps) >= num_maps + 2, "the held clip and the next one are mapped")
            assert maps[num_maps].frame.number <= known < newest - 20
            assert newest <= maps[num_maps + 1].frame.number <= reader.num_frames
        server.gate.set()
        until(lambda: frames._is_closed, "the stream is read to its end")
        assert predictor.ended.wait(WAIT_SECONDS) and predictor.error is None
    numbers = [one.frame.number for one in maps]
    assert numbers == sorted(set(numbers)) and len(numbers) < reader.num_frames - 40
    before = mark(maps[0].frame.picture) - maps[0].frame.number  # FFmpeg leaves out what it needs to know the format
    for one, clip in zip(maps, model.clips[1:], strict=True):  # the first clip only compiles
        assert mark(one.frame.picture) == clip[7] == (one.frame.number + before) % LEVELS, "a map is of its frame"
        assert one.latency_seconds >= 0


@pytest.mark.parametrize("address", ["{}", "file://{}"])
def test_a_recording_plays_in_real_time_from_play_on(address, tmp_path, reading, monkeypatch):
    monkeypatch.setattr(reader_module, "LATE_SECONDS", 1000)  # of a busy machine
    film = write_marked_stream(tmp_path / "film.ts", 30)
    reader, frames = reading(address.format(film))
    assert reader.first_frame.wait(WAIT_SECONDS)
    time.sleep(0.2)
    assert reader.num_frames == 1
    began = time.monotonic()
    reader.play()
    assert ended(reader, frames) == ""
    assert time.monotonic() - began > 29 / 25 - 0.05
    assert reader.num_frames == 30
    newest = frames.take(0)
    assert newest[-1].captured - newest[0].captured == pytest.approx(15 / 25, abs=0.05)


def test_late_frames_are_decoded_but_only_a_few_are_prepared(stream, reading, monkeypatch):
    """All frames of the stream but the first few arrive at once, and count as late."""
    prepared = []
    monkeypatch.setattr(reader_module, "_shown", lambda picture: prepared.append(1) or picture)
    monkeypatch.setattr(reader_module, "LATE_SECONDS", -1.0)
    with streaming(stream, num_parts=200, seconds_per_part=0) as server:
        reader, frames = reading(server.url)
        assert ended(reader, frames) == ""
    assert 1 <= len(prepared) < reader.num_frames / 2


def test_only_key_frames_are_decoded_while_decoding_is_far_behind(tmp_path, reading, monkeypatch):
    monkeypatch.setattr("stavis_jax.streaming.catching_up.BEHIND_SECONDS", -1.0)
    monkeypatch.setattr("stavis_jax.streaming.catching_up.CAUGHT_UP_SECONDS", 1000)
    monkeypatch.setattr(reader_module, "LATE_SECONDS", 1000)
    kind = {"codec": "mpeg4", "pix_fmt": "yuv420p", "container": "mpegts", "gop_size": 10}
    kind |= {"options": {"sc_threshold": "1000000000"}, "frame_rate_hz": 25, "time_base": Fraction(1, 25)}
    film, frames = write_film(tmp_path / "film.ts", marked_pictures(60), **kind), NewestFrames()
    numbers = []
    monkeypatch.setattr(frames, "add", lambda frame: numbers.append(frame.number))
    with streaming(film.read_bytes(), num_parts=60, seconds_per_part=0) as server:
        reader, _ = reading(server.url, frames=frames)
        assert ended(reader, frames) == ""
    assert numbers == [1, 11, 21, 31, 41, 51] and reader.num_frames == 60


@pytest.mark.slow
def test_a_stream_whose_key_frames_are_far_apart_does_not_count_as_silent(tmp_path, reading, monkeypatch):
    monkeypatch.setattr("stavis_jax.streaming.catching_up.BEHIND_SECONDS", -1.0)
    kind = {"codec": "mpeg4", "pix_fmt": "yuv420p", "container": "mpegts", "gop_size": 200}
    kind |= {"options": {"sc_threshold": "1000000000"}, "frame_rate_hz": 25, "time_base": Fraction(1, 25)}
    film = write_film(tmp_path / "film.ts", marked_pictures(100), **kind)
    with streaming(film.read_bytes(), num_parts=100, seconds_per_part=0.03) as server:
        reader, frames = reading(server.url, timeout_seconds=1.0)
        assert ended(reader, frames) == ""
    assert reader.num_frames == 100


def test_a_stream_that_breaks_off_is_opened_again_a_bounded_number_of_times(stream, reading, monkeypatch):
    monkeypatch.setattr(reader_module, "LONGEST_WAIT_SECONDS", 0.05)
    lines: list[str] = []
    with streaming(stream, num_parts=50, seconds_per_part=0.001) as server:
        reader, frames = reading(server.url, retries=2, lines=lines)
        until(lambda: server.num_connections >= 2, "it is opened again after its end")
        known = reader.num_frames
        until(lambda: reader.num_frames > known, "frames come again")
        server.broken.set()
        error = ended(reader, frames)
        assert error.startswith(f"{server.url}: broke off after 2 further tries (") and "--retries" in error
    assert lines[0] == f"{server.url}: broke off (it has ended). Trying again in 0.05 s, 1 of 2."
    assert lines[-1].endswith("2 of 2.")
    assert all("\n" not in line for line in lines)


def test_without_retries_the_end_of_a_stream_is_the_end(stream, reading):
    with streaming(stream, num_parts=20, seconds_per_part=0) as server:
        reader, frames = reading(server.url)
        assert ended(reader, frames) == ""
    assert reader.num_frames > 16


@pytest.mark.slow
def test_a_stream_that_falls_silent_is_told_apart_from_one_that_ends(stream, reading):
    with streaming(stream, num_parts=200, seconds_per_part=0.02) as server:
        reader, frames = reading(server.url, timeout_seconds=2.0)
        until(lambda: reader.num_frames > 0, "frames come")
        server.gate.clear()
        assert "broke off (no data for 2 s). Start it again, or give more --retries." in ended(reader, frames)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://127.0.0.1:9/live.ts", "cannot be read (Connection refused)"),
        ("nothing://here", "cannot be read (Protocol not found)"),
    ],
)
def test_a_source_that_cannot_be_opened_is_one_line_at_once(name, said, reading):
    reader, frames = reading(name, retries=5)
    assert f"{name}: {said}" in ended(reader, frames)


def test_paths_that_hold_no_film_are_refused_before_reading(tmp_path):
    text, picture = tmp_path / "film.mp4", tmp_path / "picture.png"
    text.write_text("no film")
    Image.new("RGB", (8, 8)).save(picture)
    for path, said in (
        (tmp_path / "none.mp4", "no such device or file"),
        (text, "cannot be read as a film"),
        (picture, "is a picture. Give a camera"),
        (tmp_path, "is a folder. Give a camera"),
    ):
        with pytest.raises(UserError, match=said):
            LiveSource(str(path)).check()
    with pytest.raises(UserError, match="film files take no options"):
        LiveSource(str(text), {"a": "b"}).check()


def test_a_link_to_a_camera_is_a_camera(tmp_path):
    (tmp_path / "usb-camera").symlink_to("/dev/video97")
    assert LiveSource(str(tmp_path / "usb-camera")).is_camera


def test_a_picture_from_a_server_is_told_apart_from_a_stream(reading):
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "JPEG")
    with streaming(file.getvalue(), num_parts=1) as server:
        reader, frames = reading(server.url)
        reader.play()
        assert ended(reader, frames).startswith(f"{server.url}: holds a single picture. Give a camera")


def test_a_stream_whose_pictures_cannot_be_decoded_is_an_error(tmp_path, reading):
    film = write_film(tmp_path / "film.mkv", marked_pictures(30), codec="mpeg4", pix_fmt="yuv420p").read_bytes()
    assert film.count(b"V_MPEG4/ISO/ASP") == 1
    with streaming(film.replace(b"V_MPEG4/ISO/ASP", b"V_MPEG4/ISO/ODD"), num_parts=1) as server:
        said = ended(*reading(server.url))
    assert said.startswith(f"{server.url}: cannot be read (FFmpeg does not know the format of its pictures). Give")


def test_the_first_frames_of_a_slow_stream_are_enough_to_know_it(tmp_path, reading):
    """FFmpeg would wait for ten frames to know the frame rate, which are ten seconds of one frame a second."""
    slow = write_marked_stream(tmp_path / "slow.ts", 20, frame_rate_hz=1).read_bytes()
    with streaming(slow, num_parts=20, seconds_per_part=0.2) as server:
        reader, _ = reading(server.url)
        until(lambda: server.num_sent >= 5, "a quarter is sent")
        server.gate.clear()
        assert reader.first_frame.wait(WAIT_SECONDS / 6) and reader.error is None


@pytest.mark.slow
def test_a_stream_whose_pictures_stop_while_its_sound_goes_on_has_broken_off(tmp_path, reading):
    sound = [(0.0, np.zeros((1, 60 * 22050), np.int16))]
    kind = {"codec": "mpeg2video", "pix_fmt": "yuv420p", "container": "mpegts", "sound_codec": "mp2"}
    kind |= {"frame_rate_hz": 25, "time_base": Fraction(1, 25)}
    film = write_film(tmp_path / "film.ts", marked_pictures(50), sound, **kind).read_bytes()
    with streaming(film, num_parts=400, seconds_per_part=0.02) as server:
        reader, frames = reading(server.url, timeout_seconds=1.0)
        assert "broke off (no picture could be decoded for 1 s)" in ended(reader, frames)
        assert reader.num_frames > 16


def test_passwords_of_addresses_are_not_shown():
    assert LiveSource("rtsp://me:secret@host:554/a@b").shown_name == "rtsp://host:554/a@b"
    assert LiveSource("rtsp://me:sec@ret@host/a").shown_name == "rtsp://host/a"


@pytest.mark.slow
def test_memory_holds_16_frames_however_long_the_source(tmp_path, reading):
    film = write_film(tmp_path / "film.mkv", np.zeros((40, 720, 1600, 3), np.uint8), frame_rate_hz=500)
    reader, frames = reading(str(film))
    reader.play()
    assert ended(reader, frames) == ""
    newest = frames.take(0)
    assert len(newest) == 16 and {one.picture.shape for one in newest} == {(576, 1280, 3)}
    assert threading.active_count() < 30

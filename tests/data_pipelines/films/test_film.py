import errno
import itertools
import threading
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipelines.films import decoding, encoded_film
from data_pipelines.films import sound as film_sound
from data_pipelines.films.decoding import upright_picture
from data_pipelines.films.film import Film, open_film
from data_pipelines.inputs.resizing import ResizePicture
from data_pipelines.runtime.errors import UserError

FPS = 10
TENTHS = [Fraction(number, FPS) for number in range(20)]


def pixels(film: Film) -> list[np.ndarray]:
    return [picture.pixels for picture in film.pictures()]


def seconds(film: Film) -> list[Fraction]:
    return [picture.seconds for picture in film.pictures()]


def test_a_real_film_tells_its_size_rate_and_sound(real_film):
    film = open_film(real_film("bigbuckbunny.mp4"))
    assert (film.name, film.width, film.height) == ("bigbuckbunny", 1280, 720)
    assert (film.frame_rate_hz, film.num_frames, film.has_sound) == (25, 132, True)
    assert film.sound_path == film.path
    assert sum(frame.picture.shape == (112, 112, 3) for frame in film.frames(112)) == 132


@pytest.mark.parametrize("resize_filter", ["bicubic", "nearest"])
def test_frames_are_rgb_resized_as_the_raw_data_are(tmp_path, write_film, pictures, resize_filter):
    film = open_film(write_film(tmp_path / "film.mkv", pictures()))
    frames = [frame.picture for frame in film.frames(48, resize_filter)]
    expected = [ResizePicture(48, resize_filter)(picture) for picture in pictures()]
    np.testing.assert_array_equal(frames, expected)


def test_pictures_are_the_films_own_with_their_times_from_zero(tmp_path, write_film, pictures):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), start_seconds=5))
    np.testing.assert_array_equal(pixels(film), pictures())
    assert seconds(film) == TENTHS
    assert [frame.seconds for frame in film.frames(16)] == [float(time) for time in TENTHS]
    assert film.start_seconds == 5
    assert all(picture.pixels.flags.c_contiguous for picture in film.pictures())


def test_pictures_tell_how_long_they_last(real_film):
    durations = {picture.duration_seconds for picture in open_film(real_film("carphone_pristine.mp4")).pictures()}
    assert durations == {Fraction(1001, 30_000)}


def test_an_unsteady_rate_keeps_every_frames_time(tmp_path, write_film, pictures):
    times_ms = [0, 40, 41, 300, 333, 1000, 5000]
    film = open_film(write_film(tmp_path / "film.mkv", pictures(7), times_ms=times_ms))
    assert seconds(film) == [Fraction(time, 1000) for time in times_ms]


@pytest.mark.parametrize("num_frames", [1, 3])
def test_short_films_are_films(tmp_path, write_film, pictures, num_frames):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(num_frames)))
    assert len(list(film.frames(16))) == len(pixels(film)) == num_frames
    assert film.frame_rate_hz == FPS


@pytest.mark.parametrize(("height", "width"), [(47, 65), (1, 1), (48, 33)])
def test_odd_sizes_lose_no_pixel(tmp_path, write_film, pictures, height, width):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(3, height, width)))
    assert (film.height, film.width) == (height, width)
    np.testing.assert_array_equal(pixels(film), pictures(3, height, width))
    assert next(film.frames(16)).picture.shape == (16, 16, 3)


def test_ten_bit_films_are_taken_at_eight(tmp_path, write_film):
    grey = np.stack([np.full((48, 64, 3), level, np.uint8) for level in (20, 120, 235)])
    film = open_film(write_film(tmp_path / "film.mkv", grey, pix_fmt="yuv420p10le"))
    np.testing.assert_allclose(pixels(film), grey, atol=2)  # of colour conversion, there and back
    np.testing.assert_allclose([frame.picture[0, 0] for frame in film.frames(16)], grey[:, 0, 0], atol=2)


def test_a_phones_upright_film_is_turned(tmp_path, film_of_a_phone):
    film = open_film(film_of_a_phone(tmp_path / "phone.mp4"))
    assert (film.width, film.height) == (32, 64)
    frames = np.stack([frame.picture for frame in film.frames(112)])
    assert frames[:, :50].min() > 200
    assert frames[:, 62:].max() < 50
    assert next(film.pictures()).pixels.shape == (64, 32, 3)


def test_a_size_that_changes_midway_is_followed(tmp_path, pictures, encode):
    parts = [encode(tmp_path / f"{width}.h264", pictures(5, 48, width), "h264").read_bytes() for width in (64, 80)]
    (tmp_path / "film.h264").write_bytes(b"".join(parts))
    film = open_film(tmp_path / "film.h264")
    assert [picture.shape[1] for picture in pixels(film)] == [64] * 5 + [80] * 5
    assert film.width == 64
    assert len(list(film.frames(16))) == 10


def test_missing_timestamps_give_the_nominal_rate(tmp_path, pictures, encode):
    path = encode(tmp_path / "film.h264", pictures(), "h264")
    with av.open(str(path)) as film:
        assert {frame.pts for frame in film.decode(video=0)} == {None}
    film = open_film(path)
    assert film.num_frames is None
    assert seconds(film) == [Fraction(number, 25) for number in range(20)]


def test_films_joined_end_to_end_go_on_in_time(tmp_path, pictures, encode):
    part = encode(tmp_path / "part.ts", pictures(50)).read_bytes()
    (tmp_path / "film.ts").write_bytes(part * 3)
    assert seconds(open_film(tmp_path / "film.ts")) == [Fraction(number, 25) for number in range(150)]


def test_unlikely_frame_rates_of_the_header_are_not_believed(tmp_path, write_film, pictures, monkeypatch):
    path = write_film(tmp_path / "film.mkv", pictures(3))
    monkeypatch.setattr(encoded_film, "LIKELY_FRAME_RATES_HZ", (11, 500))
    assert open_film(path).frame_rate_hz == 25


@pytest.mark.parametrize("threads", [1, 16])
@pytest.mark.parametrize("which", [slice(5, 6), slice(18, 19), slice(17, 20), slice(0, 2), slice(0, 20, 3)])
def test_damaged_packets_are_left_out_with_a_warning(
    tmp_path, write_film, pictures, damage_packets, caplog, monkeypatch, threads, which
):
    monkeypatch.setattr(decoding, "DECODER_THREADS", threads)
    path = damage_packets(write_film(tmp_path / "film.mkv", pictures()), which)
    film = open_film(path)
    frames = list(film.frames(16))
    kept = [number for number in range(20) if number not in range(20)[which]]
    np.testing.assert_array_equal(pixels(film), pictures()[kept])
    assert seconds(film) == [TENTHS[number] - TENTHS[kept[0]] for number in kept]
    assert len(frames) == len(kept)
    (warning,) = caplog.messages
    assert f"film.mkv: {20 - len(kept)} damaged packets were left out" in warning


@pytest.mark.parametrize("threads", [1, 16])
def test_damage_near_the_end_costs_no_other_frame_on_many_cores(
    tmp_path, pictures, encode, damage_packets, monkeypatch, threads
):
    path = damage_packets(encode(tmp_path / "film.mp4", pictures(40), "h264", g="10"), slice(37, 38))
    monkeypatch.setattr(decoding, "DECODER_THREADS", threads)
    film = open_film(path)
    assert len(pixels(film)) == len(list(film.frames(16))) == 39


def test_a_film_cut_short_gives_the_frames_it_has(tmp_path, write_film, pictures):
    path = write_film(tmp_path / "film.mkv", pictures())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    film = open_film(path)
    assert 5 < len(pixels(film)) == len(list(film.frames(16))) < 15


@pytest.mark.parametrize(
    ("num_packets", "error", "num_frames", "warning"),
    [
        (8, av.error.OSError(5, "Input/output error"), 8, ["reading ended early (Input/output error)"]),
        (None, IndexError(), 20, []),  # PyAV's, of a stream that appears midway
    ],
)
def test_a_film_that_cannot_be_read_on_gives_what_came_before(
    tmp_path, write_film, pictures, caplog, monkeypatch, num_packets, error, num_frames, warning
):
    film = open_film(write_film(tmp_path / "film.mkv", pictures()))
    original = decoding.packets

    class FailingDisk:
        def __init__(self, container):
            self.container, self.streams = container, container.streams

        def demux(self, streams):
            yield from itertools.islice(self.container.demux(streams), num_packets)
            raise error

    monkeypatch.setattr(
        encoded_film, "packets", lambda path, container, streams: original(path, FailingDisk(container), streams)
    )
    assert len(list(film.frames(16))) == num_frames
    assert [message.split(": ")[1].rstrip(".") for message in caplog.messages] == warning


def test_opening_reads_only_the_first_frames(tmp_path, write_film, pictures, monkeypatch):
    path = write_film(tmp_path / "film.mkv", pictures(200, 8, 8), start_seconds=0)
    read = []
    original = decoding.packets

    def counted(*args):
        for packet in original(*args):
            read.append(packet)
            yield packet

    monkeypatch.setattr(encoded_film, "packets", counted)
    film = open_film(path)
    assert 0 < len(read) < 40
    assert film.num_frames == 200


def test_frames_and_pictures_run_side_by_side_in_threads(tmp_path, write_film, pictures, click):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(), [(0, click(0.5))]))
    found = {}

    def collect(name, iterator):
        found[name] = list(iterator())

    jobs = {"frames": lambda: film.frames(16), "pictures": film.pictures, "waveform": film.waveform}
    threads = [threading.Thread(target=collect, args=job) for job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for frame, picture in zip(found["frames"], found["pictures"], strict=True):
        np.testing.assert_array_equal(frame.picture, ResizePicture(16)(picture.pixels))
        assert frame.seconds == float(picture.seconds)
    assert np.concatenate(found["waveform"]).argmax() == pytest.approx(22050 / 2, abs=1)


def test_a_film_can_be_left_midway(real_film):
    film = open_film(real_film("bikes.mp4"))
    before = threading.active_count()
    for frames in (film.frames(16), film.pictures(), film.waveform()):
        next(frames, None)
        frames.close()
    assert threading.active_count() == before


def test_memory_does_not_grow_with_the_film(tmp_path, write_film, pictures):
    rng = np.random.default_rng(0)
    peaks = []
    for num_frames in (100, 400):
        sound = rng.integers(-(2**15), 2**15, (1, num_frames * 2205)).astype(np.int16)
        path = write_film(tmp_path / f"{num_frames}.mkv", pictures(num_frames), [(0, sound)])
        film = open_film(path)
        tracemalloc.start()
        for iterator in (film.frames(112), film.pictures(), film.waveform()):
            for _ in iterator:
                pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # kept frames would make it fifty times; threads run ahead now more, now less


def test_as_pictures_are_decoded_so_they_were_before(real_film):
    film = real_film("carphone_pristine.mp4")
    with av.open(str(film)) as container:
        expected = [upright_picture(frame) for frame in container.decode(video=0)]
    np.testing.assert_array_equal(pixels(open_film(film)), expected)


@pytest.mark.parametrize(
    "name",
    [
        "-film.mkv",
        "a:b.mkv",
        "http:film.mkv",
        "file:film.mkv",
        "%03d.mkv",
        'it\'s "a" film, ü 映画.mkv',
        "film[1]*?.mkv",
        "two words.final.mkv",
        "concat|film.mkv",
        "film\udcff.mkv",  # a byte that is no UTF-8
    ],
)
def test_any_name_will_do(tmp_path, write_film, pictures, click, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_film(Path("film.mkv"), pictures(2), [(0, click(0.1))]).rename(name)
    Path("link").symlink_to(name)
    film = open_film(name)
    assert film.name == name.removesuffix(".mkv")
    assert len(pixels(film)) == 2
    assert next(film.waveform()).size
    assert len(pixels(open_film("link"))) == 2


@pytest.mark.parametrize(("transfer", "told"), [(16, "(PQ)"), (18, "(HLG)"), (1, "")])
def test_a_high_dynamic_range_is_told(tmp_path, pictures, transfer, told, caplog):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt, stream.codec_context.color_trc = 48, 64, "yuv420p10le", transfer
        for picture in pictures(3):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p10le")))
        film.mux(stream.encode(None))
    assert len(list(open_film(path).frames(16))) == 3
    assert [told in message for message in caplog.messages] == [True] * bool(told)


def test_a_title_in_an_old_encoding_does_no_harm(tmp_path, write_film, pictures):
    path = write_film(tmp_path / "film.mkv", pictures(2), title="Cafe")
    path.write_bytes(path.read_bytes().replace(b"Cafe", "Café".encode("latin-1")))
    assert len(pixels(open_film(path))) == 2


def test_a_frame_rate_for_a_film_file_is_refused(tmp_path, write_film, pictures):
    path = write_film(tmp_path / "film.mkv", pictures(2))
    with pytest.raises(UserError, match="film.mkv: a film file has times of its own"):
        open_film(path, frame_rate_hz=25)


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), av.error.InvalidDataError(1, "Invalid data")]
)
def test_a_film_that_cannot_be_read_to_its_end_is_named(tmp_path, write_film, pictures, click, monkeypatch, error):
    film = open_film(write_film(tmp_path / "film.mkv", pictures(5), [(0, click(0.1))]))

    def fail(*_):
        raise error

    monkeypatch.setattr(encoded_film, "upright_picture", fail)
    monkeypatch.setattr(film_sound, "_samples", fail)
    for items in (film.frames(16), film.pictures(), film.waveform()):
        with pytest.raises(UserError, match=rf"film\.mkv: cannot be read to its end \({error.strerror}\)"):
            list(items)


def test_a_film_whose_first_picture_cannot_be_read_is_named(tmp_path, write_film, pictures, monkeypatch):
    path = write_film(tmp_path / "film.mkv", pictures(2))

    def fail(_):
        raise av.error.InvalidDataError(1, "Invalid data")

    monkeypatch.setattr(encoded_film, "upright_picture", fail)
    with pytest.raises(UserError, match=r"film\.mkv: its pictures cannot be read \(Invalid data\)"):
        open_film(path)


def test_frames_are_counted_by_the_pictures_where_the_sound_is_longer(tmp_path, write_film, pictures, click):
    path = write_film(tmp_path / "film.mkv", pictures(20), [(0, click(1, 60))], start_seconds=0)
    assert open_film(path).num_frames == 20

"""The output `roi`, and what encoders make of it. Encoders that are not installed are skipped."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from made_films import write_film

from data_pipelines.films.film import open_film
from stavis_jax.outputs.encoders.encoder_maps import encoder_maps

WIDTH, HEIGHT, NUM_FRAMES = 384, 256, 30
SALIENT = slice(64, 128), slice(64, 192)  # two blocks of the 24
MOST_GROWTH = 0.05  # of the encoded film
LEAST_GAIN_DB = 1.0  # of the salient blocks
LEAST_GAIN_DB_OF_AV1 = 0.5  # SVT-AV1 2.3 coarsens the other blocks more than it refines these


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A texture that is equally hard to encode everywhere, and changes."""
    random = np.random.default_rng(0)
    textures = random.normal(128, 60, (2, HEIGHT // 4, WIDTH // 4, 3)).clip(0, 255)
    shares = np.linspace(0, 1, NUM_FRAMES)[:, None, None, None]
    frames = (textures[0] * (1 - shares) + textures[1] * shares).repeat(4, axis=1).repeat(4, axis=2)
    return write_film(tmp_path_factory.mktemp("film") / "film.mkv", frames.astype(np.uint8), frame_rate_hz=25)


@pytest.fixture(scope="module")
def roi(film, predicted, feed, tmp_path_factory) -> Path:
    """The folder of the output for a map whose attention is in the salient blocks."""
    saliency = np.full((HEIGHT // 16, WIDTH // 16), 0.02)
    saliency[tuple(slice(part.start // 16, part.stop // 16) for part in SALIENT)] = 0.9
    folder = tmp_path_factory.mktemp("out") / "roi"
    feed(encoder_maps, folder, open_film(film), predicted([saliency] * NUM_FRAMES))
    return folder


@pytest.fixture(scope="module")
def raw_film(film) -> Path:
    """The film as Y4M, which encoders read."""
    path = film.with_suffix(".y4m")
    with av.open(str(film)) as source, av.open(str(path), "w", format="yuv4mpegpipe") as target:
        stream = target.add_stream("wrapped_avframe", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in source.decode(video=0):
            target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode(None))
    return path


def installed(encoder: str, flag: str = "") -> str:
    """Returns the path of an encoder. Skips the test if it is not installed, or does not know a flag."""
    path = shutil.which(encoder)
    if path is None:
        pytest.skip(f"{encoder} is not installed")
    if flag and flag not in subprocess.run([path, "--help"], capture_output=True, text=True, check=False).stdout:
        pytest.skip(f"this version of {encoder} has no {flag}")
    return path


def luma(path: Path) -> np.ndarray:
    """Returns the brightness of all frames, float [N, HEIGHT, WIDTH]."""
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="yuv420p")[:HEIGHT, :WIDTH] for frame in film.decode(video=0)]
    return np.stack(frames).astype(float)


def luma_and_chroma(film: Path, path: Path) -> Path:
    """Writes the frames of a film without any header."""
    with av.open(str(film)) as source, path.open("wb") as file:
        for frame in source.decode(video=0):
            file.write(frame.to_ndarray(format="yuv420p").tobytes())
    return path


def decibels(error: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / (error**2).mean()))


def check_encoded(raw_film: Path, plain: Path, guided: Path, least_gain_db: float = LEAST_GAIN_DB) -> None:
    """Asserts that the salient blocks are better, the others are worse, and the film is about as large."""
    errors = [luma(path) - luma(raw_film) for path in (plain, guided)]
    (inside, inside_guided) = (decibels(error[:, *SALIENT]) for error in errors)
    for error in errors:
        error[:, *SALIENT] = np.nan
    (outside, outside_guided) = (decibels(error[np.isfinite(error)]) for error in errors)
    assert inside_guided - inside > least_gain_db
    assert outside_guided < outside
    assert abs(guided.stat().st_size / plain.stat().st_size - 1) < MOST_GROWTH


def run(*command, folder: Path, may_crash: bool = False) -> None:
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or (may_crash and done.returncode < 0), done.stderr[-2000:]


def test_svt_av1_gets_a_line_for_a_change_of_at_most_eight_levels_of_every_block(roi):
    (line,) = (roi / "svt-av1.txt").read_text().splitlines()
    picture, *levels = map(int, line.split())
    assert picture == 0 and len(levels) == 4 * 6 and len(set(levels)) <= 8
    offsets = np.array(levels).reshape(4, 6)
    assert (offsets[1, 1:3] < 0).all() and offsets.min() >= -255


def test_a_line_follows_each_change_of_the_map(tmp_path, feed, predicted, film):
    maps = [np.eye(8), np.eye(8), np.eye(8)[::-1], np.eye(8)[::-1]]
    feed(encoder_maps, tmp_path / "roi", open_film(film), predicted(maps))
    lines = (tmp_path / "roi" / "svt-av1.txt").read_text().splitlines()
    assert [int(line.split()[0]) for line in lines] == [0, 2]


def test_kvazaar_gets_columns_rows_and_offsets_of_every_frame(roi):
    numbers = np.array((roi / "kvazaar.txt").read_text().split(), int).reshape(NUM_FRAMES, 2 + 4 * 6)
    assert (numbers[:, :2] == (6, 4)).all()
    offsets = numbers[0, 2:].reshape(4, 6)
    assert (offsets[1, 1:3] < 0).all() and (offsets == offsets.min()).sum() == 2


def test_ffmpeg_gets_boxes_of_each_second(roi):
    script = (roi / "ffmpeg.txt").read_text()
    assert "segment=frames=25[s0][s1];" in script  # 30 frames are one second and a bit
    assert [box[1] for box in re.finditer(r"[=,](64:64:128:64):qoffset=-", script)] == ["64:64:128:64"] * 2


@pytest.mark.slow
def test_svt_av1_spends_bits_where_people_look(roi, raw_film, tmp_path):
    encoder = installed("SvtAv1EncApp", "--roi-map-file")
    encode = (encoder, "-i", raw_film, "--preset", "10", "--rc", "0", "--aq-mode", "0", "--crf", "40", "--lp", "1")
    run(*encode, "-b", tmp_path / "plain.ivf", folder=roi)
    run(*encode, "--roi-map-file", "svt-av1.txt", "-b", tmp_path / "guided.ivf", folder=roi)
    check_encoded(raw_film, tmp_path / "plain.ivf", tmp_path / "guided.ivf", LEAST_GAIN_DB_OF_AV1)


@pytest.mark.slow
def test_kvazaar_spends_bits_where_people_look(roi, raw_film, tmp_path):
    planes = luma_and_chroma(raw_film, tmp_path / "film.yuv")  # kvazaar 2.3.1 shifts the first frame of a Y4M
    encode = (installed("kvazaar", "--roi"), "-i", planes, "--input-res", f"{WIDTH}x{HEIGHT}", "--input-fps", "25")
    encode += ("--preset", "ultrafast", "--gop", "lp-g4d3t1", "--threads", "1", "--bitrate", "1500000")
    run(*encode, "-o", tmp_path / "plain.hevc", folder=roi)
    # kvazaar 2.3.1 frees the name of the map twice after it has written everything: its issue 427
    run(*encode, "--roi", "kvazaar.txt", "-o", tmp_path / "guided.hevc", folder=roi, may_crash=True)
    check_encoded(raw_film, tmp_path / "plain.hevc", tmp_path / "guided.hevc")


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_ffmpeg_spends_bits_where_people_look(codec, roi, film, raw_film, tmp_path):
    encoder = installed("ffmpeg")
    codecs = subprocess.run([encoder, "-encoders"], capture_output=True, text=True, check=True).stdout
    if codec not in codecs:
        pytest.skip(f"this ffmpeg has no {codec}")
    encode = ("-c:v", codec, "-preset", "veryfast", "-threads", "1", "-b:v", "500k", "-pix_fmt", "yuv420p", "-an")
    run(encoder, "-y", "-i", film, *encode, tmp_path / "plain.mp4", folder=roi)
    script = ("-filter_complex_script", "ffmpeg.txt", "-map", "[out]")
    run(encoder, "-y", "-i", film, *script, *encode, tmp_path / "guided.mp4", folder=roi)
    check_encoded(raw_film, tmp_path / "plain.mp4", tmp_path / "guided.mp4")
    times = []
    for name in ("plain.mp4", "guided.mp4"):
        with av.open(str(tmp_path / name)) as encoded:
            times.append([round(float(frame.time), 3) for frame in encoded.decode(video=0)])
    assert times[0] == times[1]


@pytest.mark.parametrize("waits_ms", [0, 600])
def test_ffmpeg_keeps_uneven_times_and_the_distance_to_the_sound(waits_ms, tmp_path, feed, predicted):
    encoder, path = installed("ffmpeg"), tmp_path / "film.mkv"
    times_ms = np.cumsum([0, *np.random.default_rng(1).integers(20, 140, 79)])
    pictures = np.zeros((80, 64, 128, 3), np.uint8) + np.arange(80, dtype=np.uint8)[:, None, None, None]
    sound = [(0.0, np.zeros((1, 22050 * 8), np.int16))]
    write_film(path, pictures, sound, frame_rate_hz=25, times_ms=times_ms + waits_ms)
    film = open_film(path)
    predictions = predicted([np.eye(8)[:: 1 - 2 * (number // 40)] for number in range(80)])
    timed = zip(predictions, times_ms.tolist(), strict=True)
    feed(encoder_maps, tmp_path / "roi", film, [replace(one, seconds=time / 1000) for one, time in timed])
    how = ("-map", "[out]", "-map", "0:a", "-c:v", "libx264", "-b:v", "90k", "-fps_mode", "passthrough", "-c:a", "copy")
    script = tmp_path / "roi" / "ffmpeg.txt"
    assert "segment=frames=25|50|75" in script.read_text()
    run(encoder, "-i", path, "-filter_complex_script", script, *how, "encoded.mkv", folder=tmp_path)
    with av.open(str(tmp_path / "encoded.mkv")) as encoded:
        found = [float(frame.time) for frame in encoded.decode(video=0)]
    np.testing.assert_allclose(found, (times_ms + waits_ms) / 1000, atol=0.02)  # ffmpeg rounds to a frame of 25 Hz

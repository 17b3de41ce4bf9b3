"""Fixtures: made-up and real films, and predictions of their frames."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import made_films
import numpy as np
import pytest

from data_pipelines.films.decoding import open_video, packets, upright_picture
from stavis_jax.outputs.map_films import overlay_film
from stavis_jax.outputs.options import OutputOptions
from stavis_jax.prediction.frame_prediction import FramePrediction

SOUND_RATE_HZ = 22050


@dataclasses.dataclass(frozen=True)
class ShownPicture:
    pixels: np.ndarray
    seconds: Fraction
    duration_seconds: Fraction | None


class VideoOfAFile:
    """A film as outputs see it. Its times rise even where the clock of its file restarts."""

    def __init__(self, path: Path):
        self.path = path
        self.open_decoders = 0
        with open_video(path) as streams:
            first = next(streams.container.decode(streams.video))
            self.height, self.width = upright_picture(first).shape[:2]
            self.start_seconds = first.pts * first.time_base
            self.frame_rate_hz = float(streams.video.average_rate or streams.video.guessed_rate)
            self.sound_path = path if streams.audio else None
            self.pixel_aspect = Fraction(1)
            self.name = path.stem

    def pictures(self) -> Iterator[ShownPicture]:
        self.open_decoders += 1
        try:
            with open_video(self.path) as streams:
                step = 1 / Fraction(self.frame_rate_hz).limit_denominator(1001)
                last = -step
                for packet in packets(self.path, streams.container, [streams.video]):
                    for frame in packet.decode():
                        seconds = frame.pts * frame.time_base - self.start_seconds
                        last = seconds if seconds > last else last + step
                        duration = frame.duration * frame.time_base if frame.duration else None
                        yield ShownPicture(upright_picture(frame), last, duration)
        finally:
            self.open_decoders -= 1


@pytest.fixture(scope="session")
def open_film() -> Callable[[Path], VideoOfAFile]:
    return VideoOfAFile


@pytest.fixture(scope="session")
def changed_film() -> Callable[..., VideoOfAFile]:
    """Returns the film of a file with some attributes changed."""

    def change(path: Path, **attributes) -> VideoOfAFile:
        film = VideoOfAFile(path)
        vars(film).update(attributes)
        return film

    return change


@pytest.fixture(scope="session")
def real_film(tmp_path_factory) -> VideoOfAFile:
    """30 frames of 1280x720 pixels, 25 a second, with 5.1 sound."""
    return VideoOfAFile(made_films.beginning_of_real_film("bigbuckbunny.mp4", 1.2, tmp_path_factory.mktemp("film")))


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    """Writes grey pictures [height, width] at the given times and, unless None, a second of tone that starts late."""

    def write(path: Path, times_ms: list[int], shape: tuple[int, int], late_seconds: float | None = None) -> Path:
        tone = (8000 * np.sin(np.arange(SOUND_RATE_HZ) / 5)).astype(np.int16)[None]
        return made_films.write_film(
            path,
            np.full((len(times_ms), *shape, 3), 128, np.uint8),
            [] if late_seconds is None else [(late_seconds, tone)],
            frame_rate_hz=25,
            times_ms=times_ms,
            packet_samples=1024,
        )

    return write


@pytest.fixture
def small_film(write_film, tmp_path) -> VideoOfAFile:
    """20 grey frames of 64x48 pixels, 25 a second, with sound."""
    return VideoOfAFile(write_film(tmp_path / "film.mkv", list(range(0, 800, 40)), (48, 64), late_seconds=0.0))


@pytest.fixture(scope="session")
def predicted() -> Callable[..., list[FramePrediction]]:
    """Maps N x [h, w] as predictions 40 ms apart."""

    def predict(saliency_maps, **extras) -> list[FramePrediction]:
        return [
            FramePrediction(number, (number - 1) / 25, np.asarray(saliency_map, np.float32), **extras)
            for number, saliency_map in enumerate(saliency_maps, start=1)
        ]

    return predict


@pytest.fixture(scope="session")
def feed() -> Callable[..., None]:
    """Writes all predictions of a film to an output, with the film's pictures if there is a film."""

    def write_all(open_output, path, film, predictions, **options) -> None:
        with contextlib.ExitStack() as opened:
            pictures = film.pictures() if hasattr(film, "pictures") else iter(())
            if hasattr(pictures, "close"):
                opened.enter_context(contextlib.closing(pictures))
            write = opened.enter_context(open_output(path, film, OutputOptions(**options)))
            for prediction in predictions:
                write(prediction, next(pictures, None))

    return write_all


@pytest.fixture(scope="session")
def frames_of() -> Callable[[Path, str], list]:
    """All frames of a film's "video" or "audio"."""

    def decode(path: Path, kind: str) -> list:
        with av.open(str(path)) as film:
            return list(film.decode(**{kind: 0}))

    return decode


@pytest.fixture
def write_overlay(feed, predicted, open_film):
    """Lays maps over a film file; returns the overlay's path."""

    def write(film: Path, saliency_maps: np.ndarray, **options) -> Path:
        path = film.with_name("overlay.mp4")
        feed(overlay_film, path, open_film(film), predicted(saliency_maps), **options)
        return path

    return write

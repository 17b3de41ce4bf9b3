"""A film as a user has it, a file with sound, and as the original takes it: extracted frames and a .wav."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from benchmarks.input_pipeline import texture
from benchmarks.inputs import FRAME_RATE_HZ
from data_pipelines.synthesize import DATABASE, synthesize


@dataclasses.dataclass(frozen=True)
class Film:
    """path: the file. frames: a folder of img_00001.jpg ... sound: its .wav."""

    path: Path
    frames: Path
    sound: Path


def make_film(folder: Path, num_frames: int, frame_size: tuple[int, int]) -> Film:
    """A synthetic film in the new folder `folder`, with the grain of a camera's picture, as `frame_size` = (W, H)."""
    raw = folder / "raw"
    synthesize(
        raw,
        num_train_films=1,
        num_test_films=1,
        num_frames=num_frames,
        fps=FRAME_RATE_HZ,
        frame_size=frame_size,
        workers=1,
    )
    frames = raw / "video_frames" / DATABASE / "film_001"
    sound = raw / "video_audio" / DATABASE / "film_001" / "film_001.wav"
    grain = texture(frame_size)
    for number, path in enumerate(sorted(frames.iterdir())):
        picture = np.asarray(Image.open(path)) + np.roll(grain, (3 * number, 7 * number), (0, 1))[..., None]
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path, quality=90)
    film = Film(folder / "film.mp4", frames, sound)
    _encode(film, frame_size)
    return film


def _encode(film: Film, frame_size: tuple[int, int]) -> None:
    pcm, rate_hz = soundfile.read(film.sound, dtype="int16", always_2d=True)
    with av.open(str(film.path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(FRAME_RATE_HZ), options={"crf": "20"})
        video.width, video.height, video.pix_fmt = *frame_size, "yuv420p"
        audio = container.add_stream("aac", rate=rate_hz, layout="mono")
        for path in sorted(film.frames.iterdir()):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.asarray(Image.open(path)), format="rgb24")))
        container.mux(video.encode())
        samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(pcm.T), format="s16", layout="mono")
        samples.rate = rate_hz
        container.mux(audio.encode(samples))
        container.mux(audio.encode())

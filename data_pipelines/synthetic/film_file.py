"""Writes a synthetic film as a film file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_pipelines.synthetic.plan import FilmPlan
from data_pipelines.synthetic.scene import render_frames
from data_pipelines.synthetic.sound import SOUND_RATE_HZ, render_film_sound


def write_film_file(plan: FilmPlan, path: Path | str) -> None:
    """Writes the film as MP4: H.264 with mono AAC at 22,050 Hz. Width and height must be even."""
    width, height = plan.frame_size
    with av.open(str(path), "w", format="mp4") as film:
        video = film.add_stream("h264", rate=Fraction(plan.fps).limit_denominator(1001))
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = film.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        for picture in render_frames(plan):
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(np.atleast_2d(render_film_sound(plan)), format="fltp", layout="mono")
        sound.rate, sound.pts = SOUND_RATE_HZ, 0
        film.mux(audio.encode(sound))
        film.mux(audio.encode(None))

"""Measures training with films in the device's memory (--config.data.placement=device)."""

import gc
from collections.abc import Sequence

import jax
import numpy as np

from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.jax_training import TrainingStep
from benchmarks.accelerator.subjects import Setting
from benchmarks.accelerator.timing import seconds_of
from benchmarks.inputs import CLIP_FRAMES, WAVEFORM_SAMPLES
from data_pipelines.inputs.windows import target_frame
from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.devices import DataParallel

FRAMES = 2048


def training_from_device_films(tell, *, setting: Setting) -> None:
    """Measures training steps that gather their clips from frames in the device's memory. Reports clips per second."""
    rng = np.random.default_rng(0)
    films = DeviceFilms(RandomFilm(setting.size, rng), {0: FRAMES}, DataParallel(jax.devices()[:1]))
    first = rng.integers(1, FRAMES - CLIP_FRAMES, (setting.clips, 1))
    batch = {
        "film": np.zeros(setting.clips, np.int32),
        "frames": first + np.arange(CLIP_FRAMES),
        "target_frame": np.array([target_frame(range(n, n + CLIP_FRAMES)) for n in first[:, 0].tolist()]),
        "waveform": rng.standard_normal((setting.clips, WAVEFORM_SAMPLES), np.float32),
        "mirrored": first[:, 0] % 2 == 0,
        "weight": np.ones(setting.clips, np.float32),
    }
    work = TrainingStep(setting, films.rows(batch), films)
    took = seconds_of(work, jax.block_until_ready, setting.seconds / 2)
    detail = {"ms": 1e3 * took.median, "compile_s": work.compile_seconds}
    tell(figure("training, films on the device", setting.clips / took.median, "clips/s", **detail))
    del work, films
    gc.collect()


class RandomFilm:
    """Provides random pixels as a film that `DeviceFilms` can read."""

    def __init__(self, size: int, rng: np.random.Generator):
        self.size, self._rng = size, rng

    def copy_images(self, film: int, frames: Sequence[int], out: np.ndarray) -> None:
        out[:] = self._rng.integers(0, 256, out.shape, np.uint8)

    def copy_maps(self, film: int, frame: int, density: np.ndarray, fixations: np.ndarray) -> None:
        density[:] = self._rng.integers(0, 256, density.shape, np.uint8)
        fixations[:] = self._rng.random(fixations.shape) < 0.01

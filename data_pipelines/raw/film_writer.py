"""Writes the files of one film in the raw layout."""

import shutil
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_pipelines.raw.gaze_maps import JPEG_QUALITY, density_map, fixation_map, save_density, save_fixations
from data_pipelines.raw.layout import OBSERVER_COLUMNS, RawLayout
from data_pipelines.runtime.atomic import write_csv
from data_pipelines.runtime.errors import UserError

MOST_SOUND_BYTES = 2**32 - 2**10  # the header of a WAV file counts bytes in 32 bits


@dataclass(frozen=True)
class FilmWriter:
    """Writes film `name` of `database` into `layout`. Frames are numbered from 1."""

    layout: RawLayout
    database: str
    name: str

    def write_frame(self, number: int, picture: Image.Image, **jpeg_options: int) -> None:
        """Writes a frame as JPEG, by default of quality 95 with full colour resolution."""
        path = self._new_frame(number)
        options: dict[str, Any] = {"quality": JPEG_QUALITY, "subsampling": 0} | jpeg_options
        picture.save(path, **options)

    def copy_frame(self, number: int, jpeg: Path) -> None:
        """Writes the content of a JPEG file as a frame."""
        shutil.copyfile(jpeg, self._new_frame(number))

    def _new_frame(self, number: int) -> Path:
        path = self.layout.frame_path(self.database, self.name, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_maps(
        self, number: int, points: np.ndarray, frame_size: tuple[int, int], sigma: float, **options: float
    ) -> None:
        """Writes the fixation map and the density map of a frame; for the arguments see `gaze_maps.density_map`."""
        self.write_given_maps(number, density_map(points, frame_size, sigma, **options), points, frame_size)

    def write_given_maps(
        self, number: int, density: np.ndarray, points: np.ndarray, frame_size: tuple[int, int]
    ) -> None:
        """Writes a density map, uint8 [H, W], and the fixation map of points, int [N, 2], (x, y) in whole pixels."""
        path = self.layout.density_path(self.database, self.name, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_density(path, density)
        save_fixations(self.layout.fixation_path(self.database, self.name, number), fixation_map(points, frame_size))

    def write_observers(self, rows: Iterable[tuple[str, int, int, int]]) -> None:
        """Writes who looked where: rows of observer, frame, x and y in pixels of the frame."""
        write_csv(self.layout.observers_path(self.database, self.name), OBSERVER_COLUMNS, rows)

    def write_sound(self, chunks: Iterable[np.ndarray], rate_hz: int, num_channels: int = 1) -> None:
        """Writes the sound as 16-bit PCM, chunk by chunk.

        Args:
          chunks: int16 [S, num_channels]. The first sample is heard with the first frame.
          rate_hz: sample rate.
          num_channels: number of channels.

        Raises:
          UserError: the sound is longer than a WAV file can be.
        """
        path = self.layout.sound_path(self.database, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        num_bytes = 0
        with path.open("wb") as file, wave.open(file, "wb") as sound:
            sound.setparams((num_channels, 2, rate_hz, 0, "NONE", ""))
            for chunk in chunks:
                num_bytes += chunk.nbytes
                if num_bytes > MOST_SOUND_BYTES:
                    raise UserError(f"{path.name}: the sound is longer than a WAV file can be (4 GiB). Cut the film.")
                sound.writeframes(chunk.astype("<i2").tobytes())

    def remove(self) -> None:
        """Removes all files of the film."""
        for folder in (
            self.layout.frame_folder(self.database, self.name),
            self.layout.sound_path(self.database, self.name).parent,
            self.layout.annotation_folder(self.database, self.name),
        ):
            shutil.rmtree(folder, ignore_errors=True)

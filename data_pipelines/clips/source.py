"""Reads clips from shards by random access, as grain and PyTorch's data loaders expect it."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from data_pipelines.inputs import windows as clips
from data_pipelines.raw.databases import in_reading_order
from data_pipelines.raw.fold_lists import Subset
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import Shards, StoredFilm

Windows = Literal["train", "validation", "test"]

_log = logging.getLogger(__name__)


class Clips:
    """The clips of one subset of one split, film after film in the order of the lists; see `open_clips`.

    An item holds some frames of a film, the maps of their median frame, and the sound from half a frame before the
    first of them to half a frame after the last.
    """

    def __init__(self, shards: Shards, films: Sequence[int], windows: Windows, silent: Sequence[int] = ()):
        """`films` and `silent` are positions in the films of the shards. Silent films are read without sound."""
        self.shards = shards
        self._silent = frozenset(silent)
        self.windows = windows
        windows_of = clips.test_windows if windows == "test" else clips.training_windows
        num_frames = {film: shards.films[film].num_frames for film in films}
        self._windows = np.array(
            [
                (film, *window)
                for film in films
                for window in (windows_of(num_frames[film]) if num_frames[film] > 1 else clips.windows_of_still())
            ]
        ).reshape(-1, 3)  # film, first frame, last frame

    @property
    def films(self) -> list[StoredFilm]:
        """All films of the shards, also those of other lists. `film_index` is a position in this list."""
        return self.shards.films

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Returns an item, a dict:

          clip          float32 [16, S, S, 3], RGB in [0, 255] minus the ActivityNet mean
          waveform      float32 [35280], in [-256, 256)
          density       float32 [S, S], 0 to 255
          fixations     float32 [S, S], 0 or 1
          database      name of the database
          video         name of the film
          frames        int [16], frame numbers from 1
          target_frame  the frame of the maps

        The item of a training window has all its frames, up to 90. `read` returns an item for any 16 of them.
        """
        return self.read(index, self.frames(index))

    def frames(self, index: int) -> np.ndarray:
        """Returns the frame numbers of an item, without reading it. Raises IndexError past the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        _, first, last = self._windows[index].tolist()
        frames = clips.window_frames(first, last)
        return clips.centre_crop(frames) if self.windows == "validation" else frames

    def film_index(self, index: int) -> int:
        """Returns the position in `films` of the film of an item."""
        return int(self._windows[index, 0])

    def read(self, index: int, frames: Sequence[int] | np.ndarray) -> dict[str, Any]:
        """Returns an item with these frames of the film of item `index`; see `__getitem__`."""
        film, frames, size = self.films[self.film_index(index)], np.asarray(frames), self.shards.size
        row: dict[str, np.ndarray] = {
            "clip": np.empty((len(frames), size, size, 3), np.uint8),
            "waveform": np.empty(clips.WAVEFORM_SAMPLES, np.float32),
            "density": np.empty((size, size), np.uint8),
            "fixations": np.empty((size, size), np.uint8),
        }
        self.fill(row, index, frames)
        return row | {
            "clip": clips.subtract_mean(row["clip"]),
            "density": row["density"].astype(np.float32),
            "fixations": row["fixations"].astype(np.float32),
            "database": film.database,
            "video": film.name,
            "frames": frames,
            "target_frame": clips.target_frame(frames),
        }

    def fill(self, row: Mapping[str, np.ndarray], index: int, frames: Sequence[int] | np.ndarray) -> None:
        """Fills arrays with the stored form of these frames of the film of item `index`.

        Args:
          row: clip uint8 [len(frames), S, S, 3]; density and fixations uint8 [S, S]; waveform float32 [L], the middle L
            samples of the network's waveform, where L is even. Without "waveform" or "clip", sound or pixels are not
            read.
          index: number of the item.
          frames: frame numbers from 1.
        """
        film_index, numbers = self.film_index(index), np.asarray(frames).tolist()
        film, target = self.films[film_index], clips.target_frame(frames)
        has_sound = film.sound_rate_hz and film_index not in self._silent and "waveform" in row
        sounding = range(numbers[0], numbers[-1] + 1) if has_sound else ()
        if "clip" in row:
            self.shards.copy_images(film_index, numbers, row["clip"])
            self.shards.copy_maps(film_index, target, row["density"], row["fixations"])
        if "waveform" in row:
            excerpt = self.shards.sound(film_index, sounding) if sounding else np.zeros(0, np.float32)
            clips.waveform(excerpt, out=row["waveform"])

    @property
    def longest_sound(self) -> int:
        """The even number of samples in the middle of the network's waveform outside which no clip has sound."""
        rates = {(film.fps, film.sound_rate_hz) for film in self.films}
        return max((clips.longest_sound(*rate) for rate in rates), default=0)


def open_clips(
    shards: Path | str,
    subset: Subset = "train",
    split: int = 1,
    windows: Windows | None = None,
    databases: Sequence[str] | None = None,
    *,
    silence_last_video: bool = False,
) -> Clips:
    """Opens the clips of prepared shards for random access. The result can be pickled.

    Args:
      shards: folder that data_pipelines.prepare wrote.
      subset: "train" or "test".
      split: number of the split, from 1.
      windows: "train" for up to 90 frames every 74 frames, to be cropped at random; "validation" for the middle 16 of
        each training window; "test" for 16 frames from every frame but the last, where short windows are repeated from
        their start. By default the name of the subset. A still has one window of each kind, its frame 16 times.
      databases: folders to read, by default all.
      silence_last_video: whether to leave out the sound of the last film of each list, as the released code does.

    Raises:
      UserError: there are no shards, or no list of the databases for this subset and split.
    """
    windows = windows or subset
    if windows not in get_args(Windows):
        raise UserError(f"windows: {windows!r} is not known. Choose train, validation or test.")
    opened = Shards(shards)
    held = in_reading_order(list({film.database for film in opened.films}))
    for database in databases or ():
        if database not in held:
            raise UserError(f"databases: {database!r} is not in {shards}. Choose from {', '.join(held)}.")
    listed = opened.lists.get(subset, {}).get(str(split), [])
    chosen = [film for film in listed if databases is None or opened.films[film].database in databases]
    missing = [
        database
        for database in databases or held
        if not any(opened.films[film].database == database for film in chosen)
    ]
    if missing and (databases or missing == held):
        raise UserError(
            f"{shards}: no {subset} films of split {split} for {missing[0]}. Choose another split or database."
        )
    for database in missing:
        _log.warning("%s: no %s films of split %s for %s, which is left out.", shards, subset, split, database)
    last_of_each_list = {opened.films[film].database: film for film in chosen}
    return Clips(opened, chosen, windows, tuple(last_of_each_list.values()) if silence_last_video else ())

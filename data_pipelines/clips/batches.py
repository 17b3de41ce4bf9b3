"""Reads batches of clips for training and scoring, with shuffling, cropping, mirroring and prefetching.

A batch is a dict of NumPy arrays. Pixels are 8-bit, as they are stored; the device subtracts the mean and mirrors them
(`stavis_jax.training.batches.network_inputs`), because float32 would be four times as much to copy:

  clip          uint8 [B, 16, S, S, 3], RGB
  density       uint8 [B, S, S], 0 to 255
  fixations     uint8 [B, S, S], 0 or 1
  mirrored      bool [B], whether clip and maps are to be mirrored; in training only
  crop, colour  float32 [B, 2, 4] and [B, 6], how clip and maps are to be changed; in training with augmentation only
  waveform      float32 [B, L], in [-256, 256): the middle of the network's waveform [B, 35280], which is 0 elsewhere;
                left out without `sound`
  weight        float32 [B], 0 for padding, else 1
  film          int32 [B], position in `open_clips(...).films`
  clip_index    int32 [B], position in `open_clips(...)`
  target_frame  int32 [B], numbered from 1
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np

from data_pipelines.clips.augmentation import Augmentation, DrawChanges
from data_pipelines.clips.batch_memory import BatchMemory, SlotBatch
from data_pipelines.clips.batch_reader import BatchReader
from data_pipelines.clips.source import Clips, Windows, open_clips
from data_pipelines.clips.transforms import DrawMirroring, RandomCrop
from data_pipelines.inputs.windows import target_frame
from data_pipelines.raw.fold_lists import Subset
from data_pipelines.runtime.errors import UserError


def training_batches(
    shards: Path | str,
    *,
    split: int,
    batch_size: int,
    seed: int,
    databases: Sequence[str] | None = None,
    num_workers: int = 0,
    host_index: int = 0,
    host_count: int = 1,
    sound: bool = True,
    pixels: bool = True,
    augmentation: Augmentation | None = None,
) -> BatchReader:
    """Returns endless batches of training clips: a random clip of each window, half of them to be mirrored.

    Each epoch draws clips, mirroring and order anew. Epochs follow one another without a gap, so a batch may hold the
    end of one epoch and the start of the next. `clips_per_epoch` counts the clips of an epoch. `get_state` and
    `set_state` (or grain.checkpoint) resume exactly, with any `num_workers`.

    Args:
      shards: folder that data_pipelines.prepare wrote.
      split: number of the split, from 1.
      batch_size: clips per batch of this host. The batches of all hosts, one after the other, hold the clips that one
        host would read with `batch_size * host_count`, in the same order. A state is valid for any number of hosts.
      seed: decides order, clips and mirroring.
      databases: folders to read, by default all.
      num_workers: processes that read ahead; 0 reads in threads.
      host_index: number of this host, from 0.
      host_count: number of hosts.
      sound: whether to read the sound. The visual network does not use it.
      pixels: whether to read clip and maps. If not, batches have the frame numbers, "frames" int [B, 16], instead.
      augmentation: how far clips are changed; by default they are mirrored only.

    Raises:
      UserError: there are no shards or no clips.
    """
    _check_counts(batch_size, num_workers, host_index, host_count)
    windows = open_clips(shards, "train", split, "train", databases)
    chain = (
        grain.MapDataset.source(_Listing(windows))
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(RandomCrop())
        .map(_add_target_frame)
        .random_map(DrawMirroring())
    )
    if augmentation is not None and augmentation.changes:
        chain = chain.random_map(DrawChanges(augmentation))
    chain = (
        # drop_remainder: endless data have none, but rounding up their length overflows in grain.
        chain.batch(batch_size * host_count, drop_remainder=True, batch_fn=_stack)
        .map(_TakeShare(host_index * batch_size, batch_size))
        .map(ReadBatch(windows, sound, pixels))
    )
    return BatchReader(chain, num_workers)


def evaluation_batches(
    shards: Path | str,
    *,
    subset: Subset,
    split: int,
    windows: Windows,
    batch_size: int,
    databases: Sequence[str] | None = None,
    num_workers: int = 0,
    host_index: int = 0,
    host_count: int = 1,
    sound: bool = True,
) -> BatchReader:
    """Returns batches with every clip once, in order. The last batch is padded with clips of weight 0.

    All hosts get the same number of batches. For arguments and errors see `open_clips` and `training_batches`.
    """
    if windows == "train":
        raise UserError("windows: training windows differ in length. Choose validation or test.")
    source = open_clips(shards, subset, split, windows, databases)
    _check_counts(batch_size, num_workers, host_index, host_count)
    chain = (
        grain.MapDataset.source(_Listing(source, multiple_of=batch_size * host_count))
        .map(_add_target_frame)[host_index::host_count]
        .batch(batch_size, batch_fn=_stack)
        .map(ReadBatch(source, sound, pixels=True))
    )
    return BatchReader(chain, num_workers)


def clips_per_epoch(shards: Path | str, *, split: int, databases: Sequence[str] | None = None) -> int:
    """Returns the number of clips in an epoch of `training_batches`, over all hosts: one of each training window."""
    return len(open_clips(shards, "train", split, "train", databases))


@dataclasses.dataclass(frozen=True)
class _Listing:
    """Lists clips and their frames, before anything is read, padded to a multiple with clips of weight 0.

    The padding repeats a real clip: an empty one could give NaN, which survives a weight of 0.
    """

    clips: Clips
    multiple_of: int = 1

    def __len__(self) -> int:
        return -(-len(self.clips) // self.multiple_of) * self.multiple_of

    def __getitem__(self, position: int) -> dict[str, Any]:
        index = min(position, len(self.clips) - 1)
        return {
            "clip_index": np.int32(index),
            "film": np.int32(self.clips.film_index(index)),
            "frames": self.clips.frames(index),
            "weight": np.float32(position == index),
        }


@dataclasses.dataclass(frozen=True)
class _TakeShare(grain.transforms.Map):
    """Takes the rows of one host from a batch of all hosts, before anything is read."""

    first: int
    count: int

    def map(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: array[self.first : self.first + self.count] for key, array in batch.items()}


@dataclasses.dataclass(frozen=True)
class ReadBatch(grain.transforms.Map):
    """Reads the clips that a batch of elements names."""

    clips: Clips
    sound: bool
    pixels: bool

    def map(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray] | SlotBatch:
        frames, size, count = batch["frames"], self.clips.shards.size, len(batch["weight"])
        layout: dict[str, tuple[tuple[int, ...], str]] = {}
        if self.pixels:
            del batch["frames"]
            layout["clip"] = ((count, frames.shape[1], size, size, 3), "uint8")
            layout["density"] = layout["fixations"] = ((count, size, size), "uint8")
        if self.sound:
            layout["waveform"] = ((count, self.clips.longest_sound), "float32")
        memory = BatchMemory(layout)
        for i, index in enumerate(batch["clip_index"].tolist()):
            self.clips.fill({name: array[i] for name, array in memory.arrays.items()}, index, frames[i])
        return memory.finished(batch)


def _add_target_frame(element: dict[str, Any]) -> dict[str, Any]:
    # Keep this step between the two random ones: grain derives their seeds from their positions.
    return element | {"target_frame": np.int32(target_frame(element["frames"]))}


def _stack(elements: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {key: np.stack([element[key] for element in elements]) for key in elements[0]}


def _check_counts(batch_size: int, num_workers: int, host_index: int, host_count: int) -> None:
    if batch_size < 1 or num_workers < 0:
        raise UserError(f"batch_size {batch_size}, num_workers {num_workers}: give at least 1 and 0.")
    if not 0 <= host_index < host_count:
        raise UserError(f"host_index {host_index}: with host_count {host_count}, give 0 to {host_count - 1}.")

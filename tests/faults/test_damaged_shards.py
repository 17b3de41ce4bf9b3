"""Damaged shards: their checksums reveal the damage before training uses it, and the error names the shard."""

import contextlib
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from bad_shards import ANNOTATIONS, flip
from supplies import copy_of

from data_pipelines.clips.batches import training_batches
from data_pipelines.runtime.errors import UserError
from data_pipelines.shards.reader import Shards

TRAINING = "saliency_frames-frames.array_record-00000-of-00003"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scramble(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def spoil_a_picture(path: Path) -> None:
    """Flips a bit of the last frame's pixels."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"image") + 100] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, scramble, spoil_a_picture])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_damaged_file_is_named_while_reading_batches(damage, num_workers, supplies, tmp_path, tally):
    if num_workers and damage is not spoil_a_picture:
        return  # a process takes seconds and reports the same
    tally.fault("main", f"shard damaged: {damage.__name__.replace('_', ' ')}")
    shards = copy_of(supplies.shards, tmp_path)
    damage(shards / TRAINING)
    batches = training_batches(shards, split=1, batch_size=1, seed=0, num_workers=num_workers)
    with contextlib.closing(batches), pytest.raises(UserError, match=f"{TRAINING}, frame .*: damaged .* again."):
        list(itertools.islice(batches, 20))


def test_every_flipped_bit_of_a_record_is_found(supplies, tmp_path, tally):
    """ArrayRecord stores a hash of each record. Each of a hundred flipped bits is found."""
    flips = 100
    tally.fault("main", "bit of a record flipped", flips)
    shards = copy_of(supplies.shards, tmp_path)
    path, rng = shards / TRAINING, np.random.default_rng(0)
    good = path.read_bytes()
    whole = [read(shards, frame) for frame in range(1, 19)]
    used = np.flatnonzero(np.frombuffer(good, np.uint8))
    for at in rng.choice(used, flips, replace=False):
        content = bytearray(good)
        content[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        for frame, expected in enumerate(whole, start=1):
            with contextlib.suppress(UserError):
                assert read(shards, frame) == expected  # the flipped bit is in another record, or UserError was raised
    path.write_bytes(good)


def read(shards: Path, frame: int) -> bytes:
    stored = Shards(shards).read(0, frame)
    return b"".join(part.tobytes() for part in (stored.image, stored.density, stored.fixations, stored.sound))


def test_a_flipped_bit_of_an_annotation_is_found(supplies, tmp_path, tally):
    tally.fault("evaluate", "bit of a record flipped")
    shards = copy_of(supplies.shards, tmp_path)
    flip(shards / ANNOTATIONS)
    with pytest.raises(UserError, match=f"{ANNOTATIONS}, frame .*: damaged"):
        [Shards(shards).native_annotation(2, frame).density for frame in range(1, 19)]

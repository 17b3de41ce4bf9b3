"""Sizes of the measurements, numbers of rounds, and settings of malloc."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

# glibc returns big buffers to the kernel after each call, and the next call waits for fresh pages. These settings keep
# the buffers: one arena, since a thread's own arena cannot hold big buffers, and no mmap of any size.
TUNED_MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TOP_PAD_": str(2**28),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
}
KEEP_BIG_BUFFERS = "BENCHMARKS_KEEP_BIG_BUFFERS"  # if this is set, our side keeps buffers as its commands do


class Malloc(NamedTuple):
    """Environment variables of both sides."""

    theirs: Mapping[str, str]
    ours: Mapping[str, str]


MALLOCS = {
    "plain": Malloc({}, {}),
    "as commands": Malloc({}, {KEEP_BIG_BUFFERS: "1"}),
    "tuned malloc": Malloc(TUNED_MALLOC, TUNED_MALLOC),
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Sizes of all measurements.

    Attributes:
        depth, size: of the network, and of its clips in pixels.
        rounds: pairs of times per row.
        window_seconds: a time is the mean of calls that fill this long.
        split_batch: clips of the training step that is split over devices.
        small_depths: of the job `depths`.
        small_depth, small_size: the smaller of the two networks of the job `growth`.
    """

    depth: int = 50
    size: int = 112
    rounds: int = 7
    window_seconds: float = 0.5
    forward_batches: tuple[int, ...] = (1, 4, 16)
    training_batch: int = 4
    mallocs: tuple[str, ...] = tuple(MALLOCS)
    film_frames: int = 64
    film_size: tuple[int, int] = (640, 480)
    loader_sizes: tuple[tuple[int, int], ...] = ((640, 480), (160, 120))
    loader_seconds: float = 2.0
    matmul_size: int = 2048
    film_lengths: tuple[int, ...] = (50, 100, 200)
    batches: tuple[int, ...] = (1, 2, 4, 8, 16)
    device_counts: tuple[int, ...] = (1, 2, 4, 8)
    split_batch: int = 8
    small_depths: tuple[int, ...] = (34, 18, 10)
    small_depth: int = 10
    small_size: int = 64


QUICK = Plan(
    depth=10,
    size=32,
    rounds=1,
    window_seconds=0.05,
    forward_batches=(1, 2),
    training_batch=2,
    film_frames=16,
    film_size=(160, 120),
    loader_sizes=((160, 120),),
    loader_seconds=0.1,
    matmul_size=256,
    film_lengths=(8, 16),
    batches=(1, 2),
    device_counts=(1, 2),
    split_batch=2,
    small_depths=(10,),
    small_size=32,
)

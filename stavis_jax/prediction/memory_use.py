"""Sets how much memory prediction keeps to be fast."""

from typing import NamedTuple


class MemoryUse(NamedTuple):
    """Says what is kept to be fast. The predicted maps do not depend on it.

    Attributes:
      clips_in_flight: how many clips a CPU computes or prepares at once. Each has intermediate results of its own.
      batches_between_trims: after so many batches, freed memory goes back to the system; None leaves that to malloc.
    """

    clips_in_flight: int
    batches_between_trims: int | None


OF_LIBRARY = MemoryUse(2, None)
OF_COMMANDS = {"normal": MemoryUse(2, 3), "low": MemoryUse(1, 1)}

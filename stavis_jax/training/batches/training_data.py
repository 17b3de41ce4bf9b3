"""The data of a training, as the loop reads them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

from stavis_jax.training.batches.device_films import DeviceFilms
from stavis_jax.training.batches.network_inputs import HostBatch
from stavis_jax.training.devices import DataParallel


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """The data that a training reads on this host.

    Attributes:
      batches: endless training batches. Their position is saved with the weights.
      steps_per_epoch: batches per epoch.
      validation: returns the batches of one validation pass.
      films: names by the batches' "film", for messages.
      digest: identifies these training data. A training continues only with the same data.
      place_films: returns the films on these devices, for training batches without pixels; None if they have pixels.
    """

    batches: Iterator[HostBatch]
    steps_per_epoch: int
    validation: Callable[[], Iterable[HostBatch]]
    films: Sequence[str] = ()
    digest: str = ""
    place_films: Callable[[DataParallel], DeviceFilms] | None = None

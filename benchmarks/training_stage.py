"""The settings of a training stage, for benchmarks of its train step."""

from stavis_jax.configs import av
from stavis_jax.training.settings import TrainingSettings

STEPS_PER_EPOCH = 1000  # decides when the learning rate falls, not how fast a step is


def stage_settings(variant: str, batch_size: int, accumulate: int = 1) -> TrainingSettings:
    """Returns the paper's settings of the stage that trains a variant, for batches of `batch_size` clips.

    Args:
      variant: "visual" or a system with sound.
      batch_size: clips per batch, over all devices.
      accumulate: batches per update.
    """
    stage = av.get_config().stages["visual" if variant == "visual" else "audiovisual"].to_dict()
    return TrainingSettings(**stage | {"batch_size": batch_size, "effective_batch": batch_size * accumulate})

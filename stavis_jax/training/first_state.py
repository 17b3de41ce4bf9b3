"""Makes the first state of a training from a network and the training's settings."""

import functools

from stavis_jax.models.stavis import Stavis
from stavis_jax.training import optimizer, step
from stavis_jax.training.settings import TrainingSettings


def first_state(
    network: Stavis, settings: TrainingSettings, steps_per_epoch: int
) -> tuple[step.StepConstants, step.TrainState]:
    """Returns the constants and the first state of a training that starts from `network`."""
    schedule = optimizer.step_schedule(settings.learning_rate, settings.epochs, steps_per_epoch, settings.accumulate)
    make_optimizer = functools.partial(
        optimizer.sgd,
        schedule,
        momentum=settings.momentum,
        dampening=settings.dampening,
        weight_decay=settings.weight_decay,
        max_gradient_norm=settings.max_gradient_norm,
        accumulate=settings.accumulate,
    )
    return step.create(
        network,
        make_optimizer,
        settings.group_rates,
        effective_batch=settings.effective_batch,
        loss_weights=settings.loss_weights,
        freeze_upsampling=settings.freeze_upsampling,
    )

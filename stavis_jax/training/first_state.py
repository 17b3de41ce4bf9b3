"""Makes the first state of a training from a network and the training's settings."""

from typing import Any

import optax

from stavis_jax.models.stavis import Stavis
from stavis_jax.training import optimizer, step
from stavis_jax.training.settings import TrainingSettings
from stavis_jax.training.weight_average import with_average


def first_state(
    network: Stavis, settings: TrainingSettings, steps_per_epoch: int
) -> tuple[step.StepConstants, step.TrainState]:
    """Returns the constants and the first state of a training that starts from `network`."""
    make_schedule = {"steps": optimizer.step_schedule, "cosine": optimizer.cosine_schedule}[settings.schedule]
    common: dict[str, Any] = {
        "weight_decay": settings.weight_decay,
        "max_gradient_norm": settings.max_gradient_norm,
        "accumulate": settings.accumulate,
    }
    schedule = make_schedule(settings.learning_rate, settings.epochs, steps_per_epoch, settings.accumulate)

    def make_optimizer(rate_factors: optax.Params) -> optax.GradientTransformation:
        if settings.optimizer == "adam":
            made = optimizer.adam(schedule, rate_factors, **common)
        else:
            made = optimizer.sgd(
                schedule, rate_factors, momentum=settings.momentum, dampening=settings.dampening, **common
            )
        return with_average(made, settings.average) if settings.average else made

    return step.create(
        network,
        make_optimizer,
        settings.group_rates,
        effective_batch=settings.effective_batch,
        loss_weights=settings.loss_weights,
        freeze_upsampling=settings.freeze_upsampling,
        frames=settings.frames,
    )

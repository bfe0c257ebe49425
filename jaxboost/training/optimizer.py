"""The optimiser of one member, with its own decay and schedule."""

from __future__ import annotations

import optax

from jaxboost.training.joined_weights import JoinedWeights
from jaxboost.training.member import Hyperparameters
from jaxboost.training.schedule import warmup_cosine_cycles
from jaxboost.training.training_settings import TrainingSettings


def optimizer_of(hyper: Hyperparameters, settings: TrainingSettings) -> optax.GradientTransformation:
    """AdamW of `JoinedWeights` with clipping and the member's own decay and schedule; only matrices decay."""
    schedule = schedule_of(hyper, settings)
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm),
        optax.scale_by_adam(),
        optax.add_decayed_weights(hyper.weight_decay, JoinedWeights.are_matrices),
        optax.scale_by_learning_rate(schedule),
    )


def schedule_of(hyper: Hyperparameters, settings: TrainingSettings) -> optax.Schedule:
    """The member's learning rate by step."""
    return warmup_cosine_cycles(
        steps_per_epoch=settings.steps_per_epoch,
        min_lr=hyper.min_lr,
        max_lr=hyper.max_lr,
        warmup_epochs=hyper.warmup_epochs,
        cycle_epochs=hyper.cycle_epochs,
        cycles=hyper.cycles,
        decay=settings.lr_decay,
    )

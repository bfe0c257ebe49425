"""The optimiser of one member, with its own decay and schedule."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxboost.training.joined_weights import JoinedWeights
from jaxboost.training.member import Hyperparameters
from jaxboost.training.schedule import warmup_cosine_cycles
from jaxboost.training.training_settings import TrainingSettings

_MEAN, _SQUARE, _EPSILON = 0.9, 0.999, 1e-8  # of Adam, its authors' and optax's


def optimizer_of(hyper: Hyperparameters, settings: TrainingSettings) -> optax.GradientTransformationExtraArgs:
    """AdamW of `JoinedWeights` with clipping and the member's own decay and schedule; only matrices decay.

    `update` takes `failed` too, whether the gradient is not finite: the moments stay what they were then.
    """
    return optax.chain(
        optax.stateless(lambda grads, _: _clipped(grads, settings.clip_norm)),
        _adam(),
        optax.add_decayed_weights(hyper.weight_decay, JoinedWeights.are_matrices),
        optax.scale_by_learning_rate(schedule_of(hyper, settings)),
    )


def updated(
    optimizer: optax.GradientTransformationExtraArgs, grads: Any, params: Any, state: Any, failed: jax.Array
) -> tuple[Any, Any]:
    """Weights and optimiser state after a step, or where the gradient `failed` the weights and moments of before."""
    updates, state = optimizer.update(grads, state, params, failed=failed)
    moved = optax.apply_updates(params, updates)
    return jax.tree.map(lambda old, new: jnp.where(failed, old, new), params, moved), state


def _clipped(grads: Any, most: float) -> Any:
    """Gradients of a norm of `most`, where it is greater.

    A factor, where `optax.clip_by_global_norm` divides: XLA would keep all quotients for the two moments to read.
    """
    norm = optax.tree.norm(grads)
    factor = jnp.where(norm > most, most / norm, 1.0)
    return jax.tree.map(lambda grad: grad * factor, grads)


def _adam() -> optax.GradientTransformationExtraArgs:
    """optax's, whose moments are changed in place: its updates are computed from the moments that it returns.

    From those of before, as XLA would have it, both would have to be copied in each step of a loop.
    """
    adam = optax.scale_by_adam(_MEAN, _SQUARE, _EPSILON)

    def update(
        grads: Any, state: optax.ScaleByAdamState, params: Any = None, *, failed: jax.Array, **_: Any
    ) -> tuple[Any, optax.ScaleByAdamState]:
        _, moved = adam.update(grads, state)
        new = jax.tree.map(lambda old, own: jnp.where(failed, old, own), state, moved)
        # GPUs have one kernel for moments and updates, which reads everything once.
        new = jax.lax.platform_dependent(new, cpu=jax.lax.optimization_barrier, default=lambda x: x)
        mean = optax.tree.bias_correction(new.mu, _MEAN, new.count)
        square = optax.tree.bias_correction(new.nu, _SQUARE, new.count)
        return jax.tree.map(lambda m, s: m / (jnp.sqrt(s) + _EPSILON), mean, square), new

    return optax.GradientTransformationExtraArgs(adam.init, update)


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

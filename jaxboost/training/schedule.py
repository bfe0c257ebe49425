"""The learning rate: a linear warmup, then decaying cosine cycles."""

import math
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxboost.errors import InputError

# A figure of a schedule: a Python or numpy number, or a (traced) scalar array, one a member under `jax.vmap`.
Figure = float | int | jax.Array | np.ndarray


def warmup_cosine_cycles(
    *,
    steps_per_epoch: Figure,
    min_lr: Figure,
    max_lr: Figure,
    warmup_epochs: Figure,
    cycle_epochs: Figure,
    cycles: Figure,
    decay: Figure = 0.8,
) -> optax.Schedule:
    r"""Learning rate that warms up linearly and then falls in cosine cycles of decaying height.

    With `e = step / steps_per_epoch` a real number, `w = warmup_epochs`, the cycle
    `c = floor((e - w) / cycle_epochs)` and `t = e - w - c cycle_epochs` the epochs into it:

        lr = min_lr + (max_lr - min_lr) e / w                                          e < w
        lr = min_lr + (max_lr decay**c - min_lr) (1 + cos(pi t / cycle_epochs)) / 2    c < cycles
        lr = min_lr                                                                    afterwards

    It starts at `min_lr`, is `max_lr` at the end of the warmup and jumps to `max_lr decay**c` where cycle `c`
    starts. That start is found by an exact remainder: no cycle starts a step late (float32, to 2**24 steps).

    Args:
        steps_per_epoch: optimiser steps in an epoch, above 0.
        min_lr: lowest rate, not below 0.
        max_lr: rate at the end of the warmup, not below `min_lr`.
        warmup_epochs: epochs of the warmup, not below 0; without a warmup the first step is at `max_lr`.
        cycle_epochs: epochs of one cycle, above 0.
        cycles: number of cycles, a whole number, 1 or more.
        decay: factor on `max_lr` from a cycle to the next, in (0, 1].
        Each may be a scalar array or a tracer (members under `jax.vmap` differ); only numbers are checked.

    Returns:
        `schedule(step) -> lr`, float32 of the shape of `step`.

    Raises:
        InputError: a number is outside its range.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, eq. 5, here with equal cycles and a decaying maximum.
    """
    _require("steps_per_epoch", steps_per_epoch, "above 0", lambda x: x > 0)
    _require("min_lr", min_lr, "0 or more", lambda x: x >= 0)
    _require("max_lr", max_lr, "0 or more", lambda x: x >= 0)
    _require("warmup_epochs", warmup_epochs, "0 or more", lambda x: x >= 0)
    _require("cycle_epochs", cycle_epochs, "above 0", lambda x: x > 0)
    _require("cycles", cycles, "a whole number, 1 or more", lambda x: x >= 1 and x == int(x))
    _require("decay", decay, "in (0, 1]", lambda x: 0 < x <= 1)
    if _is_number(min_lr) and _is_number(max_lr) and max_lr < min_lr:
        raise InputError(f"schedule: max_lr = {max_lr} is below min_lr = {min_lr}; swap them or raise max_lr")

    def schedule(step: Any) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        low, high = jnp.asarray(min_lr, jnp.float32), jnp.asarray(max_lr, jnp.float32)
        # In steps rather than epochs: whole numbers, which float32 holds exactly.
        warmup = jnp.asarray(warmup_epochs * steps_per_epoch, jnp.float32)
        length = jnp.asarray(cycle_epochs * steps_per_epoch, jnp.float32)
        rising = low + (high - low) * step / jnp.where(warmup > 0, warmup, 1.0)
        cycle, into = jnp.divmod(jnp.maximum(step - warmup, 0.0), length)
        peak = high * jnp.asarray(decay, jnp.float32) ** cycle
        falling = low + (peak - low) * (1.0 + jnp.cos(jnp.pi * into / length)) / 2.0
        return jnp.where(step < warmup, rising, jnp.where(cycle < cycles, falling, low))

    return schedule


def cycles_to_fill(epochs: float, warmup_epochs: float, cycle_epochs: float) -> int:
    """The number of cycles that leaves no epoch of the budget at `min_lr`.

        max(1, ceil((epochs - warmup_epochs) / cycle_epochs))

    Args:
        epochs: the budget, above 0.
        warmup_epochs: as of `warmup_cosine_cycles`.
        cycle_epochs: as of `warmup_cosine_cycles`.

    Returns:
        The number of cycles; the last one is cut short where they do not divide the budget.

    Raises:
        InputError: a number is outside its range.
    """
    _require("epochs", epochs, "above 0", lambda x: x > 0)
    _require("warmup_epochs", warmup_epochs, "0 or more", lambda x: x >= 0)
    _require("cycle_epochs", cycle_epochs, "above 0", lambda x: x > 0)
    return max(1, math.ceil((epochs - warmup_epochs) / cycle_epochs))


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real)


def _require(name: str, value: Any, allowed: str, holds: Any) -> None:
    """Refuse a Python or numpy number outside its range; arrays and tracers have no value to look at."""
    if _is_number(value) and not (math.isfinite(value) and holds(value)):
        raise InputError(f"schedule: {name} = {value} must be {allowed}")

"""A member of the population is data: its rows, its seed, and the figures in which members differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxboost.data.batches import Normalizer
from jaxboost.models.batch import Array


class Hyperparameters(NamedTuple):
    """What the compiled step reads of a member; stacked on a leading member axis.

    Attributes:
      seed: of initial weights, dropout, mixup and views.
      dropout, column_dropout, weight_decay, mixup_alpha: rates.
      min_lr, max_lr: of the schedule.
      warmup_epochs, cycle_epochs, cycles: of the schedule.
      epochs, patience: budget, and epochs without a lower validation loss before it stops.
      modalities: [4] which modalities it may see.
    """

    seed: Array | int
    dropout: Array | float
    column_dropout: Array | float
    weight_decay: Array | float
    mixup_alpha: Array | float
    min_lr: Array | float
    max_lr: Array | float
    warmup_epochs: Array | int
    cycle_epochs: Array | int
    cycles: Array | int
    epochs: Array | int
    patience: Array | int
    modalities: Array


@dataclass(frozen=True)
class Member:
    """One network to train.

    Attributes:
      name: of its folder, as `kfold_0`.
      train, validation: rows of the table; without validation rows the last epoch is kept.
      normalizer: fitted on `train`.
      hyperparameters: scalars, see `Hyperparameters`.
      taught: [n, class] what trees say of the `train` rows (`teacher.taught`); None where nothing teaches it.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    normalizer: Normalizer
    hyperparameters: Hyperparameters
    taught: np.ndarray | None = None


def stack_hyperparameters(members: list[Hyperparameters]) -> Hyperparameters:
    """[member, ...] arrays of 32 bits."""
    kinds = {"seed": np.uint32, "modalities": bool}
    whole = ("warmup_epochs", "cycle_epochs", "cycles", "epochs", "patience")
    kinds |= dict.fromkeys(whole, np.int32)
    values = {}
    for name in Hyperparameters._fields:
        kind = kinds.get(name, np.float32)
        values[name] = jnp.asarray(np.array([getattr(member, name) for member in members], kind))
    return Hyperparameters(**values)

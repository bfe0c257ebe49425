"""What changes while a member trains: how it begins, when it stops, and which epoch it keeps."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxboost.models import Network, SymmetryTables
from jaxboost.training.joined_weights import JoinedWeights, join
from jaxboost.training.member import Hyperparameters
from jaxboost.training.optimizer import optimizer_of
from jaxboost.training.training_settings import TrainingSettings


class MemberState(NamedTuple):
    """All that changes while a member trains.

    Attributes:
      params, optimizer: weights and optimiser state, whose moments are `JoinedWeights` too.
      memory: [n, d] embeddings of its training rows after the last epoch, 0 of all others and without recall.
      best_params, best_memory, best_loss, best_accuracy, best_epoch: of the epoch with the least validation loss.
      epoch: epochs done.
      failed: a gradient was not finite; the member stopped there.
    """

    params: JoinedWeights
    optimizer: Any
    memory: jax.Array
    best_params: JoinedWeights
    best_memory: jax.Array
    best_loss: jax.Array
    best_accuracy: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    failed: jax.Array


def stopped(state: MemberState, hyper: Hyperparameters) -> jax.Array:
    """Whether a member has spent its epochs or its patience, or failed."""
    impatient = state.epoch - state.best_epoch >= hyper.patience
    return (state.epoch >= hyper.epochs) | impatient | state.failed


def init_state(
    network: Network,
    hyper: Hyperparameters,
    example: Any,
    tables: SymmetryTables,
    settings: TrainingSettings,
    rows: int,
) -> MemberState:
    """Fresh state of one member of a table of `rows`: weights from its seed, whatever else is in the population."""
    params = join(network.init(jax.random.key(hyper.seed), example, tables)["params"])
    # Without recall one column of zeros: compiled programs do not take back arrays of no elements.
    memory = jnp.zeros((rows, max(network.settings.recall_width, 1)), jnp.float32)
    return MemberState(
        params=params,
        optimizer=optimizer_of(hyper, settings).init(params),
        memory=memory,
        best_params=params,
        best_memory=memory,
        best_loss=jnp.float32(jnp.inf),
        best_accuracy=jnp.float32(-1.0),
        best_epoch=jnp.int32(0),
        epoch=jnp.int32(0),
        failed=jnp.bool_(False),
    )


def keep_best(state: MemberState, loss: jax.Array, accuracy: jax.Array) -> MemberState:
    """Ends an epoch: keeps its weights if their validation loss is less. Without validation rows (NaN) the latest are.

    The accuracy is not what is asked: among epochs that are alike its highest is a lucky one, often of a rate that has
    not come down yet, and on the rows that chose it it says too much (docs/results.md).
    """
    unvalidated = jnp.isnan(loss)
    better = (unvalidated | (loss < state.best_loss)) & ~state.failed
    epoch = state.epoch + 1
    return state._replace(
        best_params=jax.tree.map(lambda a, b: jnp.where(better, a, b), state.params, state.best_params),
        best_memory=jnp.where(better, state.memory, state.best_memory),
        best_loss=jnp.where(better & ~unvalidated, loss, state.best_loss),
        best_accuracy=jnp.where(better & ~unvalidated, accuracy, state.best_accuracy),
        best_epoch=jnp.where(better, epoch, state.best_epoch),
        epoch=epoch,
    )

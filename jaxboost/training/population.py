"""The population: all members trained by one compiled program.

Some steps of one member are a pure function of (state, hyperparameters, normalizer, batches); `jax.lax.map` or
`jax.vmap` makes them the population's, `jax.shard_map` lays members over devices, one `jit` holds it and donates the
state.
Clipping, the guard against gradients that are not finite, patience and the best epoch are inside, member by member.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, Normalizer, gather
from jaxboost.data.views import random_view
from jaxboost.models import Network, SymmetryTables
from jaxboost.training.member import Hyperparameters
from jaxboost.training.objective import (
    cross_entropy,
    focal_loss,
    mixed_cross_entropy,
    mixup_share,
    smoothed_targets,
)
from jaxboost.training.schedule import warmup_cosine_cycles

Params = Any


class MemberState(NamedTuple):
    """All that changes while a member trains.

    Attributes:
      params, optimizer: weights and optimiser state.
      best_params, best_accuracy, best_loss, best_epoch: of the best epoch by validation accuracy, ties by loss.
      epoch: epochs done.
      failed: a gradient was not finite; the member stopped there.
    """

    params: Params
    optimizer: Any
    best_params: Params
    best_accuracy: jax.Array
    best_loss: jax.Array
    best_epoch: jax.Array
    epoch: jax.Array
    failed: jax.Array


class CallLog(NamedTuple):
    """Figures of one call, each [member]: means over its steps; `trained` is False where a member had stopped.

    The validation figures are NaN but in the last call of an epoch.
    """

    trained: jax.Array
    lr: jax.Array
    train_loss: jax.Array
    train_accuracy: jax.Array
    validation_loss: jax.Array
    validation_accuracy: jax.Array


@dataclass(frozen=True)
class TrainingSettings:
    """What is the same for all members; see `configs/extreme.py`."""

    steps_per_epoch: int
    steps_per_call: int
    nodes: int
    cutoff: float
    neighbors: int
    jitter: float
    strain: float
    gamma: float
    smoothing: float
    mixup_probability: float
    clip_norm: float
    lr_decay: float
    axis: str  # 'map' or 'vmap'


def stopped(state: MemberState, hyper: Hyperparameters) -> jax.Array:
    """Whether a member has spent its epochs or its patience, or failed."""
    impatient = state.epoch - state.best_epoch >= hyper.patience
    return (state.epoch >= hyper.epochs) | impatient | state.failed


def make_mesh(members: int, data: int) -> Mesh:
    """A `('member', 'data')` mesh over the first `members * data` devices."""
    return jax.make_mesh(
        (members, data),
        ("member", "data"),
        axis_types=(AxisType.Auto,) * 2,
        devices=jax.devices()[: members * data],
    )


def resolve_axis(axis: str) -> str:
    """'auto' is 'map' on CPUs, where the activations of one member fit the cache, and 'vmap' on accelerators."""
    if axis != "auto":
        return axis
    return "map" if jax.default_backend() == "cpu" else "vmap"


def optimizer_of(hyper: Hyperparameters, settings: TrainingSettings) -> optax.GradientTransformation:
    """AdamW with clipping and the member's own decay and schedule; matrices decay, vectors do not."""
    schedule = schedule_of(hyper, settings)
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm),
        optax.scale_by_adam(),
        optax.add_decayed_weights(hyper.weight_decay, lambda params: jax.tree.map(lambda p: p.ndim > 1, params)),
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


def init_state(
    network: Network, hyper: Hyperparameters, example: Any, tables: SymmetryTables, settings: TrainingSettings
) -> MemberState:
    """Fresh state of one member: weights from its seed, whatever else is in the population."""
    params = network.init(jax.random.key(hyper.seed), example, tables)["params"]
    return MemberState(
        params=params,
        optimizer=optimizer_of(hyper, settings).init(params),
        best_params=params,
        best_accuracy=jnp.float32(-1.0),
        best_loss=jnp.float32(jnp.inf),
        best_epoch=jnp.int32(0),
        epoch=jnp.int32(0),
        failed=jnp.bool_(False),
    )


def batch_loss(
    network: Network,
    settings: TrainingSettings,
    params: Params,
    batch: Any,
    labels: jax.Array,
    hyper: Hyperparameters,
    tables: SymmetryTables,
    key: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Mean loss and accuracy of one training batch; on a share of the batches fused features are mixed."""
    keys = jax.random.split(key, 5)
    mix = jax.random.bernoulli(keys[0], settings.mixup_probability) & (hyper.mixup_alpha > 0)
    share = jnp.where(mix, mixup_share(keys[1], hyper.mixup_alpha), 1.0)
    partner = jax.random.permutation(keys[2], labels.shape[0])
    apply: Callable[..., Any] = network.apply
    fused, _ = apply({"params": params}, batch, tables, hyper.dropout, method="fuse", rngs={"dropout": keys[3]})
    mixed = share.astype(fused.dtype) * fused + (1 - share).astype(fused.dtype) * fused[partner]
    # The mask is never mixed: a class stays possible where either crystal allows it.
    possible = batch.possible | (batch.possible[partner] & mix)
    logits = apply({"params": params}, mixed, possible, hyper.dropout, method="classify", rngs={"dropout": keys[4]})
    plain = focal_loss(logits, labels, gamma=settings.gamma, smoothing=settings.smoothing)
    across = mixed_cross_entropy(logits, labels, labels[partner], share, smoothing=settings.smoothing)
    correct = (logits.argmax(-1) == labels).mean()
    return jnp.where(mix, across, plain).mean(), correct


def member_call(
    network: Network,
    settings: TrainingSettings,
    materials: Materials,
    tables: SymmetryTables,
    offset: jax.Array,
    state: MemberState,
    hyper: Hyperparameters,
    normalizer: Normalizer,
    batches: jax.Array,
    validation: jax.Array,
) -> tuple[MemberState, CallLog]:
    """Some steps of one member, and at the end of an epoch its validation.

    Args:
      offset: steps of the epoch before this call.
      batches: [step, b] rows; validation: [step, b] rows, -1 for none.
    """
    optimizer = optimizer_of(hyper, settings)
    pack = partial(
        gather,
        materials,
        nodes=settings.nodes,
        normalizer=normalizer,
        modalities=hyper.modalities,
        cutoff=settings.cutoff,
    )

    def step(carry: tuple, inputs: tuple) -> tuple:
        params, opt, failed = carry
        number, rows = inputs
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), hyper.seed), number)
        key = jax.random.fold_in(key, jax.lax.axis_index("data"))
        view_key, noise_key, loss_key = jax.random.split(key, 3)
        view = random_view(view_key, neighbors=settings.neighbors, jitter=settings.jitter, strain=settings.strain)
        batch = pack(rows, view=view, key=noise_key)
        labels = materials.label[rows]
        loss_of = lambda p: batch_loss(network, settings, p, batch, labels, hyper, tables, loss_key)  # noqa: E731
        (loss, accuracy), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
        loss, accuracy, grads = jax.lax.pmean((loss, accuracy, grads), "data")
        failed = failed | ~jnp.isfinite(optax.tree.norm(grads))
        updates, new_opt = optimizer.update(grads, opt, params)
        new = (optax.apply_updates(params, updates), new_opt)
        params, opt = jax.tree.map(lambda a, b: jnp.where(failed, b, a), new, (params, opt))
        return (params, opt, failed), (loss, accuracy)

    numbers = state.epoch * settings.steps_per_epoch + offset + jnp.arange(settings.steps_per_call)
    carry = (state.params, state.optimizer, state.failed)
    losses: jax.Array
    accuracies: jax.Array
    (params, opt, failed), (losses, accuracies) = jax.lax.scan(step, carry, (numbers, batches))
    state = state._replace(params=params, optimizer=opt, failed=failed)

    def score(rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        logits, _ = network.apply({"params": params}, pack(rows), tables)
        there = rows >= 0
        labels = jnp.where(there, materials.label[rows], 0)
        loss = cross_entropy(logits, smoothed_targets(labels, logits.shape[-1], 0.0))
        return (loss * there).sum(), ((logits.argmax(-1) == labels) & there).sum(), there.sum()

    def finish(state: MemberState) -> tuple[MemberState, jax.Array, jax.Array]:
        loss_sum, correct, count = jax.lax.psum([x.sum() for x in jax.lax.map(score, validation)], "data")
        accuracy = jnp.where(count > 0, correct / jnp.maximum(count, 1), jnp.nan).astype(jnp.float32)
        loss = jnp.where(count > 0, loss_sum / jnp.maximum(count, 1), jnp.nan).astype(jnp.float32)
        return keep_best(state, loss, accuracy), loss, accuracy

    nan = jnp.float32(jnp.nan)
    is_last = offset + settings.steps_per_call >= settings.steps_per_epoch
    state, loss, accuracy = jax.lax.cond(is_last, finish, lambda state: (state, nan, nan), state)
    log = CallLog(
        trained=jnp.bool_(True),
        lr=jnp.float32(schedule_of(hyper, settings)(numbers[-1])),
        train_loss=losses.mean(),
        train_accuracy=accuracies.mean().astype(jnp.float32),
        validation_loss=loss,
        validation_accuracy=accuracy,
    )
    return state, log


def keep_best(state: MemberState, loss: jax.Array, accuracy: jax.Array) -> MemberState:
    """Ends an epoch: keeps its weights if they validate better. Without validation rows (NaN) the latest are kept."""
    unvalidated = jnp.isnan(accuracy)
    better = (accuracy > state.best_accuracy) | ((accuracy == state.best_accuracy) & (loss < state.best_loss))
    better = (unvalidated | better) & ~state.failed
    epoch = state.epoch + 1
    return state._replace(
        best_params=jax.tree.map(lambda a, b: jnp.where(better, a, b), state.params, state.best_params),
        best_accuracy=jnp.where(better & ~unvalidated, accuracy, state.best_accuracy),
        best_loss=jnp.where(better & ~unvalidated, loss, state.best_loss),
        best_epoch=jnp.where(better, epoch, state.best_epoch),
        epoch=epoch,
    )


def population_program(network: Network, settings: TrainingSettings, mesh: Mesh) -> jax.stages.Wrapped:
    """The compiled steps of the whole population.

    Call it with (state, hyper, normalizers, batches [member, step, b], validation [member, step, b], offset, materials,
    tables), the first five stacked on the member axis, whose length the mesh's member axis divides. The state is
    donated.
    """

    def one(stacked: tuple, offset: jax.Array, materials: Materials, tables: SymmetryTables) -> tuple:
        state, hyper, normalizer, batches, validation = stacked

        def train(state: MemberState) -> tuple[MemberState, CallLog]:
            return member_call(
                network, settings, materials, tables, offset, state, hyper, normalizer, batches, validation
            )

        def rest(state: MemberState) -> tuple[MemberState, CallLog]:
            nan = jnp.float32(jnp.nan)
            return state, CallLog(jnp.bool_(False), nan, nan, nan, nan, nan)

        return jax.lax.cond(stopped(state, hyper), rest, train, state)

    def local(
        state: Any, hyper: Any, normalizers: Any, batches: Any, validation: Any, offset: Any, *resident: Any
    ) -> Any:
        stacked = (state, hyper, normalizers, batches, validation)
        run = lambda own: one(own, offset, *resident)  # noqa: E731
        return jax.lax.map(run, stacked) if settings.axis == "map" else jax.vmap(run)(stacked)

    member, rows = P("member"), P("member", None, "data")
    sharded = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(member, member, member, rows, rows, P(), P(), P()),
        out_specs=(member, member),
        check_vma=False,
    )
    return jax.jit(sharded, donate_argnums=0)


def place(tree: Any, mesh: Mesh, spec: P) -> Any:
    """Lays host arrays on the mesh."""
    return jax.device_put(tree, NamedSharding(mesh, spec))


def stack(trees: list[Any]) -> Any:
    """Stacks trees of one structure on a leading axis, on the host."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def unstack(tree: Any, index: int) -> Any:
    """One member's slice, on the host."""
    return jax.tree.map(lambda leaf: np.asarray(leaf[index]), tree)

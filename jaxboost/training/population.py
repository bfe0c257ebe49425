"""The population: all members trained by one compiled program.

Some steps of one member are a pure function of (state, hyperparameters, normalizer, batches); `jax.lax.map` or
`jax.vmap` makes them the population's, `jax.shard_map` lays members over devices, one `jit` holds it and donates the
state.
Clipping, the guard against gradients that are not finite, patience and the best epoch are inside, member by member.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, Normalizer, gather
from jaxboost.data.views import View, random_view
from jaxboost.models import Memory, Network, SymmetryTables
from jaxboost.models.batch import Batch
from jaxboost.training.joined_weights import join
from jaxboost.training.member import Hyperparameters
from jaxboost.training.member_state import MemberState, init_state, keep_best, stopped
from jaxboost.training.memory import draw, renewed, whole
from jaxboost.training.objective import batch_loss, cross_entropy, smoothed_targets
from jaxboost.training.optimizer import optimizer_of, schedule_of, updated
from jaxboost.training.threefry import training_key
from jaxboost.training.training_settings import TrainingSettings


class CallLog(NamedTuple):
    """Figures of one call, each [member]: means over its steps; `trained` is False where a member had stopped.

    The validation figures are NaN but in the last call of an epoch; `diverged` is the step of the call at which the
    gradient was not finite, -1 where it always was.
    """

    trained: jax.Array
    diverged: jax.Array
    lr: jax.Array
    train_loss: jax.Array
    train_accuracy: jax.Array
    validation_loss: jax.Array
    validation_accuracy: jax.Array


def make_mesh(members: int, data: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A `('member', 'data')` mesh over the first `members * data` of `devices`, by default of all processes."""
    return jax.make_mesh(
        (members, data),
        ("member", "data"),
        axis_types=(AxisType.Auto,) * 2,
        devices=(devices or jax.devices())[: members * data],
    )


def resolve_axis(axis: str) -> str:
    """'auto' is 'map' on CPUs, where the activations of one member fit the cache, and 'vmap' on accelerators."""
    if axis != "auto":
        return axis
    return "map" if jax.default_backend() == "cpu" else "vmap"


def member_call(
    network: Network,
    settings: TrainingSettings,
    share: Callable[[Batch], Batch],
    materials: Materials,
    tables: SymmetryTables,
    offset: jax.Array,
    state: MemberState,
    hyper: Hyperparameters,
    normalizer: Normalizer,
    taught: jax.Array | None,
    batches: jax.Array,
    validation: jax.Array,
    remembered: jax.Array,
) -> tuple[MemberState, CallLog]:
    """Some steps of one member, and at the end of an epoch its validation.

    Args:
      share: lays a batch over the devices that share it.
      offset: steps of the epoch before this call.
      taught: [n, class] what the member's teacher says of its training rows, if it has one.
      batches: [step, b] rows; validation, remembered: [step, b] rows, -1 for none, of which the latter are all that
        it trains on.
    """
    optimizer = optimizer_of(hyper, settings)

    def pack(rows: jax.Array, **view: Any) -> Batch:
        batch = gather(
            materials, rows, nodes=settings.nodes, normalizer=normalizer, modalities=hyper.modalities,
            cutoff=settings.cutoff, **view,
        )  # fmt: skip
        return share(batch)

    begun = state.epoch > 0

    def step(carry: tuple, inputs: tuple) -> tuple:
        params, opt, failed = carry
        rows, view, noise_key, loss_key, draw_key = inputs
        batch = pack(rows, view=view, key=noise_key)
        recalled = draw(draw_key, state.memory, materials.label, remembered, settings.recall_draw, begun=begun)
        said = None if taught is None else taught[rows]
        loss_of = lambda p: batch_loss(  # noqa: E731
            network, settings, p, batch, rows, materials, hyper, tables, recalled, said, loss_key
        )
        # By the named arrays: the gradient of a slice is as long as the vector that it is cut from.
        (loss, accuracy), named = jax.value_and_grad(loss_of, has_aux=True)(params.named())
        grads = join(named)
        failed = failed | ~jnp.isfinite(optax.tree.norm(grads))
        params, opt = updated(optimizer, grads, params, opt, failed)
        return (params, opt, failed), (loss, accuracy, failed)

    def drawn_for(number: jax.Array) -> tuple[View, jax.Array, jax.Array, jax.Array]:
        key = jax.random.fold_in(jax.random.fold_in(training_key(7), hyper.seed), number)
        view_key, *others = jax.random.split(key, 4)
        view = random_view(view_key, neighbors=settings.neighbors, jitter=settings.jitter, strain=settings.strain)
        return view, *others

    numbers = state.epoch * settings.steps_per_epoch + offset + jnp.arange(settings.steps_per_call)
    # Before the steps: within one, XLA would draw its few numbers anew for each element that they change.
    drawn = jax.vmap(drawn_for)(numbers)
    carry = (state.params, state.optimizer, state.failed)
    losses: jax.Array
    accuracies: jax.Array
    failing: jax.Array
    (params, opt, failed), (losses, accuracies, failing) = jax.lax.scan(step, carry, (batches, *drawn))
    state = state._replace(params=params, optimizer=opt, failed=failed)

    def embed(rows: jax.Array) -> jax.Array:
        return network.apply({"params": params.named()}, pack(rows), tables)[1]["embedding"]

    def score(memory: Memory, rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        logits, _ = network.apply({"params": params.named()}, pack(rows), tables, memory=memory)
        there = rows >= 0
        labels = jnp.where(there, materials.label[rows], 0)
        loss = cross_entropy(logits, smoothed_targets(labels, logits.shape[-1], 0.0))
        return (loss * there).sum(), ((logits.argmax(-1) == labels) & there).sum(), there.sum()

    def finish(state: MemberState) -> tuple[MemberState, jax.Array, jax.Array]:
        if network.settings.recall_width:
            state = state._replace(memory=renewed(embed, remembered, *state.memory.shape))
        memory = whole(state.memory, materials.label, remembered)
        sums = jax.lax.map(partial(score, memory), validation)
        loss_sum, correct, count = (x.sum() for x in sums)
        accuracy = jnp.where(count > 0, correct / jnp.maximum(count, 1), jnp.nan).astype(jnp.float32)
        loss = jnp.where(count > 0, loss_sum / jnp.maximum(count, 1), jnp.nan).astype(jnp.float32)
        return keep_best(state, loss, accuracy), loss, accuracy

    # The reader's loss is added to the classifier's; the log has their mean, which stands beside the validation's.
    opinions = 2 if network.settings.reader_width else 1
    nan = jnp.float32(jnp.nan)
    is_last = offset + settings.steps_per_call >= settings.steps_per_epoch
    state, loss, accuracy = jax.lax.cond(is_last, finish, lambda state: (state, nan, nan), state)
    log = CallLog(
        trained=jnp.bool_(True),
        diverged=jnp.where(failing.any(), failing.argmax(), -1).astype(jnp.int32),
        lr=jnp.float32(schedule_of(hyper, settings)(numbers[-1])),
        train_loss=losses.mean() / opinions,
        train_accuracy=accuracies.mean().astype(jnp.float32),
        validation_loss=loss,
        validation_accuracy=accuracy,
    )
    return state, log


def _own_axes(mesh: Mesh) -> set[str]:
    """Axes of which the program of a device names its own part alone; XLA divides what lies along the others."""
    return {"member"} if mesh.shape["data"] > 1 else {"member", "data"}


def population_program(
    network: Network, settings: TrainingSettings, mesh: Mesh, at_once: int | None = None
) -> jax.stages.Wrapped:
    """The compiled steps of the whole population, of which a device runs `at_once` members at a time.

    None is what `settings.axis` says: all with 'vmap', one with 'map'.

    Call it with (state, hyper, normalizers, taught [member, n, class] or None, batches [member, step, b], validation
    and remembered rows [member, step, b], offset, materials, tables), the first seven stacked on the member axis,
    whose length the mesh's member axis divides. The state is donated.
    """

    def share(batch: Batch) -> Batch:
        if mesh.shape["data"] == 1:
            return batch
        return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, P("data")), batch)

    def one(stacked: tuple, offset: jax.Array, materials: Materials, tables: SymmetryTables) -> tuple:
        state, *own = stacked
        hyper = own[0]

        def train(state: MemberState) -> tuple[MemberState, CallLog]:
            return member_call(network, settings, share, materials, tables, offset, state, *own)

        def rest(state: MemberState) -> tuple[MemberState, CallLog]:
            nan = jnp.float32(jnp.nan)
            return state, CallLog(jnp.bool_(False), jnp.int32(-1), nan, nan, nan, nan, nan)

        if mesh.shape["data"] == 1:
            return jax.lax.cond(stopped(state, hyper), rest, train, state)
        # XLA may have all devices meet where those that share a batch exchange their parts: none must stay away.
        at_rest = stopped(state, hyper)
        return jax.tree.map(lambda old, new: jnp.where(at_rest, old, new), rest(state), train(state))

    def local(
        state: Any,
        hyper: Any,
        normalizers: Any,
        taught: Any,
        batches: Any,
        validation: Any,
        remembered: Any,
        offset: Any,
        *resident: Any,
    ) -> Any:
        stacked = (state, hyper, normalizers, taught, batches, validation, remembered)
        run = lambda own: one(own, offset, *resident)  # noqa: E731
        if at_once == 1 or (at_once is None and settings.axis == "map"):
            return jax.lax.map(run, stacked)
        return jax.vmap(run)(stacked) if at_once is None else jax.lax.map(run, stacked, batch_size=at_once)

    member = P("member")
    sharded = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(*[member] * 7, P(), P(), P()),
        out_specs=(member, member),
        axis_names=_own_axes(mesh),
        check_vma=False,
    )
    return jax.jit(sharded, donate_argnums=0)


def init_program(network: Network, settings: TrainingSettings, rows: int) -> jax.stages.Wrapped:
    """The compiled start of one member of a table of `rows`, on one device.

    Call it with (hyper, normalizer, materials, tables).
    """

    def init(hyper: Hyperparameters, normalizer: Normalizer, materials: Materials, tables: SymmetryTables) -> Any:
        example = gather(
            materials, jnp.zeros(2, jnp.int32), nodes=settings.nodes, normalizer=normalizer,
            modalities=hyper.modalities, cutoff=settings.cutoff,
        )  # fmt: skip
        return init_state(network, hyper, example, tables, settings, rows)

    return jax.jit(init)

"""Members on board: each has its seat on a device, and the program that trains them all is being compiled.

A program depends on the shapes of its arrays alone, and those are known as soon as the members are. To compile it keeps
one core busy for a minute and more; what teaches the members takes as long or longer, in processes of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import scoring_batches
from jaxboost.out_of_memory import within_memory
from jaxboost.training.member import Hyperparameters, Member, stack_hyperparameters
from jaxboost.training.member_checkpoint import is_finished, restored_state
from jaxboost.training.member_state import MemberState
from jaxboost.training.placement import place
from jaxboost.training.population import init_program, population_program
from jaxboost.training.processes import from_first, is_first
from jaxboost.training.workshop import Workshop


@dataclass(frozen=True)
class Crew:
    """Members that train together, but for what their teachers say; the arrays are on the devices.

    Attributes:
      names: of the members.
      hyper: [member], in the order of `seated`.
      validation, remembered: [member, step, b] their own rows, -1 for none.
      offsets: steps of the epoch before each call.
      resident: what all members read.
      compile_for: makes the program for a number of members at a time.
      program: that for as many as the device has memory for, and how many; a thread makes it.
    """

    names: frozenset[str]
    hyper: Hyperparameters
    validation: jax.Array
    remembered: jax.Array
    offsets: list[jax.Array]
    resident: tuple[Any, ...]
    compile_for: Callable[[int], Any]
    program: Future[tuple[Any, int]]


def muster(members: list[Member], workshop: Workshop) -> Crew | None:
    """Those whose checkpoint is not finished, None where all are; a thread begins to compile their program.

    Of several processes each calls this.

    Args:
      members: of their `normalizer` and `taught` the shapes count (`teacher.outlined`).
      workshop: where they train.

    Raises:
      InputError: a checkpoint is of something else or cannot be read.
    """
    unfinished = from_first(np.array([not is_finished(workshop.folder / m.name, workshop.identity) for m in members]))
    pending = [member for member, is_left in zip(members, unfinished, strict=True) if is_left]
    if not pending:
        return None
    settings, mesh = workshop.settings, workshop.mesh
    seats = seated(pending, mesh)
    on_rows = partial(place, mesh=mesh, spec=P("member", None, "data"))
    hyper = place(stack_hyperparameters([member.hyperparameters for member in seats]), mesh, P("member"))
    validation = on_rows(_scoring_plan([member.validation for member in seats], workshop))
    remembered = on_rows(_scoring_plan([member.train for member in seats], workshop))
    firsts = range(0, settings.steps_per_epoch, settings.steps_per_call)
    offsets = [place(np.int32(first), mesh, P()) for first in firsts]
    resident = place((workshop.materials, workshop.tables), mesh, P())

    def outline(tree: Any) -> Any:
        """Of one member for all of them."""
        shape = partial(jax.ShapeDtypeStruct, sharding=NamedSharding(mesh, P("member")))
        return jax.tree.map(lambda x: shape((len(seats), *x.shape), jax.dtypes.canonicalize_dtype(x.dtype)), tree)

    one = seats[0]
    init = init_program(workshop.network, settings, len(workshop.sizes))
    state = jax.eval_shape(init, *_start(one, workshop))
    batches = on_rows(np.zeros((len(seats), settings.steps_per_call, workshop.batch), np.int32))
    shapes = (
        outline(state), hyper, outline(one.normalizer), outline(one.taught), batches, validation, remembered,
        offsets[0], *resident,
    )  # fmt: skip
    at_once = 1 if settings.axis == "map" else len(seats) // mesh.shape["member"]

    def compile_for(count: int) -> Any:
        asked = None if count == at_once else count
        return population_program(workshop.network, settings, mesh, asked).lower(*shapes).compile()

    thread = ThreadPoolExecutor(1, "compiling")
    program = thread.submit(within_memory, compile_for, at_once)
    thread.shutdown(wait=False)
    names = frozenset(member.name for member in pending)
    return Crew(names, hyper, validation, remembered, offsets, resident, compile_for, program)


def seated(members: list[Member], mesh: Mesh) -> list[Member]:
    """Members laid over the devices so that each has about the same number of epochs; idle ones fill the last seats."""
    width = mesh.shape["member"]
    count = -(-len(members) // width)
    devices: list[list[Member]] = [[] for _ in range(width)]
    for member in sorted(members, key=lambda m: -m.hyperparameters.epochs):
        free = [own for own in devices if len(own) < count]
        min(free, key=lambda own: sum(m.hyperparameters.epochs for m in own)).append(member)
    idle = members[0].hyperparameters._replace(epochs=0)
    none = np.zeros(0, int)
    for i, own in enumerate(devices):
        spare = replace(members[0], name=f"idle_{i}", validation=none, hyperparameters=idle)
        own += [spare] * (count - len(own))
    return [member for own in devices for member in own]


def first_states(seats: list[Member], workshop: Workshop) -> list[MemberState]:
    """On the host, of each seat: that of its checkpoint, or of its seed where it has none."""
    init = init_program(workshop.network, workshop.settings, len(workshop.sizes))
    states = []
    for member in seats:
        state = jax.tree.map(np.asarray, init(*_start(member, workshop)))
        if is_first():
            state = restored_state(workshop.folder / member.name, state, member)
        states.append(from_first(state))
    return states


def _start(member: Member, workshop: Workshop) -> tuple[Any, ...]:
    """Arguments of the program that makes a fresh state."""
    hyper = jax.tree.map(lambda x: x[0], stack_hyperparameters([member.hyperparameters]))
    return hyper, member.normalizer, workshop.materials, workshop.tables


def _scoring_plan(rows: list[np.ndarray], workshop: Workshop) -> np.ndarray:
    """Each member's own rows once, [member, step, b], -1 for none."""
    plans = [scoring_batches(own, workshop.sizes[own], workshop.batch) for own in rows]
    steps = max(1, *(len(plan) for plan in plans))
    padded = np.full((len(rows), steps, workshop.batch), -1, np.int32)
    for row, plan in zip(padded, plans, strict=True):
        row[: len(plan)] = plan
    return padded

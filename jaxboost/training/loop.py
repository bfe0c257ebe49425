"""The loop on the host: batches in, epochs out, checkpoints and log as it goes, resumed where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, deal, gather, scoring_batches, training_batches
from jaxboost.errors import InputError
from jaxboost.models import SymmetryTables
from jaxboost.training.divergence import Divergence, divergences
from jaxboost.training.member import Hyperparameters, Member, stack_hyperparameters
from jaxboost.training.member_checkpoint import is_finished, restored_state
from jaxboost.training.member_state import MemberState, init_state
from jaxboost.training.out_of_memory import fewer, within_memory
from jaxboost.training.population import place, population_program, stack, unstack
from jaxboost.training.record import Record
from jaxboost.training.workshop import Workshop


@dataclass
class Progress:
    """What the caller is told after each call of the program.

    Attributes:
      rows: log rows of the members that ended an epoch, else empty.
      steps: member steps done by this call; total: all that are left at the most, this call included.
      seconds: the call took.
      diverged: members that stop here, since a gradient of theirs was not finite.
    """

    rows: list[dict[str, Any]]
    steps: int
    total: int
    seconds: float
    diverged: list[Divergence] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """Whether every member is finished, and the seconds that compiling took."""

    finished: bool
    compile_seconds: float


def train_population(
    members: list[Member],
    workshop: Workshop,
    *,
    report: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Trains every member whose checkpoint is not finished, until all are or `should_stop` says so.

    A member's batches, dropout and views are functions of its seed and step, so a run that stopped continues with
    the very figures of one that did not, and other members change nothing.
    """
    pending = [m for m in members if not is_finished(workshop.folder / m.name, workshop.identity)]
    if not pending:
        return Outcome(True, 0.0)
    crew, states = _board(pending, workshop)
    settings, names = workshop.settings, [member.name for member in crew]
    on_members = partial(place, mesh=workshop.mesh, spec=P("member"))
    state = on_members(stack(states))
    hyper = on_members(stack_hyperparameters([member.hyperparameters for member in crew]))
    normalizers = on_members(stack([member.normalizer for member in crew]))
    on_rows = partial(place, mesh=workshop.mesh, spec=P("member", None, "data"))
    validation = on_rows(_scoring_plan([member.validation for member in crew], workshop))
    remembered = on_rows(_scoring_plan([member.train for member in crew], workshop))
    everywhere = place((workshop.materials, workshop.tables), workshop.mesh, P())
    blank = on_rows(np.zeros((len(crew), settings.steps_per_call, workshop.batch), np.int32))
    fixed = (validation, remembered)
    arguments = (state, hyper, normalizers, blank, *fixed, np.int32(0), *everywhere)
    shapes = jax.tree.map(_shape, arguments)
    seats = 1 if settings.axis == "map" else len(crew) // workshop.mesh.shape["member"]

    def compile_for(at_once: int) -> Any:
        asked = None if at_once == seats else at_once
        return population_program(workshop.network, settings, workshop.mesh, asked).lower(*shapes).compile()

    began = time.perf_counter()
    compiled, at_once = within_memory(compile_for, seats)
    compile_seconds = time.perf_counter() - began
    budget = np.array([member.hyperparameters.epochs for member in crew])
    epochs = np.array([int(s.epoch) for s in states])
    record = Record(workshop, crew, saved=dict(zip(names, epochs.tolist(), strict=True)))
    active = epochs < budget
    rounds = 0
    while active.any():
        # What a stop saves, and what an epoch begins from once more where the device had not the memory for it.
        kept = jax.tree.map(np.array, state)
        if should_stop():
            record.save_unsaved(kept, active)
            return Outcome(False, compile_seconds)
        plan = _plan(crew, epochs, active, workshop)
        calls: list[Any] = []
        try:
            for offset in range(0, settings.steps_per_epoch, settings.steps_per_call):
                began = time.perf_counter()
                rows = on_rows(plan[:, offset : offset + settings.steps_per_call])
                state, log = compiled(state, hyper, normalizers, rows, *fixed, np.int32(offset), *everywhere)
                calls.append(jax.tree.map(np.asarray, log))
                left = int(((budget - epochs)[active] * settings.steps_per_epoch - offset).sum())
                seconds = time.perf_counter() - began
                if offset + settings.steps_per_call < settings.steps_per_epoch:
                    report(Progress([], int(active.sum()) * settings.steps_per_call, left, seconds))
                    if should_stop():
                        record.save_unsaved(kept, active)
                        return Outcome(False, compile_seconds)
        except jax.errors.JaxRuntimeError as error:
            began = time.perf_counter()
            compiled, at_once = within_memory(compile_for, fewer(error, at_once))
            compile_seconds += time.perf_counter() - began
            state = on_members(kept)
            continue
        trained = calls[-1].trained
        diverged = divergences(names, epochs, plan, [call.diverged for call in calls], workshop.ids)
        epochs = np.asarray(state.epoch)
        steps = int(trained.sum()) * settings.steps_per_call
        report(Progress(_rows(names, epochs, calls), steps, left, seconds, list(diverged.values())))
        failed = np.asarray(state.failed)
        ended = (epochs >= budget) | (epochs - np.asarray(state.best_epoch) >= np.asarray(hyper.patience)) | failed
        if len(pending) == len(members) and failed[budget > 0].all():
            record.save_unsaved(kept, active)
            raise InputError(record.nothing_finite(diverged))
        rounds += 1
        for i, name in enumerate(names):
            if active[i] and (ended[i] or rounds % workshop.checkpoint_every == 0):
                record.save(unstack(state, i), i, finished=bool(ended[i]), divergence=diverged.get(name))
        active = ~ended
    return Outcome(True, compile_seconds)


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(x), x.dtype, sharding=getattr(x, "sharding", None))


def _board(pending: list[Member], workshop: Workshop) -> tuple[list[Member], list[MemberState]]:
    """Members laid over the devices so that each has about the same number of epochs, and their states."""
    width = workshop.mesh.shape["member"]
    seats = -(-len(pending) // width)
    devices: list[list[Member]] = [[] for _ in range(width)]
    for member in sorted(pending, key=lambda m: -m.hyperparameters.epochs):
        free = [crew for crew in devices if len(crew) < seats]
        min(free, key=lambda crew: sum(m.hyperparameters.epochs for m in crew)).append(member)
    idle = pending[0].hyperparameters._replace(epochs=0)
    none = np.zeros(0, int)
    for i, crew in enumerate(devices):
        crew += [Member(f"idle_{i}", pending[0].train, none, pending[0].normalizer, idle)] * (seats - len(crew))
    crew = [member for own in devices for member in own]
    return crew, _initial_states(crew, workshop)


def _initial_states(crew: list[Member], workshop: Workshop) -> list[MemberState]:
    settings = workshop.settings

    @jax.jit
    def init(hyper: Hyperparameters, normalizer: Any, materials: Materials, tables: SymmetryTables) -> MemberState:
        rows = jax.numpy.zeros(2, jax.numpy.int32)
        example = gather(
            materials, rows, nodes=settings.nodes, normalizer=normalizer, modalities=hyper.modalities,
            cutoff=settings.cutoff,
        )  # fmt: skip
        return init_state(workshop.network, hyper, example, tables, settings, len(workshop.sizes))

    states = []
    for member in crew:
        hyper = jax.tree.map(lambda x: x[0], stack_hyperparameters([member.hyperparameters]))
        state = jax.tree.map(np.asarray, init(hyper, member.normalizer, workshop.materials, workshop.tables))
        states.append(restored_state(workshop.folder / member.name, state, member))
    return states


def _plan(crew: list[Member], epochs: np.ndarray, active: np.ndarray, workshop: Workshop) -> np.ndarray:
    steps, shards = workshop.settings.steps_per_epoch, workshop.mesh.shape["data"]
    plan = np.zeros((len(crew), steps, workshop.batch), np.int32)
    for i, member in enumerate(crew):
        if active[i]:
            sizes = workshop.sizes[member.train]
            seed = (int(member.hyperparameters.seed), 1)
            first = int(epochs[i]) * steps
            plan[i] = training_batches(member.train, sizes, workshop.batch, first=first, count=steps, seed=seed)
    return deal(plan, shards)


def _scoring_plan(rows: list[np.ndarray], workshop: Workshop) -> np.ndarray:
    """Each member's own rows once, [member, step, b], -1 for none."""
    plans = [scoring_batches(own, workshop.sizes[own], workshop.batch) for own in rows]
    steps = max(1, *(len(plan) for plan in plans))
    padded = np.full((len(rows), steps, workshop.batch), -1, np.int32)
    for row, plan in zip(padded, plans, strict=True):
        row[: len(plan)] = plan
    return deal(padded, workshop.mesh.shape["data"])


def _rows(names: Iterable[str], epochs: np.ndarray, calls: list[Any]) -> list[dict[str, Any]]:
    rows = []
    last = calls[-1]
    for i, name in enumerate(names):
        if last.trained[i]:
            row = {
                "member": name,
                "epoch": int(epochs[i]),
                "lr": float(last.lr[i]),
                "train_loss": float(np.mean([call.train_loss[i] for call in calls])),
                "train_accuracy": float(np.mean([call.train_accuracy[i] for call in calls])),
                "validation_loss": float(last.validation_loss[i]),
                "validation_accuracy": float(last.validation_accuracy[i]),
            }
            rows.append({key: None if value != value else value for key, value in row.items()})
    return rows

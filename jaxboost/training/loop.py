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

from jaxboost.data.batches import training_batches
from jaxboost.errors import InputError
from jaxboost.out_of_memory import fewer, within_memory
from jaxboost.training.crew import Crew, first_states, muster, seated
from jaxboost.training.divergence import Divergence, divergences
from jaxboost.training.epoch import train_epoch
from jaxboost.training.member import Member
from jaxboost.training.placement import copied, on_host, own_parts, place, stack
from jaxboost.training.processes import from_first, several
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
    """Whether every member is finished, and the seconds that training waited for its program to be compiled."""

    finished: bool
    compile_seconds: float


class _Clock:
    """Seconds from one lap to the next."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def lap(self) -> float:
        began, self._began = self._began, time.perf_counter()
        return self._began - began


def train_population(
    members: list[Member],
    workshop: Workshop,
    *,
    report: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    crew: Crew | None = None,
) -> Outcome:
    """Trains every member whose checkpoint is not finished, until all are or `should_stop` says so.

    A member's batches, dropout and views are functions of its seed and step, so a run that stopped continues with
    the very figures of one that did not, and other members change nothing. Where there are several processes every one
    calls this; the first one's checkpoints count, and `report` and `should_stop` are called alike on all. A `crew` was
    mustered of the same members before, so that its program is compiled already or soon.
    """
    crew = crew or muster(members, workshop)
    if crew is None:
        return Outcome(True, 0.0)
    settings, mesh = workshop.settings, workshop.mesh
    seats = seated([member for member in members if member.name in crew.names], mesh)
    names = [member.name for member in seats]
    on_members = partial(place, mesh=mesh, spec=P("member"))
    on_rows = partial(place, mesh=mesh, spec=P("member", None, "data"))
    states = first_states(seats, workshop)
    state = on_members(stack(states))
    own = (crew.hyper, *(on_members(stack([getattr(m, name) for m in seats])) for name in ("normalizer", "taught")))
    plans = (crew.validation, crew.remembered)
    began = time.perf_counter()
    program, at_once = crew.program.result()
    compile_seconds = time.perf_counter() - began
    budget = np.array([member.hyperparameters.epochs for member in seats])
    patience = np.array([member.hyperparameters.patience for member in seats])
    epochs = np.array([int(s.epoch) for s in states])
    record = Record(workshop, seats, saved=dict(zip(names, epochs.tolist(), strict=True)))
    active = epochs < budget
    rounds, saved_at = 0, time.monotonic()
    # What a stop saves, and what an epoch begins from once more where the device had not the memory for it. It stays
    # where it is: to bring the weights of all members to the host can take longer than to train them for an epoch.
    kept = copied(state)
    while active.any():
        plan = _plan(seats, epochs, active, workshop)
        batches = [on_rows(part) for part in np.split(plan, len(crew.offsets), axis=1)]
        steps, clock = int(active.sum()) * settings.steps_per_call, _Clock()
        left = int((budget - epochs)[active].sum()) * settings.steps_per_epoch

        def ended(call: int, left: int = left, steps: int = steps, clock: _Clock = clock) -> None:
            report(Progress([], steps, left - call * steps, clock.lap()))

        try:
            done = train_epoch(
                program, state, own, batches, plans, crew.offsets, crew.resident, ended=ended, should_stop=should_stop
            )
            if done is None:
                record.save_unsaved(own_parts(kept), epochs, active)
                return Outcome(False, compile_seconds)
            state, logs = done
            calls = on_host(logs, mesh)
        except jax.errors.JaxRuntimeError as error:
            if several():  # the others would not know that this one goes on with another program
                raise
            began = time.perf_counter()
            program, at_once = within_memory(crew.compile_for, fewer(error, at_once))
            compile_seconds += time.perf_counter() - began
            state = on_members(kept)
            continue
        began_at = epochs
        diverged = divergences(names, epochs, plan, [call.diverged for call in calls], workshop.ids)
        epochs, best_epoch, failed = on_host((state.epoch, state.best_epoch, state.failed), mesh)
        left -= (len(calls) - 1) * steps
        steps = int(calls[-1].trained.sum()) * settings.steps_per_call
        report(Progress(_rows(names, epochs, calls), steps, left, clock.lap(), list(diverged.values())))
        over = (epochs >= budget) | (epochs - best_epoch >= patience) | failed
        if len(crew.names) == len(members) and failed[budget > 0].all():
            record.save_unsaved(own_parts(kept), began_at, active)
            raise InputError(record.nothing_finite(diverged))
        kept = copied(state)
        rounds += 1
        is_due = rounds >= workshop.checkpoint_every and time.monotonic() - saved_at >= workshop.checkpoint_seconds
        is_due = bool(from_first(np.array(is_due)))  # several save together
        to_save = np.flatnonzero(active & (over | is_due)).tolist()
        if to_save:
            parts = own_parts(kept)
            for i in to_save:
                record.save(parts, i, finished=bool(over[i]), divergence=diverged.get(names[i]))
        if is_due:
            rounds, saved_at = 0, time.monotonic()
        active = ~over
    return Outcome(True, compile_seconds)


def _plan(seats: list[Member], epochs: np.ndarray, active: np.ndarray, workshop: Workshop) -> np.ndarray:
    steps = workshop.settings.steps_per_epoch
    plan = np.zeros((len(seats), steps, workshop.batch), np.int32)
    for i, member in enumerate(seats):
        if active[i]:
            sizes = workshop.sizes[member.train]
            seed = (int(member.hyperparameters.seed), 1)
            first = int(epochs[i]) * steps
            plan[i] = training_batches(member.train, sizes, workshop.batch, first=first, count=steps, seed=seed)
    return plan


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

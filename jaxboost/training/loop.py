"""The loop on the host: batches in, epochs out, checkpoints and log as it goes, resumed where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxboost.data.batches import Materials, deal, gather, scoring_batches, training_batches
from jaxboost.errors import InputError
from jaxboost.models import Network, SymmetryTables
from jaxboost.training.checkpoints import has_checkpoint, restore_checkpoint, save_checkpoint
from jaxboost.training.member import Hyperparameters, Member, stack_hyperparameters
from jaxboost.training.member_state import MemberState, init_state
from jaxboost.training.population import place, population_program, stack, unstack
from jaxboost.training.training_settings import TrainingSettings


@dataclass(frozen=True)
class Workshop:
    """Where and with what a population trains.

    Attributes:
      network, settings, mesh: of the program.
      materials, tables: resident arrays.
      sizes: [n] orbits of each row.
      folder: the checkpoints' folder, one subfolder a member.
      identity: what a checkpoint must agree with to be used (classes, featurizer, network sizes), JSON.
      batch: crystals a step.
      checkpoint_every: epochs.
    """

    network: Network
    settings: TrainingSettings
    mesh: Mesh
    materials: Materials
    tables: SymmetryTables
    sizes: np.ndarray
    folder: Path
    identity: dict[str, Any]
    batch: int
    checkpoint_every: int


@dataclass
class Progress:
    """What the caller is told after each call of the program.

    Attributes:
      rows: log rows of the members that ended an epoch, else empty.
      steps: member steps done by this call; total: all that are left at the most, this call included.
      seconds: the call took.
    """

    rows: list[dict[str, Any]]
    steps: int
    total: int
    seconds: float


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
    program = population_program(workshop.network, settings, workshop.mesh)
    on_members = partial(place, mesh=workshop.mesh, spec=P("member"))
    state = on_members(stack(states))
    hyper = on_members(stack_hyperparameters([member.hyperparameters for member in crew]))
    normalizers = on_members(stack([member.normalizer for member in crew]))
    on_rows = partial(place, mesh=workshop.mesh, spec=P("member", None, "data"))
    validation = on_rows(_scoring_plan([member.validation for member in crew], workshop))
    remembered = on_rows(_scoring_plan([member.train for member in crew], workshop))
    everywhere = place((workshop.materials, workshop.tables), workshop.mesh, P())
    began = time.perf_counter()
    steps = settings.steps_per_call
    blank = on_rows(np.zeros((len(crew), steps, workshop.batch), np.int32))
    fixed = (validation, remembered)
    compiled = program.lower(state, hyper, normalizers, blank, *fixed, np.int32(0), *everywhere).compile()
    compile_seconds = time.perf_counter() - began
    saved = {name for member, name in zip(crew, names, strict=True) if member.hyperparameters.epochs == 0}

    budget = np.array([member.hyperparameters.epochs for member in crew])
    epochs = np.array([int(s.epoch) for s in states])
    active = epochs < budget
    rounds = 0
    while active.any():
        plan = _plan(crew, epochs, active, workshop)
        calls = []
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
                return Outcome(False, compile_seconds)
        trained = calls[-1].trained
        epochs = np.asarray(state.epoch)
        report(Progress(_rows(names, epochs, calls), int(trained.sum()) * settings.steps_per_call, left, seconds))
        failed = np.asarray(state.failed)
        ended = (epochs >= budget) | (epochs - np.asarray(state.best_epoch) >= np.asarray(hyper.patience)) | failed
        if failed[: len(pending)].all():
            raise InputError(
                f"every member met a gradient that is not finite by epoch {epochs.max()}: lower "
                "config.optimizer.max_lr; the last good checkpoints are kept"
            )
        rounds += 1
        for i, name in enumerate(names):
            due = ended[i] or rounds % workshop.checkpoint_every == 0
            if name not in saved and due:
                _save(unstack(state, i), crew[i], bool(ended[i]), workshop)
                if ended[i]:
                    saved.add(name)
        active = ~ended
    return Outcome(True, compile_seconds)


def is_finished(folder: Path, identity: dict[str, Any]) -> bool:
    """Whether the member's training is over. Refuses a checkpoint of another network, featurizer or class order."""
    if not has_checkpoint(folder):
        return False
    fitted = restore_checkpoint(folder).fitted
    check_identity(folder, fitted["identity"], identity)
    return fitted["finished"]


def check_identity(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises `InputError` with the fields in which a checkpoint differs from what is asked of it."""
    fields = sorted(set(found) | set(wanted))
    differences = [
        f"  {field}: {found.get(field, 'absent')} there, {wanted.get(field, 'absent')} wanted"
        for field in fields
        if found.get(field) != wanted.get(field)
    ]
    if differences:
        lines = "\n".join(differences)
        raise InputError(
            f"{folder} was made for something else:\n{lines}\nchoose another --workdir, or undo the change"
        )


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
        folder = workshop.folder / member.name
        if has_checkpoint(folder):
            state = restore_checkpoint(folder, {"state": state, "normalizer": member.normalizer}).tree["state"]
        states.append(state)
    return states


def _save(state: MemberState, member: Member, finished: bool, workshop: Workshop) -> None:
    """A finished member keeps its best weights and memory; one that goes on keeps everything it needs for that."""
    label = np.asarray(workshop.materials.label)[member.train]
    memory = {"embedding": state.best_memory[member.train], "label": label, "there": np.ones(len(label), bool)}
    weights = {"params": state.best_params, "memory": memory} if finished else {"state": state}
    fitted = {
        "identity": workshop.identity,
        "finished": finished,
        "failed": bool(state.failed),
        "epoch": int(state.epoch),
        "best_epoch": int(state.best_epoch),
        "best_accuracy": float(state.best_accuracy),
        "modalities": np.asarray(member.hyperparameters.modalities).tolist(),
    }
    tree = {**weights, "normalizer": member.normalizer}
    save_checkpoint(workshop.folder / member.name, int(state.epoch), tree, fitted)


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

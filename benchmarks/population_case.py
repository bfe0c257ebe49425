"""One population as a benchmark times it: embedded crystals, every width the same, and its program's call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict

from benchmarks.networks import load, reference_of
from configs import quick
from jaxboost import settings as of
from jaxboost.data.batches import Materials, symmetry_tables, training_batches
from jaxboost.data.dataset import resident
from jaxboost.models import Network, NetworkSettings, SymmetryTables
from jaxboost.training.member import Member, stack_hyperparameters
from jaxboost.training.member_state import MemberState
from jaxboost.training.placement import place, stack
from jaxboost.training.population import CallLog, init_program, make_mesh, population_program
from jaxboost.training.roster import make_roster
from jaxboost.training.training_settings import TrainingSettings


@dataclass(frozen=True)
class PopulationCase:
    """Members with all that a call of the population's program takes.

    Attributes:
      settings: of the steps of one call, which is never the last of its epoch: nothing is validated.
      states: [member] fresh, on the host.
      batches: [member, step, b] rows of `materials`.
      materials, tables: NumPy arrays.
    """

    network: NetworkSettings
    settings: TrainingSettings
    members: list[Member]
    states: list[MemberState]
    batches: np.ndarray
    materials: Materials
    tables: SymmetryTables

    def of(self, count: int) -> PopulationCase:
        """With the first `count` members alone."""
        return replace(self, members=self.members[:count], states=self.states[:count], batches=self.batches[:count])


def widened(width: int, batch: int, crystals: int) -> ConfigDict:
    """`configs/quick.py` at its depth with all of its widths the same, on embedded crystals and without bands."""
    config = quick.get_config()
    config.data.embedded_crystals = crystals
    config.tight_binding.enabled = False
    network = config.network
    for name in ("token", "crystal_width", "kspace_width", "fusion_width", "reader_width"):
        network[name] = width
    for name in ("scalar_widths", "electron_widths", "classifier_widths"):
        network[name] = (width,) * len(network[name])
    config.optimizer.batch = batch
    # The PyTorch side has neither recall nor waves along columns.
    network.recall_width = network.frequencies = 0
    config.objective.column_dropout = config.kfold.dropout = config.full.dropout = config.ensemble.dropout
    # torch.compile makes a dropout rate a constant of its program: members that differ would each need their own.
    config.ensemble.dropout_step = 0.0
    return config


def make_case(config: ConfigDict, *, members: int, steps: int) -> PopulationCase:
    """The first `members` of the roster of a run of `config`, and `steps` batches for each."""
    _, dataset, splits = load(config)
    reference = reference_of(dataset, splits)
    roster = make_roster(config, splits, dataset.features)[:members]
    sizes = dataset.features.n_orbits
    settings = of.training_settings(config, sizes, len(roster[0].train))
    # An epoch of one call more, so that the timed one does not end it.
    settings = replace(settings, steps_per_call=steps, steps_per_epoch=2 * steps)
    size = config.optimizer.batch
    batches = [
        training_batches(m.train, sizes[m.train], size, first=0, count=steps, seed=(int(m.hyperparameters.seed), 1))
        for m in roster
    ]
    materials = jax.tree.map(np.asarray, resident(dataset, config.data.rules, reference, config.data.relatives))
    tables = jax.tree.map(np.asarray, symmetry_tables())
    network = of.network_settings(config, len(dataset.classes))
    states = initial_states(network, settings, roster, materials, tables)
    return PopulationCase(network, settings, roster, states, np.stack(batches), materials, tables)


def initial_states(
    network: NetworkSettings,
    settings: TrainingSettings,
    members: list[Member],
    materials: Materials,
    tables: SymmetryTables,
) -> list[MemberState]:
    """[member] fresh, on the host."""

    init = init_program(Network(network), settings, len(materials.label))
    hypers = stack_hyperparameters([member.hyperparameters for member in members])
    return [
        jax.tree.map(np.asarray, init(jax.tree.map(lambda x, i=i: x[i], hypers), member.normalizer, materials, tables))
        for i, member in enumerate(members)
    ]


def compile_population(
    case: PopulationCase, axis: str, mesh: Mesh | None = None
) -> Callable[..., tuple[MemberState, CallLog]]:
    """The population's program with `axis`, compiled for the shapes of `case` and the mesh, by default of one device;
    `population_call` runs it.
    """
    mesh = mesh or make_mesh(1, 1)
    program = population_program(Network(case.network), replace(case.settings, axis=axis), mesh)
    return program.lower(*_arguments(case, mesh)).compile()


def population_call(
    case: PopulationCase, compiled: Callable[..., tuple[MemberState, CallLog]], mesh: Mesh | None = None
) -> Callable[[], CallLog]:
    """Runs the steps of all members of `case`; each call goes on from where the last ended, with the same batches."""
    state, *fixed = _arguments(case, mesh or make_mesh(1, 1))

    def call() -> CallLog:
        nonlocal state
        state, log = compiled(state, *fixed)
        return jax.tree.map(np.asarray, log)

    return call


def _arguments(case: PopulationCase, mesh: Mesh) -> tuple[Any, ...]:
    """What the program takes, laid on the mesh."""
    members, rows = P("member"), P("member", None, "data")
    return (
        place(stack(case.states), mesh, members),
        place(stack_hyperparameters([member.hyperparameters for member in case.members]), mesh, members),
        place(stack([member.normalizer for member in case.members]), mesh, members),
        None,  # nothing teaches them
        place(case.batches, mesh, rows),
        *[place(np.full((len(case.members), 1, case.batches.shape[-1]), -1, np.int32), mesh, rows)] * 2,
        place(np.int32(0), mesh, P()),
        *place((case.materials, case.tables), mesh, P()),
    )

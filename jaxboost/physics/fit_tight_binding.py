"""Fits the tight-binding figures to known gaps and classes through the eigenvalue problem.

Each crystal asks something of its levels (`band_targets`), whose derivatives by all figures at once come from its
states (`level_gradients`). `jaxboost.learn_bands` is the command.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
import optax
from joblib import Parallel, delayed, parallel_config

from jaxboost.crystal import Crystal, Structure, StructureError, make_crystal
from jaxboost.errors import InputError
from jaxboost.physics.band_path import BandPath, band_path
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_targets import TargetSettings, find_targets
from jaxboost.physics.bonds import Bonds, find_bonds
from jaxboost.physics.element_prior import shared, sharing
from jaxboost.physics.level_gradients import parameter_gradient
from jaxboost.physics.orbital_symmetry import orbital_symmetry
from jaxboost.physics.overlaps import BOHR, two_centre_overlaps
from jaxboost.physics.tight_binding import model_of_bonds
from jaxboost.physics.tight_binding_elements import (
    Parameters,
    published_parameters,
    quantum_numbers,
)


@dataclass(frozen=True)
class FitSettings:
    """How the figures are fitted.

    Attributes:
      max_atoms: largest listed cell.
      rows: most crystals.
      epochs: passes over them.
      batch: crystals a step.
      rate: Adam's, in units of `prior_widths`; warmed up over 20 steps, then a cosine.
      pull: of `sum offset^2 / 2`, in the same units, towards the published figures.
      again: chance that a crystal which asked for nothing when last seen is looked at in an epoch.
      neglect: bonds whose largest overlap is below are left out of the fit (not of the bands).
      seed: of the choice of rows, where there are more, and of their order.
    """

    max_atoms: int = 12
    rows: int = 6000
    epochs: int = 8
    batch: int = 64
    rate: float = 0.05
    pull: float = 1e-4
    again: float = 0.3
    neglect: float = 1e-4
    seed: int = 0


@dataclass(frozen=True)
class FitCrystal:
    """What does not change while the figures are fitted.

    Attributes:
      crystal: standardised.
      bonds: the strong ones.
      path: k-points and lines.
      label, gap: as in `band_targets.find_targets`.
    """

    crystal: Crystal
    bonds: Bonds
    path: BandPath
    label: str
    gap: float


def prepare(structure: Structure, label: str, gap: float, neglect: float) -> FitCrystal | None:
    """A crystal ready to be fitted; None where tight binding cannot do it or its electrons are odd in number."""
    parameters = published_parameters()
    try:
        crystal = make_crystal(structure, symprec=0.1, max_atoms=400)
        bonds = _strong(find_bonds(crystal, parameters), parameters, neglect)
    except (StructureError, InputError):
        return None
    model = model_of_bonds(bonds, parameters)
    if model.electrons % 2 or model.electrons >= 2 * model.n_orbitals:
        return None
    path = band_path(crystal.space_group_number, orbital_symmetry(crystal))
    return FitCrystal(crystal, bonds, path, label, gap)


def _strong(bonds: Bonds, parameters: Parameters, neglect: float) -> Bonds:
    n, exponent = quantum_numbers(), parameters.exponent
    one, other = bonds.kind_elements.T
    overlaps = two_centre_overlaps(n[one], exponent[one], n[other], exponent[other], bonds.kind_distance / BOHR)
    strong = np.abs(overlaps).max(axis=1) > neglect
    kept, place = strong[bonds.kind], np.cumsum(strong) - 1
    return replace(
        bonds,
        first=bonds.first[kept],
        second=bonds.second[kept],
        cell=bonds.cell[kept],
        turn=bonds.turn[kept].astype(np.float32),  # a fit moves many of them between processes
        kind=place[bonds.kind[kept]],
        kind_elements=bonds.kind_elements[strong],
        kind_distance=bonds.kind_distance[strong],
    )


def loss_and_gradient(
    crystals: Sequence[FitCrystal], parameters: Parameters, settings: TargetSettings
) -> tuple[np.ndarray, Parameters]:
    """Losses `[crystal]` and the gradient of their sum. One whose matrices are singular for these parameters adds 0."""
    losses, total = np.zeros(len(crystals)), Parameters(*(np.zeros_like(np.asarray(a, float)) for a in parameters))
    for row, one in enumerate(crystals):
        model = model_of_bonds(one.bonds, parameters)
        solver = BandSolver(one.crystal, model, settings.window)
        found = find_targets(one.crystal, solver, one.path, one.label, one.gap, settings)
        if solver.dropped or not found.terms:
            continue
        losses[row] = found.loss
        states = (one.path.kpoints, found.states, found.spinors)
        gradient = parameter_gradient(parameters, one.bonds, model, *states, found.terms)
        total = Parameters(*(a + b for a, b in zip(total, gradient, strict=True)))
    return losses, total


def prior_widths() -> Parameters:
    """By how much each figure may be off: the unit of its offset. 0 where there is nothing to fit.

    Half an eV a level and its shifts, a twentieth an exponent, a factor or a strength, a tenth a spin-orbit coupling.
    """
    start, there = published_parameters(), quantum_numbers() > 0
    return Parameters(
        level=0.5 * there,
        exponent=0.05 * start.exponent * there,
        spin_orbit=0.1 * start.spin_orbit,
        shell_factor=np.full((3, 3), 0.05),
        strength=0.05 * there,
        crowd_shift=0.5 * there,
        pull_shift=0.3 * there,
        decay=0.2 * there,
        traits=np.where(there.any(axis=1, keepdims=True), 0.3 * np.ones_like(start.traits), 0),
        level_response=0.2 * there[:, :, None] * np.ones_like(start.level_response),
        bond_response=0.03 * there[:, :, None] * np.ones_like(start.bond_response),
        ionicity=np.array(0.003),
    )


def moved(offsets: Parameters) -> Parameters:
    """The published figures plus shared offsets in units of `prior_widths`; exponents and couplings stay positive.

    Args:
      offsets: independent of each other, as the fit moves them.
    """
    start, widths = published_parameters(), prior_widths()
    found = [a + x * w for a, x, w in zip(start, shared(offsets, sharing()), widths, strict=True)]
    parameters = Parameters(*found)
    return parameters._replace(
        exponent=np.maximum(parameters.exponent, 0.5 * start.exponent),
        spin_orbit=np.maximum(parameters.spin_orbit, 0.2 * start.spin_orbit),
    )


def offsets_of(parameters: Parameters) -> Parameters:
    """What `moved` makes them of."""
    differences = (np.asarray(a, float) - b for a, b in zip(parameters, published_parameters(), strict=True))
    found = Parameters(*(
        np.divide(x, w, out=np.zeros(np.shape(w)), where=w > 0)
        for x, w in zip(differences, prior_widths(), strict=True)
    ))  # fmt: skip
    return Parameters(*(np.float32(x) for x in shared(found, np.linalg.inv(sharing()))))


def fit(
    crystals: Sequence[FitCrystal], start: Parameters, settings: FitSettings, targets: TargetSettings, workers: int
) -> Parameters:
    """The fitted figures, from those at the start; prints the mean loss of each epoch."""
    steps = len(crystals) // settings.batch
    if not steps:
        raise InputError(f"{len(crystals)} crystals are fewer than one batch of {settings.batch}")
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, settings.rate, 20, max(settings.epochs * steps, 21), settings.rate / 20
    )
    optimizer = optax.adam(schedule, b2=0.99, eps=1e-4)
    widths = prior_widths()
    offsets, asked = offsets_of(start), np.full(len(crystals), True)
    losses = np.zeros(len(crystals))
    state, rng, began = optimizer.init(offsets), np.random.default_rng(settings.seed), time.monotonic()
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1), Parallel() as pool:
        for epoch in range(settings.epochs):
            order = rng.permutation(len(crystals))
            seen = np.logical_or(asked, rng.random(len(crystals)) < settings.again)
            for step in range(steps):
                chosen = order[step * settings.batch : (step + 1) * settings.batch]
                chosen = chosen[seen[chosen]]
                parameters = moved(offsets)
                parts = [chosen[i :: 4 * workers] for i in range(4 * workers)]
                results = pool(
                    delayed(loss_and_gradient)([crystals[i] for i in part], parameters, targets) for part in parts
                )
                for part, (found, _) in zip(parts, results, strict=True):
                    losses[part], asked[part] = found, found > 0
                sums = [sum(arrays) / settings.batch for arrays in zip(*(g for _, g in results), strict=True)]
                slopes = shared(Parameters(*(g * w for g, w in zip(sums, widths, strict=True))), sharing())
                gradient = Parameters(*(
                    np.float32(g + settings.pull * x) for g, x in zip(slopes, offsets, strict=True)
                ))  # fmt: skip
                gradient = gradient._replace(shell_factor=(gradient.shell_factor + gradient.shell_factor.T) / 2)
                updates, state = optimizer.update(gradient, state)
                offsets = jax.tree.map(np.asarray, optax.apply_updates(offsets, updates))
            done = time.monotonic() - began
            print(f"epoch {epoch + 1} of {settings.epochs}: loss {losses.mean():.4f}, {done:.0f} s", flush=True)
    return moved(offsets)

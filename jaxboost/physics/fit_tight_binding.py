"""Fits the tight-binding figures to known gaps and classes, and writes the table that `learned_parameters` reads.

    python -m jaxboost.physics.fit_tight_binding --data=TABLE

The rows are training rows of the table's split, without vote rows and without one fold, so that what the fit is worth
can be seen on crystals it never saw. Gaps (column `dft_band_gap_ev`, computed without spin-orbit coupling; magnetic
crystals left out) and labels are targets and never inputs: the figures, some nine a shell-bearing element, are frozen
and serve structures alone.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax
import numpy as np
import optax
from joblib import Parallel, delayed, parallel_config

from jaxboost.crystal import Crystal, Structure, StructureError, make_crystal
from jaxboost.data.gaps import known_gaps
from jaxboost.errors import InputError
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_targets import TargetPath, TargetSettings, find_targets, target_path
from jaxboost.physics.level_gradients import parameter_gradient
from jaxboost.physics.overlaps import BOHR, two_centre_overlaps
from jaxboost.physics.tight_binding import Bonds, find_bonds, model_of_bonds
from jaxboost.physics.tight_binding_elements import (
    Parameters,
    parameters_to_json,
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
      neglect: bonds whose largest overlap is below are left out of the fit (not of the bands).
    """

    max_atoms: int = 12
    rows: int = 6000
    epochs: int = 8
    batch: int = 64
    rate: float = 0.1
    pull: float = 1e-4
    neglect: float = 1e-4


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
    path: TargetPath
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
    return FitCrystal(crystal, bonds, target_path(crystal, BandSolver(crystal, model, 0.0)), label, gap)


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
) -> tuple[float, Parameters]:
    """Summed over crystals. One whose matrices are singular for these parameters adds nothing."""
    loss, total = 0.0, Parameters(*(np.zeros_like(np.asarray(array, float)) for array in parameters))
    for one in crystals:
        model = model_of_bonds(one.bonds, parameters)
        solver = BandSolver(one.crystal, model, settings.window)
        found = find_targets(one.crystal, solver, one.path, one.label, one.gap, settings)
        if solver.dropped or not found.terms:
            continue
        loss += found.loss
        states = (one.path.kpoints, found.states, found.spinors)
        gradient = parameter_gradient(parameters, one.bonds, model, *states, found.terms)
        total = Parameters(*(a + b for a, b in zip(total, gradient, strict=True)))
    return loss, total


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
        ionicity=np.array(0.003),
    )


def moved(offsets: Sequence[np.ndarray]) -> Parameters:
    """The published figures plus offsets in units of `prior_widths`; exponents and couplings stay positive."""
    start, widths = published_parameters(), prior_widths()
    found = [a + np.asarray(x, float) * w for a, x, w in zip(start, offsets, widths, strict=True)]
    parameters = Parameters(*found)
    return parameters._replace(
        exponent=np.maximum(parameters.exponent, 0.5 * start.exponent),
        spin_orbit=np.maximum(parameters.spin_orbit, 0.2 * start.spin_orbit),
    )


def fit(crystals: Sequence[FitCrystal], settings: FitSettings, targets: TargetSettings, workers: int) -> Parameters:
    """The fitted figures; prints the loss of each epoch."""
    steps = len(crystals) // settings.batch
    if not steps:
        raise InputError(f"{len(crystals)} crystals are fewer than one batch of {settings.batch}")
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, settings.rate, 20, max(settings.epochs * steps, 21), settings.rate / 20
    )
    optimizer = optax.adam(schedule, b2=0.99, eps=1e-4)
    widths = prior_widths()
    offsets = Parameters(*(np.zeros_like(array, dtype=np.float32) for array in widths))
    state, rng, start = optimizer.init(offsets), np.random.default_rng(0), time.monotonic()
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1), Parallel() as pool:
        for epoch in range(settings.epochs):
            order, total = rng.permutation(len(crystals)), 0.0
            for step in range(steps):
                chosen = order[step * settings.batch : (step + 1) * settings.batch]
                parameters = moved(offsets)
                parts = (chosen[i :: 4 * workers] for i in range(4 * workers))
                results = pool(
                    delayed(loss_and_gradient)([crystals[i] for i in part], parameters, targets) for part in parts
                )
                total += sum(loss for loss, _ in results)
                sums = [sum(arrays) / settings.batch for arrays in zip(*(g for _, g in results), strict=True)]
                gradient = Parameters(*(
                    np.float32(g * w + settings.pull * x) for g, w, x in zip(sums, widths, offsets, strict=True)
                ))  # fmt: skip
                gradient = gradient._replace(shell_factor=(gradient.shell_factor + gradient.shell_factor.T) / 2)
                updates, state = optimizer.update(gradient, state)
                offsets = jax.tree.map(np.asarray, optax.apply_updates(offsets, updates))
            done = time.monotonic() - start
            print(
                f"epoch {epoch + 1} of {settings.epochs}: loss {total / steps / settings.batch:.4f}, {done:.0f} s",
                flush=True,
            )
    return moved(offsets)


def main() -> None:
    """Reads the table, fits, writes `tight_binding_learned.json` beside this module."""
    # Not needed by the bands themselves.
    from configs import quick
    from jaxboost.rows import split_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="parquet table with labels, gaps and a split")
    parser.add_argument("--leave_fold", type=int, default=0, help="the fold that the fit does not see; -1: sees all")
    parser.add_argument("--output", default=str(Path(__file__).with_name("tight_binding_learned.json")))
    parser.add_argument("--workers", type=int, default=2)
    for name, value in asdict(FitSettings()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    given = vars(parser.parse_args())
    settings = FitSettings(**{name: given[name] for name in asdict(FitSettings())})
    targets = TargetSettings()

    config = quick.get_config()
    config.data.path = given["data"]
    table, splits = split_table(config, Path(given["output"]).parent / "no_run")
    gaps = known_gaps(Path(given["data"]), list(table.ids))
    sizes = np.array([len(structure.atomic_numbers) for structure in table.structures])
    rows = np.flatnonzero((splits.fold >= 0) & (splits.fold != given["leave_fold"]) & (sizes <= settings.max_atoms))
    rows = np.random.default_rng(0).permutation(rows)[: settings.rows]
    with parallel_config("loky", n_jobs=given["workers"], inner_max_num_threads=1):
        found = Parallel()(
            delayed(prepare)(table.structures[i], table.classes[table.labels[i]], gaps[i], settings.neglect)
            for i in rows
        )
    crystals = [one for one in found if one is not None]
    print(
        f"{len(crystals)} of {len(rows)} crystals, {sum(np.isfinite(one.gap) for one in crystals)} with a gap",
        flush=True,
    )
    parameters = fit(crystals, settings, targets, given["workers"])
    record = {
        "fitted_to": f"{len(crystals)} training rows of a table with SHA-256 {table.sha256}, fold "
        f"{given['leave_fold']} of seed {config.seed} left out",
        "fit": asdict(settings),
        "targets": asdict(targets),
        **parameters_to_json(parameters),
    }
    text = json.dumps(record, indent=1)
    # A row a shell.
    text = text.replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]")
    Path(given["output"]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

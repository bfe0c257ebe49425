"""How good the tight-binding figures are by themselves: gaps, and the class that their bands suggest without learning.

    python -m benchmarks.tight_binding --data=TABLE --part=fold0

Crystals of at most `--max_atoms` atoms of one part of the split: `test`, `vote`, or `foldK`, a fold of the training
rows (the learned figures saw neither vote rows nor fold 0). Gaps are without spin-orbit coupling, between the highest
filled and lowest empty level of the high-symmetry points, against the table's `dft_band_gap_ev`.
"""

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from configs import quick
from jaxboost.crystal import Structure, StructureError, make_crystal
from jaxboost.data.gaps import known_gaps
from jaxboost.errors import InputError
from jaxboost.physics.band_rule import rule_class
from jaxboost.physics.band_structure import BandStructure, PathSettings, band_structure
from jaxboost.physics.symmetry_indicators import RULE_CLASSES
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS, Parameters
from jaxboost.rows import split_table


def spinless_gap(bands: BandStructure) -> float:
    """eV, negative where bands overlap; 0 for an odd number of electrons."""
    if bands.electrons % 2:
        return 0.0
    levels = np.array([point.spinless_levels for point in bands.points if point is not None])
    half = bands.electrons // 2
    return float(levels[:, half].min() - levels[:, half - 1].max())


def rule_and_gap(structure: Structure, parameters: Parameters) -> tuple[str, float] | None:
    """What the bands of one crystal say; None where it has none."""
    try:
        with threadpool_limits(1):  # matrices are small: more threads wait for each other
            bands = band_structure(make_crystal(structure, symprec=0.1), parameters, PathSettings())
    except (StructureError, InputError):
        return None
    return rule_class(bands), spinless_gap(bands)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    config = quick.get_config()
    parts = ["test", "vote", *(f"fold{k}" for k in range(config.kfold.folds))]
    parser.add_argument("--part", default="fold0", choices=parts)
    parser.add_argument("--max_atoms", type=int, default=12)
    parser.add_argument("--rows", type=int, default=10**9, help="at most so many of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sets", nargs="+", default=list(PARAMETER_SETS), choices=list(PARAMETER_SETS))
    given = parser.parse_args()
    config.data.path = given.data
    table, splits = split_table(config, Path("no_run"))
    rows_of = {"test": splits.test, "vote": splits.vote}
    rows_of |= {f"fold{k}": splits.fold == k for k in range(config.kfold.folds)}
    chosen = rows_of[given.part]
    sizes = np.array([len(structure.atomic_numbers) for structure in table.structures])
    rows = np.flatnonzero(chosen & (sizes <= given.max_atoms))
    rows = np.random.default_rng(0).permutation(rows)[: given.rows]
    gaps = known_gaps(Path(given.data), list(table.ids))[rows]
    labels = np.array(table.classes)[table.labels[rows]]
    print(
        f"{len(rows)} crystals of {given.part}, at most {given.max_atoms} atoms, {np.isfinite(gaps).sum()} known gaps"
    )
    for name in given.sets:
        parameters = PARAMETER_SETS[name]()
        with parallel_config("loky", n_jobs=given.workers, inner_max_num_threads=1):
            found = Parallel()(delayed(rule_and_gap)(table.structures[i], parameters) for i in rows)
        report(name, labels, gaps, found)


def report(name: str, labels: np.ndarray, gaps: np.ndarray, found: list[tuple[str, float] | None]) -> None:
    """Prints the figures of one set of parameters."""
    known = np.array([one is not None for one in found])
    rules = np.array([one[0] for one in found if one is not None])
    model = np.maximum([one[1] for one in found if one is not None], 0)
    labels, gaps = labels[known], gaps[known]
    right, finite = rules == labels, np.isfinite(gaps)
    error = 100 * right.std() / np.sqrt(len(right))
    print(f"\n{name}: {len(labels)} with bands")
    print(f"  class by the rule        {100 * right.mean():.1f} +- {error:.1f} %")
    print(f"  trivial or not           {100 * ((rules == 'trivial') == (labels == 'trivial')).mean():.1f} %")
    for label in RULE_CLASSES:
        print(f"    of {label:8} found      {100 * right[labels == label].mean():.1f} %")
    print(f"  gap, mean absolute error {np.abs(model - gaps)[finite].mean():.2f} eV")
    print(f"  gap, rank correlation    {spearmanr(model[finite], gaps[finite])[0]:.3f}")


if __name__ == "__main__":
    main()

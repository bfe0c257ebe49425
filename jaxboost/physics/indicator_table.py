"""Computes `symmetry_indicators.npz`, after `corepresentation_table` has written the co-representations.

    python -m jaxboost.physics.indicator_table

Half a minute on one core.
"""

from pathlib import Path

import numpy as np

from jaxboost.physics.band_representations import induced_multiplicities
from jaxboost.physics.high_symmetry import MaximalPoint, at_point, maximal_points, on_reciprocal
from jaxboost.physics.indices import star_phases
from jaxboost.physics.lattices import smith_form
from jaxboost.physics.little_groups import TRANSLATION_GRID, Operations, Representations, operations
from jaxboost.physics.space_groups import K_GRID
from jaxboost.physics.symmetry_indicators import SymmetryIndicators
from jaxboost.physics.wyckoff import maximal_sites


def compute_indicators(number: int) -> SymmetryIndicators:
    """Those of space group `number`, 1..230, from its elementary band representations."""
    ops = operations(number)
    points = maximal_points(ops)
    small = tuple(at_point(ops, point) for point in points)
    matrix, _ = induced_multiplicities(ops, maximal_sites(ops), points, small)
    factors, vectors = smith_form(matrix)
    torsion = [(d, [entry % d for entry in vector]) for d, vector in zip(factors, vectors, strict=False) if d > 1]
    rows = matrix.shape[1]
    indicator = np.array([vector for _, vector in torsion], dtype=int).T.reshape(rows, len(torsion))
    relations = np.array(vectors[len(factors) :], dtype=int).T.reshape(rows, rows - len(factors))
    orders = np.array([d for d, _ in torsion], dtype=int)
    return SymmetryIndicators(orders, indicator, relations, _strong(ops, points, small, orders, indicator))


def _strong(
    ops: Operations,
    points: tuple[MaximalPoint, ...],
    small: tuple[Representations, ...],
    orders: np.ndarray,
    indicator: np.ndarray,
) -> np.ndarray:
    """`[row]` whose sum modulo 2 is the strong index."""
    inversion = np.flatnonzero((ops.rotations == -np.eye(3)).all(axis=(1, 2)))
    if not len(inversion):
        # Without inversion the one indicator of order 2 is that of a fourfold rotoinversion, and it is the strong one.
        return indicator[:, 0] if orders.tolist() == [2] else np.zeros(len(indicator), dtype=int)
    reciprocal = on_reciprocal(ops.rotations)
    rows = []
    for point, here in zip(points, small, strict=True):
        dims = np.array(here.dims)
        if (2 * point.point % K_GRID).any():
            rows.append(np.zeros(len(dims), dtype=int))
            continue
        character = here.corep_characters()[:, np.flatnonzero(point.members == inversion[0])[0]]
        odd = np.rint((dims - character.real) / 4).astype(int)  # Kramers pairs
        arms = star_phases(
            reciprocal, ops.rotations, ops.translations / TRANSLATION_GRID, int(inversion[0]), point.frac
        ).values()
        rows.append(sum(odd if sign > 0 else dims // 2 - odd for sign in arms) % 2)
    return np.concatenate(rows)


def main() -> None:
    """Computes all 230 groups and writes the table beside this module."""
    groups = [compute_indicators(number) for number in range(1, 231)]
    blocks = [np.concatenate([g.indicator, g.relations, g.strong[:, None]], axis=1) for g in groups]
    entries = np.concatenate([block.ravel() for block in blocks])
    if np.abs(entries).max() > np.iinfo(np.int16).max:
        raise ArithmeticError("an entry outgrows 16 bits")
    np.savez_compressed(
        Path(__file__).with_name("symmetry_indicators.npz"),
        first_row=np.cumsum([0, *(len(block) for block in blocks)]),
        first_order=np.cumsum([0, *(len(group.orders) for group in groups)]),
        first_entry=np.cumsum([0, *(block.size for block in blocks)]),
        relations=np.array([group.relations.shape[1] for group in groups]),
        orders=np.concatenate([group.orders for group in groups]),
        entries=entries.astype(np.int16),
    )


if __name__ == "__main__":
    main()

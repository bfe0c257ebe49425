"""Elementary band representations of the 230 space groups: computes `space_groups.json`.

    python -m jaxboost.physics.band_representations

induces the double-valued co-representations of every maximal site-symmetry group to the whole space group,
counts the small co-representations at the maximal k-points, and reads off the lattice of atomic insulators:
its rank, the torsion of its quotient (the symmetry indicators), its filling step. Takes minutes on one core.
"""

import json
from math import gcd, prod
from pathlib import Path

import numpy as np

from jaxboost.crystal.point_groups import POINT_GROUPS, point_group_symbol
from jaxboost.physics.fixed_points import fixed_space
from jaxboost.physics.high_symmetry import K_GRID, MaximalPoint, along, at_point, maximal_points, segments
from jaxboost.physics.lattices import rank, torsion
from jaxboost.physics.little_groups import Operations, Representations, operations
from jaxboost.physics.space_groups import KLine, KPoint, SpaceGroup, encode
from jaxboost.physics.wyckoff import Site, induced_characters, maximal_sites, site_representations


def induced_multiplicities(
    ops: Operations,
    sites: tuple[Site, ...],
    points: tuple[MaximalPoint, ...],
    small: tuple[Representations, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """The band representations induced from `sites`, by what they hold at each k-point.

    Returns:
        Multiplicities `[band representation, co-representation of all points]` and dimensions
        `[band representation]`.

    Raises:
        ArithmeticError: where the dimensions at a k-point do not add up to that of the band representation.
    """
    rows, dims = [], []
    for site in sites:
        orbitals = site_representations(ops, site)
        counts = [
            here.multiplicities(induced_characters(site, orbitals, point.members, point.frac))
            for point, here in zip(points, small, strict=True)
        ]
        bands = site.multiplicity * np.array(orbitals.dims)
        if any((count @ here.dims != bands).any() for count, here in zip(counts, small, strict=True)):
            raise ArithmeticError("a band representation has another dimension at some k-point")
        rows.append(np.concatenate(counts, axis=1))
        dims.append(bands)
    return np.concatenate(rows), np.concatenate(dims)


def compute_space_group(number: int) -> SpaceGroup:
    """All that `SpaceGroup` holds, for space group `number`, from its operations."""
    ops = operations(number)
    points = maximal_points(ops)
    small = tuple(at_point(ops, point) for point in points)
    ways = segments(ops, points)
    sites = maximal_sites(ops)
    matrix, dims = induced_multiplicities(ops, sites, points, small)
    indicators = torsion(matrix)
    d_bs = rank(matrix)
    freedom = sum((len(s.dims) - 1) * (1 if p.own_partner else 2) for p, s in zip(points, small, strict=True))
    determinants = np.rint(np.linalg.det(ops.rotations)).astype(int)
    return SpaceGroup(
        number=number,
        point_group=_index(ops, np.arange(ops.order)),
        order=ops.order,
        is_symmorphic=any(site.multiplicity == 1 for site in sites),
        has_inversion=bool((ops.rotations == -np.eye(3)).all(axis=(1, 2)).any()),
        is_polar=len(fixed_space(ops.rotations)) > 0,
        is_chiral=bool((determinants > 0).all()),
        filling_step=gcd(*(int(d) for d in dims)),
        ebr_dims=tuple(sorted({int(d) for d in dims})),
        indicator_group=indicators,
        indicator_order=prod(indicators),
        d_bs=d_bs,
        compatibility_freedom=freedom + 1 - d_bs,
        kpoints=tuple(_kpoint(ops, p, s) for p, s in zip(points, small, strict=True)),
        lines=tuple(
            KLine(
                way.i,
                way.j,
                _fraction(way.end),
                way.dimension,
                _index(ops, way.members),
                len(way.members),
                tuple(sorted(inside.dims)),
                relations,
            )
            for way in ways
            for inside, relations in [along(ops, points, way)]
        ),
    )


def _kpoint(ops: Operations, point: MaximalPoint, small: Representations) -> KPoint:
    return KPoint(
        frac=_fraction(point.point),
        little_co_group=_index(ops, point.members),
        order=len(point.members),
        star_size=point.star_size,
        is_trim=not (2 * point.point % K_GRID).any(),
        dims=tuple(sorted(small.dims)),
        spinless_dims=tuple(sorted(at_point(ops, point, spin=False).dims)),
    )


def _index(ops: Operations, members: np.ndarray) -> int:
    return POINT_GROUPS.index(point_group_symbol(ops.rotations[members]))


def _fraction(scaled: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (round(int(c) / K_GRID, 12) for c in scaled)
    return x, y, z


def main() -> None:
    """Computes all 230 groups and writes the table beside this module."""
    records = [encode(compute_space_group(number)) for number in range(1, 231)]
    lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    Path(__file__).with_name("space_groups.json").write_text(f"[{lines}]\n", encoding="utf-8")


if __name__ == "__main__":
    main()

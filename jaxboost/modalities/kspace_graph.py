"""The k-space graph: high-symmetry points, what symmetry says of each, and what the crystal's orbitals put there.

The points, their little co-groups, the dimensions of their double-valued representations and the lines between
them belong to the space group (`space_group_arrays`). What a crystal adds is the representation that the valence
shells of its atoms induce at each point. Its characters are sums over the atoms that an operation leaves in place,

    chi_{o,l}(g) = chi_l(R) sum_{j in o: g j = j + L_j} exp(-2 pi i k.L_j),

and |chi|^2 averaged over the little co-group is the sum of the squared multiplicities of its irreducible parts: it
depends neither on the origin nor on the sign of a double-valued character. The multiplicities themselves are in
`valence_bands`, whose columns stand behind `CRYSTAL_COLUMNS`.

Characters of induced representations: Bradley and Cracknell, The Mathematical Theory of Symmetry in Solids (1972),
chapter 4; Cano et al., Phys. Rev. B 97, 035139 (2018), eq. 25.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES, VALENCE_ELECTRONS
from jaxboost.physics.shell_characters import orbital_characters, spin_characters
from jaxboost.physics.space_groups import space_group

SHELLS = ("s", "p", "d", "f")
# log1p of <|chi|^2> for the shells s, p, d, f, and for all shells weighted by their electrons; the latter as a share
# of its square at the identity; log1p of the number of fixed atoms averaged over the co-group; length of k in units
# of V^(-1/3); electrons modulo the smallest and the largest dimension of a representation at the point.
CRYSTAL_COLUMNS = (
    *(f"norm_{shell}" for shell in SHELLS),
    "norm_electrons",
    "electron_coherence",
    "fixed_atoms",
    "k_length",
    "filling_mod_smallest",
    "filling_mod_largest",
)
POINT_COLUMNS = (
    "order",
    "star",
    "trim",
    "representations",
    "smallest_dim",
    "largest_dim",
    "mean_dim",
    "spinless_representations",
    "spinless_largest_dim",
)
LINE_COLUMNS = ("present", "order", "representations", "smallest_dim", "largest_dim", "relations")
ON_SITE_TOLERANCE = 1e-3  # fractional; symmetrised coordinates agree to about 1e-8


@dataclass(frozen=True)
class SpaceGroupArrays:
    """What belongs to the groups alone, for all 230 (row = number; row 0 is empty) and up to `p` points.

    Attributes:
      co_group: [231, p] index of the little co-group among the 32 point groups.
      present: [231, p] whether there is such a point.
      point: [231, p, len(POINT_COLUMNS)].
      line: [231, p, p, len(LINE_COLUMNS)], symmetric; zero where no line joins the two points.
    """

    co_group: np.ndarray
    present: np.ndarray
    point: np.ndarray
    line: np.ndarray


@lru_cache(maxsize=1)
def space_group_arrays() -> SpaceGroupArrays:
    """The arrays of all groups, filled from `physics.space_groups`."""
    groups = [space_group(number) for number in range(1, 231)]
    p = max(len(group.kpoints) for group in groups)
    co_group = np.zeros((231, p), np.int32)
    present = np.zeros((231, p), bool)
    point = np.zeros((231, p, len(POINT_COLUMNS)), np.float32)
    line = np.zeros((231, p, p, len(LINE_COLUMNS)), np.float32)
    for group in groups:
        for i, k in enumerate(group.kpoints):
            co_group[group.number, i] = k.little_co_group
            present[group.number, i] = True
            point[group.number, i] = (
                np.log2(k.order),
                np.log2(k.star_size),
                k.is_trim,
                np.log2(len(k.dims)),
                np.log2(min(k.dims)),
                np.log2(max(k.dims)),
                np.log2(np.mean(k.dims)),
                np.log2(len(k.spinless_dims)),
                np.log2(max(k.spinless_dims)),
            )
        for edge in group.lines:
            row = (
                1.0,
                np.log2(edge.order),
                np.log2(len(edge.dims)),
                np.log2(min(edge.dims)),
                np.log2(max(edge.dims)),
                np.log1p(edge.n_relations),
            )
            # Several lines may join two points: the one with the most relations says most.
            for i, j in ((edge.i, edge.j), (edge.j, edge.i)):
                if row[-1] >= line[group.number, i, j, -1]:
                    line[group.number, i, j] = row
    return SpaceGroupArrays(co_group, present, point, line)


def crystal_points(crystal: Crystal) -> np.ndarray:
    """What the crystal's orbits and valence shells put at each high-symmetry point, [points, columns].

    The columns are `CRYSTAL_COLUMNS`, the points those of `space_group(crystal.space_group_number)`.
    """
    group = space_group(crystal.space_group_number)
    rotations, translations = crystal.rotations, crystal.translations
    image = np.einsum("gij,aj->gai", rotations, crystal.frac_coords) + translations[:, None]
    shift = image - crystal.frac_coords
    lattice_vector = np.rint(shift)
    fixed = np.abs(shift - lattice_vector).max(-1) < ON_SITE_TOLERANCE
    k_points = np.array([k.frac for k in group.kpoints])
    in_little_group = _little_groups(rotations, k_points)
    orbital = orbital_characters(rotations)
    electrons = np.array([ELEMENT_PROPERTIES[f"valence_{shell}"] for shell in SHELLS])[:, crystal.atomic_numbers]
    occupied = (electrons > 0).astype(float)
    capacity = 2.0 * (2 * np.arange(4) + 1)
    filling = int(VALENCE_ELECTRONS[crystal.atomic_numbers].sum())
    length = _shortest(k_points, crystal.lattice) * crystal.volume ** (1 / 3)

    rows = np.zeros((len(k_points), len(CRYSTAL_COLUMNS)), np.float32)
    for row, k, little, point in zip(rows, k_points, in_little_group, group.kpoints, strict=True):
        phase = np.where(fixed[little], np.exp(-2j * np.pi * (lattice_vector[little] @ k)), 0)
        shell_character = orbital[:, little] * (occupied @ phase.T)
        # The spinor factor 2 cos(theta / 2) is common to all orbitals of an operation, so it multiplies at the end.
        spin = spin_characters(rotations[little])
        norm = (np.abs(shell_character * spin) ** 2).mean(1)
        weighted = (orbital[:, little] * ((electrons / capacity[:, None]) @ phase.T)).sum(0) * spin
        norm_weighted = (np.abs(weighted) ** 2).mean()
        row[:4] = np.log1p(norm)
        row[4] = np.log1p(norm_weighted)
        row[5] = norm_weighted / max(np.abs(weighted).max() ** 2, 1e-12)
        row[6] = np.log1p(fixed[little].sum(1).mean())
        row[8] = filling % min(point.dims) / min(point.dims)
        row[9] = filling % max(point.dims) / max(point.dims)
    rows[:, 7] = length
    return rows


def _little_groups(rotations: np.ndarray, k_points: np.ndarray) -> np.ndarray:
    """[k, g] whether operation g leaves k in place up to a reciprocal lattice vector; k.R for a row of coordinates."""
    moved = np.einsum("kj,gji->kgi", k_points, rotations) - k_points[:, None]
    return np.abs(moved - np.rint(moved)).max(-1) < ON_SITE_TOLERANCE


def _shortest(k_points: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Length of each k, reduced to the first Brillouin zone, in 1/Angstrom without the factor 2 pi."""
    reciprocal = np.linalg.inv(lattice).T
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    candidates = (k_points[:, None] + shifts) @ reciprocal
    return np.linalg.norm(candidates, axis=-1).min(1)

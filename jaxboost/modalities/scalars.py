"""Scalars: composition statistics, lattice, packing, symmetry counts. One row a crystal, column names beside it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES, SYMBOLS
from jaxboost.crystal.point_groups import POINT_GROUPS, point_group_symbol

STATISTICS = ("mean", "spread", "min", "max", "majority")
LATTICE_COLUMNS = (
    "log_volume_per_atom",
    "log_density",
    "log_atoms",
    "log_orbits",
    "log_species",
    "orbits_per_atom",
    "log_length_short",
    "log_length_middle",
    "log_length_long",
    "cosine_low",
    "cosine_middle",
    "cosine_high",
    "shortest_distance",
    "mean_shortest_distance",
    "spread_shortest_distance",
    "distance_over_radii",
    "packing_efficiency",
    "log_operations",
    "inversion",
    "mirror",
    "symmorphic_operations",
    "wyckoff_letters",
    "largest_fraction",
    "composition_entropy",
)
CRYSTAL_SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")
_SYSTEM_ENDS = (2, 15, 74, 142, 167, 194, 230)
_DENSITY = 1.66053907  # g/cm^3 for one atomic mass unit in a cubic Angstrom


@lru_cache(maxsize=1)
def column_names() -> tuple[str, ...]:
    """Names of the columns of `scalars`, in order."""
    return (
        *(f"{statistic}_{name}" for name in ELEMENT_PROPERTIES for statistic in STATISTICS),
        *(f"fraction_{symbol}" for symbol in SYMBOLS[1:]),
        *LATTICE_COLUMNS,
        *(f"system_{name}" for name in CRYSTAL_SYSTEMS),
        *(f"point_group_{symbol}" for symbol in POINT_GROUPS),
        *(f"site_{symbol}" for symbol in POINT_GROUPS),
    )


def scalars(crystal: Crystal, nearest: np.ndarray) -> np.ndarray:
    """The row of one crystal, float32 `[len(column_names())]`; NaN where an element property is unknown.

    Args:
      crystal: the standardised primitive cell.
      nearest: [orbits] distance of each orbit to its nearest image, Angstrom; infinity where there is none.
    """
    return np.concatenate(
        [
            _composition(crystal),
            _fractions(crystal.atomic_numbers)[1:],
            _lattice(crystal, nearest),
            _one_hot(int(np.searchsorted(_SYSTEM_ENDS, crystal.space_group_number)), len(CRYSTAL_SYSTEMS)),
            _one_hot(POINT_GROUPS.index(point_group_symbol(crystal.rotations)), len(POINT_GROUPS)),
            _site_shares(crystal),
        ]
    ).astype(np.float32)


def strain_response() -> tuple[np.ndarray, np.ndarray]:
    """How the columns follow an isotropic strain: `x -> x + strain (constant + proportional x)`, both [columns]."""
    constant = dict.fromkeys(("log_length_short", "log_length_middle", "log_length_long"), 1.0)
    constant |= {"log_volume_per_atom": 3.0, "log_density": -3.0}
    distances = (
        "shortest_distance",
        "mean_shortest_distance",
        "spread_shortest_distance",
        "distance_over_radii",
    )
    names = column_names()
    return (
        np.array([constant.get(name, 0.0) for name in names], np.float32),
        np.array([float(name in distances) for name in names], np.float32),
    )


@lru_cache(maxsize=1)
def _properties() -> np.ndarray:
    return np.array(list(ELEMENT_PROPERTIES.values()))


def _composition(crystal: Crystal) -> np.ndarray:
    """[property x statistic]: mean, mean absolute deviation, least, greatest, and that of the commonest element."""
    elements, counts = np.unique(crystal.atomic_numbers, return_counts=True)
    x = counts / counts.sum()
    values = _properties()[:, elements]
    known = np.isfinite(values)
    weight = np.where(known, x, 0)
    total = weight.sum(1)
    unknown = total == 0
    weight = weight / np.where(unknown, 1, total)[:, None]
    filled = np.where(known, values, 0)
    mean = (weight * filled).sum(1)
    spread = (weight * np.abs(filled - mean[:, None])).sum(1)
    least = np.where(known, values, np.inf).min(1)
    greatest = np.where(known, values, -np.inf).max(1)
    # Ties between equally common elements go to their mean, so that no order of elements matters.
    commonest = counts == counts.max()
    tied = known & commonest
    majority = np.where(tied, values, 0).sum(1) / np.maximum(tied.sum(1), 1)
    majority = np.where(tied.any(1), majority, mean)
    table = np.stack([mean, spread, least, greatest, majority], 1)
    table[unknown] = np.nan
    return table.ravel()


def _fractions(atomic_numbers: np.ndarray) -> np.ndarray:
    return np.bincount(atomic_numbers, minlength=len(SYMBOLS)) / len(atomic_numbers)


def _lattice(crystal: Crystal, nearest: np.ndarray) -> np.ndarray:
    weight = crystal.multiplicities / crystal.n_atoms
    near = np.where(np.isfinite(nearest), nearest, 20.0)
    mean_near = (weight * near).sum()
    species, counts = np.unique(crystal.atomic_numbers, return_counts=True)
    x = counts / counts.sum()
    radii = ELEMENT_PROPERTIES["covalent_radius"][crystal.atomic_numbers[crystal.representatives]]
    mass = ELEMENT_PROPERTIES["atomic_mass"][crystal.atomic_numbers].sum()
    packing = 4 * np.pi / 3 * ((near / 2) ** 3 * crystal.multiplicities).sum() / crystal.volume
    lengths, cosines = _shape(crystal.lattice)
    determinant = np.rint(np.linalg.det(crystal.rotations))
    trace = np.trace(crystal.rotations, axis1=1, axis2=2)
    in_place = np.abs(crystal.translations - np.rint(crystal.translations)).max(-1) < 1e-6
    return np.array(
        [
            np.log(crystal.volume / crystal.n_atoms),
            np.log(mass / crystal.volume * _DENSITY),
            np.log(crystal.n_atoms),
            np.log(crystal.n_orbits),
            np.log(len(species)),
            crystal.n_orbits / crystal.n_atoms,
            *np.log(lengths),
            *cosines,
            near.min(),
            mean_near,
            (weight * np.abs(near - mean_near)).sum(),
            (weight * near / (2 * radii)).sum(),
            min(packing, 2.0),
            np.log(len(crystal.rotations)),
            float((trace == -3).any()),
            float(((determinant == -1) & (trace == 1)).any()),
            in_place.mean(),
            len(set(crystal.wyckoff_letters)),
            x.max(),
            -(x * np.log(x)).sum(),
        ]
    )


def _shape(lattice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted successive minima (Angstrom) over V^(1/3) excluded, and sorted absolute cosines between them.

    The three shortest independent lattice vectors do not depend on the choice of cell; several sets of equal length
    may exist, so the cosines are those of all pairs of minimal vectors, averaged in absolute value.
    """
    steps = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    vectors = steps[np.any(steps, 1)] @ lattice
    norms = np.linalg.norm(vectors, axis=1)
    order = np.argsort(norms)
    vectors, norms = vectors[order], norms[order]
    lengths: list[float] = []
    basis: list[np.ndarray] = []
    for vector, norm in zip(vectors, norms, strict=True):
        if np.linalg.matrix_rank(np.array([*basis, vector]), tol=1e-3) > len(basis):
            basis.append(vector)
            lengths.append(norm)
            if len(basis) == 3:
                break
    sets = [vectors[np.abs(norms - length) < 1e-3] / length for length in lengths]
    cosines = [np.abs(sets[a] @ sets[b].T) for a, b in ((0, 1), (0, 2), (1, 2))]
    # A vector paired with itself or its opposite says nothing about the shape.
    means = [c[c < 1 - 1e-6].mean() if (c < 1 - 1e-6).any() else 0.0 for c in cosines]
    return np.array(lengths), np.sort(means)


def _one_hot(index: int, size: int) -> np.ndarray:
    return np.eye(size)[index]


def _site_shares(crystal: Crystal) -> np.ndarray:
    """[32] share of the atoms on sites of each point group."""
    shares = np.zeros(len(POINT_GROUPS))
    for symbol, count in zip(crystal.site_symmetry, crystal.multiplicities, strict=True):
        shares[POINT_GROUPS.index(symbol)] += count / crystal.n_atoms
    return shares

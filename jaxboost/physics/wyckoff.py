"""Maximal Wyckoff positions and the band representations they induce, as characters at any k-point.

J. Zak, Phys. Rev. B 26, 3010 (1982); B. Bradlyn et al., Nature 547, 298 (2017); J. Cano et al., Phys. Rev. B
97, 035139.
"""

from dataclasses import dataclass

import numpy as np

from jaxboost.physics.fixed_points import maximal_flats
from jaxboost.physics.little_groups import (
    TRANSLATION_GRID,
    Operations,
    Representations,
    phases,
    representations,
)


@dataclass(frozen=True)
class Site:
    """One maximal Wyckoff position, and how the space group permutes its points.

    Attributes:
        point: integers `[3]` in units of 1/24 of the primitive basis.
        members: indices of the operations that, up to a lattice vector, keep it.
        keeps: `[operation, arm]`: the operation takes this point of the orbit to itself, up to a lattice
            vector.
        shift: `[operation, arm, 3]`: that lattice vector, in units of 1/24 (meaningless where `keeps` is
            false).
        seen: `[operation, arm]`: the member of the site-symmetry group as which the operation acts there.
        sign: `[operation, arm]`: with which sign for spin 1/2.
    """

    point: np.ndarray
    members: np.ndarray
    keeps: np.ndarray
    shift: np.ndarray
    seen: np.ndarray
    sign: np.ndarray

    @property
    def multiplicity(self) -> int:
        """Points in the primitive cell."""
        return self.keeps.shape[1]


def maximal_sites(ops: Operations) -> tuple[Site, ...]:
    """One point of each maximal Wyckoff position."""
    flats = maximal_flats(ops.rotations, ops.translations, TRANSLATION_GRID)
    return tuple(site_at(ops, flat.point) for flat in flats)


def site_at(ops: Operations, point: np.ndarray) -> Site:
    """The Wyckoff position of `point`: integers `[3]` in units of 1/24 of the primitive basis."""
    moved = ops.rotations @ point + ops.translations
    members = np.flatnonzero(np.all((moved - point) % TRANSLATION_GRID == 0, axis=1))
    # One operation for each point of the orbit: the first that leads there.
    _, arms = np.unique(np.mod(moved, TRANSLATION_GRID), axis=0, return_index=True)
    orbit = moved[arms]
    shift = np.einsum("gij,aj->gai", ops.rotations, orbit) + ops.translations[:, None] - orbit[None]
    seen = ops.table[ops.inverse[arms][None, :], ops.table[:, arms]]
    sign = ops.spin_sign[:, arms] * ops.spin_sign[arms[None, :], seen]
    return Site(point, members, np.all(shift % TRANSLATION_GRID == 0, axis=2), shift, seen, sign)


def site_representations(ops: Operations, site: Site) -> Representations:
    """Double-valued co-representations of the site-symmetry group."""
    return representations(ops, site.members, site.members, np.zeros(3), spin=True)


def induced_characters(site: Site, orbitals: Representations, members: np.ndarray, kpoint: np.ndarray) -> np.ndarray:
    """Characters `[corep of the site, element]` of the induced band representations at a k-point.

    Args:
        site: the Wyckoff position.
        orbitals: its co-representations.
        members: indices of the little group at `kpoint`.
        kpoint: `[3]`, primitive reciprocal basis.
    """
    place = np.full(len(site.keeps), 0)
    place[site.members] = np.arange(len(site.members))
    weights = np.where(site.keeps, site.sign * phases(kpoint, site.shift), 0.0)[members]
    return np.einsum("ga,cga->cg", weights, orbitals.corep_characters()[:, place[site.seen[members]]])

"""The crystal graph: inequivalent atoms, and the nearest periodic images around each.

Atoms that a space-group operation maps onto each other have the same surroundings, so a network of distances
gives them the same state in every layer. One node an orbit, weighted by its multiplicity, is therefore exact and
several times smaller than one node an atom (`atom_graph` builds the large one; a test compares the two).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from jaxboost.crystal import Crystal
from jaxboost.crystal.point_groups import POINT_GROUPS

# Two distances closer than this (Angstrom) are one shell: symmetrised coordinates agree to about 1e-6.
SHELL_TOLERANCE = 1e-4


@dataclass(frozen=True)
class CrystalGraph:
    """Nodes `o` and their `K` nearest neighbours, in order of distance.

    Attributes:
      element: [o] atomic number.
      site_group: [o] index into `POINT_GROUPS`.
      multiplicity: [o] atoms of the primitive cell that the node stands for.
      target: [o, K] node of the neighbour; 0 where there is none.
      distance: [o, K] Angstrom, ascending; infinity where fewer than K images lie within the cutoff.
      direction: [o, K, 3] unit vector from the node to the neighbour; zero where there is none. Only views that
        displace atoms read it: the network itself sees distances.
    """

    element: np.ndarray
    site_group: np.ndarray
    multiplicity: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    direction: np.ndarray


def crystal_graph(crystal: Crystal, *, cutoff: float, neighbors: int) -> CrystalGraph:
    """The graph of the crystal's orbits. `cutoff` in Angstrom; `neighbors` is K."""
    centres = crystal.representatives
    target, distance, direction = _nearest(crystal, centres, cutoff, neighbors)
    return CrystalGraph(
        element=crystal.atomic_numbers[centres].astype(np.int16),
        site_group=_site_groups(crystal),
        multiplicity=crystal.multiplicities.astype(np.int16),
        target=crystal.orbits[target].astype(np.int16),
        distance=distance,
        direction=direction,
    )


def atom_graph(crystal: Crystal, *, cutoff: float, neighbors: int) -> CrystalGraph:
    """The same graph with one node for each atom of the primitive cell, to check the smaller one against."""
    centres = np.arange(crystal.n_atoms)
    target, distance, direction = _nearest(crystal, centres, cutoff, neighbors)
    return CrystalGraph(
        element=crystal.atomic_numbers.astype(np.int16),
        site_group=_site_groups(crystal)[crystal.orbits],
        multiplicity=np.ones(crystal.n_atoms, np.int16),
        target=target.astype(np.int16),
        distance=distance,
        direction=direction,
    )


def shells(distances: np.ndarray, *, tolerance: float = SHELL_TOLERANCE) -> list[tuple[float, int]]:
    """Groups ascending distances (Angstrom) into (distance, number of neighbours)."""
    found: list[tuple[float, int]] = []
    for distance in distances[np.isfinite(distances)]:
        if found and distance - found[-1][0] < tolerance:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((float(distance), 1))
    return found


def _site_groups(crystal: Crystal) -> np.ndarray:
    return np.array([POINT_GROUPS.index(symbol) for symbol in crystal.site_symmetry], np.int8)


def _nearest(
    crystal: Crystal, centres: np.ndarray, cutoff: float, neighbors: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positions = crystal.frac_coords @ crystal.lattice
    # A sphere that holds three times K atoms at the mean density is nearly always enough; sparse or layered
    # crystals take the whole cutoff.
    first = min(cutoff, (3 * neighbors * crystal.volume / crystal.n_atoms * 3 / (4 * np.pi)) ** (1 / 3))
    for radius in (first, cutoff):
        i, j, d, vector = NeighborList(cutoff=radius, full_list=True).compute(
            points=positions, box=crystal.lattice, periodic=True, quantities="ijdD"
        )
        if radius == cutoff or np.bincount(i, minlength=crystal.n_atoms)[centres].min() >= neighbors:
            break
    order = np.lexsort((d, i))
    i, j, d, vector = i[order], j[order], d[order], vector[order]
    start = np.searchsorted(i, centres)
    count = np.minimum(np.searchsorted(i, centres, side="right") - start, neighbors)
    slot = np.arange(neighbors)
    present = slot < count[:, None]
    pick = np.where(present, start[:, None] + slot, 0)
    if len(d) == 0:
        shape = (len(centres), neighbors)
        return np.zeros(shape, int), np.full(shape, np.inf, np.float32), np.zeros((*shape, 3), np.float32)
    unit = vector / d[:, None]
    return (
        np.where(present, j[pick], 0),
        np.where(present, d[pick], np.inf).astype(np.float32),
        np.where(present[..., None], unit[pick], 0).astype(np.float32),
    )

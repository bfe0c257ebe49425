"""The band representation that a crystal's outer shells induce, and what filling it with electrons can mean.

At each high-symmetry point, and along each line, the outer shells (`physics.atomic_limit`) hold every small
co-representation a whole number of times. Which one is called which depends on the choice of origin, so a column
is a count, a sum, an extreme or a product over all of them. Two questions are asked of the atomic limit, in which
shells are filled from below: do the electrons fill whole representations (of the point, the line, the site), and
how much alike are the last filled and the first empty shell? Alike ones repel where they meet, others cross.

Bradlyn et al., Nature 547, 298 (2017); Watanabe, Po, Zaletel, Vishwanath, Phys. Rev. Lett. 117, 096404 (2016).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import gcd

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.crystal.point_groups import POINT_GROUPS
from jaxboost.physics.atomic_limit import (
    CAPACITIES,
    Filling,
    closed_shell,
    fill_shells,
    inner_electrons,
    outer_electrons,
    outer_shells,
)
from jaxboost.physics.corepresentations import Corepresentations, corepresentations
from jaxboost.physics.filling import has_atomic_insulator
from jaxboost.physics.partitions import distance_to_reachable, log_ways, reachable
from jaxboost.physics.space_groups import K_GRID, space_group

_PLACE_COLUMNS = (
    "kinds",  # share of the place's co-representations that the valence bands hold at all
    "log_least",  # log1p of the smallest, largest and mean multiplicity
    "log_most",
    "log_mean",
    "log_gcd",  # log2 of the common divisor of the dimensions that are there
    "whole",  # whether the outer electrons fill whole representations of the valence bands
    "open_whole",  # whether those of the open shell fill whole representations of that shell
    "open_ways",  # log1p of the ways in which they do; 0 for closed shells
    "frontier_alike",  # cosine between the multiplicities of the last shell with electrons and the next
    "bands_alike",  # the same between all filled and all empty shells
)
POINT_COLUMNS = _PLACE_COLUMNS
LINE_COLUMNS = ("kinds", "open_whole", "frontier_alike", "bands_alike")
CRYSTAL_COLUMNS = (
    "atomic_insulator",  # whether the group has one at this filling
    "outer_per_atom",  # outer electrons, by atom and as share of what the outer shells hold
    "outer_share",
    "closed",  # whether the atomic limit has closed shells
    "open_share",  # electrons in the open shell as share of its capacity, and by atom that has it
    "open_per_atom",
    "atomic_gap",  # eV
    *(f"highest_{shell}" for shell in "spdf"),
    *(f"next_{shell}" for shell in "spdf"),
    "highest_energy",  # eV, and log1p of the spin-orbit strength in 0.1 eV of the element
    "highest_spin_orbit",
    "next_energy",
    "next_spin_orbit",
    "near_capacity",  # log1p of the electrons that all shells within 1.5 eV of those two hold, by atom
    "near_share",  # what of it is filled
    "open_site_whole",  # whether the open shell's electrons fill whole representations of its sites
    "open_site_distance",  # log1p of how many electrons they are away from that
    "open_site_ways",
    "site_distance",  # the same for all outer electrons and all outer shells
    "site_log_gcd",  # log2 of the common divisor of the dimensions of all band representations of those
    "shell_ways",  # log1p of the ways to fill whole shells, orbit by orbit, with all outer electrons
    "excess_1",  # outer electrons by atom beyond the closed shells of the 1, 2, 3 most electronegative elements
    "excess_2",
    "excess_3",
    "missing",  # electrons missing to the closed shell of the first of them, by its atoms: bonds by the 8 - N rule
)
ON_SITE_TOLERANCE = 1e-3  # fractional; symmetrised coordinates agree to about 1e-8
NEAR = 1.5  # eV
_ROOTS = np.exp(-2j * np.pi * np.arange(K_GRID) / K_GRID)


def valence_bands(crystal: Crystal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the outer shells of a crystal put at the points and on the lines, and its atomic limit.

    Returns:
      [points, len(POINT_COLUMNS)] for the points of `space_group(crystal.space_group_number)`;
      [points, points, len(LINE_COLUMNS)], symmetric, for the lines between them, of several between the same two
      points the one with the most compatibility relations, zero where there is none;
      [len(CRYSTAL_COLUMNS)]. All float32, NaN where an element's electrons are unknown.
    """
    number = crystal.space_group_number
    group, table = space_group(number), corepresentations(number)
    p = len(group.kpoints)
    lines = np.zeros((p, p, len(LINE_COLUMNS)), np.float32)
    pairs = joined_points(number)
    if not all(outer_electrons(int(z)) for z in crystal.atomic_numbers):
        for i, j, _ in pairs:
            lines[i, j] = lines[j, i] = np.nan
        shape = (p, len(POINT_COLUMNS))
        return np.full(shape, np.nan, np.float32), lines, np.full(len(CRYSTAL_COLUMNS), np.nan, np.float32)

    filling = fill_shells(crystal.atomic_numbers)
    held = table.multiplicities(_shell_characters(crystal, table, filling))
    places = _places(held, table, filling)
    kept = [_PLACE_COLUMNS.index(name) for name in LINE_COLUMNS]
    for i, j, line in pairs:
        lines[i, j] = lines[j, i] = places[p + line, kept]
    return places[:p].astype(np.float32), lines, _atomic_limit(crystal, filling)


@lru_cache(maxsize=230)
def joined_points(number: int) -> tuple[tuple[int, int, int], ...]:
    """(point, point, index in `space_group(number).lines`) of the line that stands for each joined pair."""
    best: dict[tuple[int, int], int] = {}
    lines = space_group(number).lines
    for index, line in enumerate(lines):
        pair = (line.i, line.j)
        if pair not in best or line.n_relations >= lines[best[pair]].n_relations:
            best[pair] = index
    return tuple((i, j, index) for (i, j), index in best.items())


def _shell_characters(crystal: Crystal, table: Corepresentations, filling: Filling) -> np.ndarray:
    """[point, shell, operation] of the band representation that each shell of each element induces."""
    image = np.einsum("gij,aj->gai", crystal.rotations, crystal.frac_coords) + crystal.translations[:, None]
    shift = image - crystal.frac_coords
    vector = np.rint(shift)
    fixed = np.abs(shift - vector).max(-1) < ON_SITE_TOLERANCE
    turns = np.mod(vector.astype(int) @ table.kpoints.T, K_GRID)
    phase = np.where(fixed[..., None], _ROOTS[turns], 0)
    elements, element = np.unique(crystal.atomic_numbers, return_inverse=True)
    by_element = np.einsum("gak,ae->keg", phase, np.eye(len(elements))[element])
    of_shell = np.searchsorted(elements, [shell.atomic_number for shell in filling.shells])
    return by_element[:, of_shell] * table.shells[[shell.l for shell in filling.shells]]


def _places(held: np.ndarray, table: Corepresentations, filling: Filling) -> np.ndarray:
    """[place, len(_PLACE_COLUMNS)] from the multiplicities [row, shell]."""
    first = np.flatnonzero(np.diff(table.place, prepend=-1))
    total = held.sum(1)
    n_rows = np.diff(first, append=len(total))
    top = filling.highest
    above = min(top + 1, held.shape[1] - 1)
    share = filling.electrons / filling.capacities
    cosine = lambda a, b: _cosine(a, b, first)  # noqa: E731
    open_shell, electrons = filling.in_open_shell, int(filling.electrons.sum())
    columns = np.zeros((len(first), len(_PLACE_COLUMNS)))
    columns[:, 0] = np.add.reduceat(total > 0, first, dtype=int) / n_rows
    columns[:, 1] = np.log1p(np.minimum.reduceat(total, first))
    columns[:, 2] = np.log1p(np.maximum.reduceat(total, first))
    columns[:, 3] = np.log1p(np.add.reduceat(total, first) / n_rows)
    columns[:, 8] = cosine(held[:, top], held[:, above])
    columns[:, 9] = cosine(held @ share, held @ (1 - share))
    for row, dims, everywhere, frontier in zip(
        columns,
        np.split(table.dims, first[1:]),
        np.split(total, first[1:]),
        np.split(held[:, top], first[1:]),
        strict=True,
    ):
        pieces = _pieces(dims, everywhere)
        row[4] = np.log2(gcd(*(size for size, _ in pieces)))
        row[5] = _can_fill(pieces, electrons)
        open_pieces = _pieces(dims, frontier)
        row[6] = _can_fill(open_pieces, open_shell)
        row[7] = log_ways(open_pieces, open_shell) if open_shell else 0.0
    return columns


def _pieces(dims: np.ndarray, counts: np.ndarray) -> list[tuple[int, int]]:
    """(dimension, how often): what `reachable` takes, those that are not there left out."""
    pieces: Counter[int] = Counter()
    for size, count in zip(dims.tolist(), counts.tolist(), strict=True):
        pieces[size] += count
    return [(size, count) for size, count in pieces.items() if count]


def _can_fill(pieces: Sequence[tuple[int, int]], electrons: int) -> bool:
    return bool(reachable(pieces, electrons) >> electrons & 1)


def _cosine(a: np.ndarray, b: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Cosine of the angle between two vectors over the rows of each place."""
    inner, a2, b2 = (np.add.reduceat(product, first) for product in (a * b, a * a, b * b))
    return inner / np.sqrt(np.maximum(a2 * b2, 1e-12))


@lru_cache(maxsize=1)
def _symmorphic_groups() -> dict[int, int]:
    """A space group for each point group whose Gamma point has the representations of a site with that symmetry."""
    groups = (space_group(number) for number in range(1, 231))
    return {g.point_group: g.number for g in groups if g.is_symmorphic}


@lru_cache(maxsize=128)
def site_representations_of_shell(site_symmetry: str, l: int) -> tuple[tuple[int, int], ...]:  # noqa: E741
    """Into which co-representations the site symmetry splits a shell with spin: (dimension, how often)."""
    number = _symmorphic_groups()[POINT_GROUPS.index(site_symmetry)]
    table = corepresentations(number)
    at_gamma = table.place == 0
    held = np.rint((table.projectors[at_gamma] @ table.shells[l]).real).astype(int)
    return tuple(_pieces(table.dims[at_gamma], held))


def _site_pieces(crystal: Crystal, shells: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """(dimension, how often) of the band representations that the listed (element, l) induce."""
    pieces: Counter[int] = Counter()
    numbers = crystal.atomic_numbers[crystal.representatives]
    for z, symmetry, multiplicity in zip(
        numbers.tolist(), crystal.site_symmetry, crystal.multiplicities.tolist(), strict=True
    ):
        for element, l in shells:  # noqa: E741
            if element == z:
                for dim, count in site_representations_of_shell(symmetry, l):
                    pieces[dim * multiplicity] += count
    return list(pieces.items())


def _atomic_limit(crystal: Crystal, filling: Filling) -> np.ndarray:
    """[len(CRYSTAL_COLUMNS)] of a crystal whose electrons are known."""
    group = space_group(crystal.space_group_number)
    shells, top = filling.shells, filling.highest
    open_shell, electrons = filling.in_open_shell, int(filling.electrons.sum())
    frontier = _site_pieces(crystal, [(shells[top].atomic_number, shells[top].l)])
    everything = _site_pieces(crystal, [(shell.atomic_number, shell.l) for shell in shells])
    open_sums = reachable(frontier, int(filling.capacities[top]))
    sums = reachable(everything, int(filling.capacities.sum()))
    whole_shells: Counter[int] = Counter()
    for z, multiplicity in zip(
        crystal.atomic_numbers[crystal.representatives].tolist(), crystal.multiplicities.tolist(), strict=True
    ):
        whole_shells.update(CAPACITIES[shell.l] * multiplicity for shell in outer_shells(z))
    atoms = Counter(crystal.atomic_numbers.tolist())
    following = shells[top] if open_shell else shells[min(top + 1, len(shells) - 1)]
    energies = np.array([shell.energy for shell in shells])
    close = (energies > shells[top].energy - NEAR) & (energies < following.energy + NEAR)
    near = np.where(close, filling.capacities, 0)
    row = [
        has_atomic_insulator(electrons + sum(inner_electrons(z) * n for z, n in atoms.items()), group),
        electrons / crystal.n_atoms,
        electrons / filling.capacities.sum(),
        not open_shell,
        open_shell / filling.capacities[top],
        open_shell / atoms[shells[top].atomic_number],
        filling.gap,
        *(shells[top].l == l for l in range(4)),  # noqa: E741
        *(following.l == l for l in range(4)),  # noqa: E741
        shells[top].energy,
        np.log1p(10 * ELEMENT_PROPERTIES["spin_orbit_strength"][shells[top].atomic_number]),
        following.energy,
        np.log1p(10 * ELEMENT_PROPERTIES["spin_orbit_strength"][following.atomic_number]),
        np.log1p(near.sum() / crystal.n_atoms),
        (filling.electrons * (near > 0)).sum() / near.sum(),
        open_sums >> open_shell & 1,
        np.log1p(distance_to_reachable(open_sums, open_shell)),
        log_ways(frontier, open_shell) if open_shell else 0.0,
        np.log1p(distance_to_reachable(sums, electrons)),
        np.log2(gcd(*(size for size, _ in everything))),
        log_ways(list(whole_shells.items()), electrons),
        *_excesses(atoms, electrons, crystal.n_atoms),
    ]
    return np.array(row, np.float32)


def _excesses(atoms: Counter[int], electrons: int, n_atoms: int) -> list[float]:
    """The last four of `CRYSTAL_COLUMNS`: the elements stand in the order in which they bind their electrons."""
    order = sorted(atoms, key=lambda z: (outer_shells(z)[0].energy, z))
    closed = np.cumsum([closed_shell(z) * atoms[z] for z in order])
    excesses = [(electrons - closed[min(count, len(closed)) - 1]) / n_atoms for count in (1, 2, 3)]
    return [*excesses, (closed[0] - electrons) / atoms[order[0]]]

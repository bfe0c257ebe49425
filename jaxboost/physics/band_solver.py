"""From Bloch matrices of one crystal to what its states say at a high-symmetry point and on a line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_path import BandPath, PathLine
from jaxboost.physics.band_states import SpinorStates, States, add_spin_orbit, solve
from jaxboost.physics.indices import odd_states, same_representation
from jaxboost.physics.levels import DEGENERATE
from jaxboost.physics.orbital_symmetry import (
    OrbitalSymmetry,
    level_characters,
    occupied_characters,
    orbital_symmetry,
)
from jaxboost.physics.orbitals import SHELL_OF_ORBITAL
from jaxboost.physics.tight_binding import Model
from jaxboost.physics.tight_binding_elements import electronegativities

CHARACTERS = ("s", "p", "d", "electronegativity", "atomic_number")
"""What a state is averaged over: its Mulliken weight by shell, and the elements it sits on."""

_EDGE_WIDTH = 0.05  # eV; states this close to a band's edge count as the edge, so that no threshold decides
_EDGE_REACH = 1.0  # eV; farther ones weigh less than 1e-8


@dataclass(frozen=True)
class PointBands:
    """Bands at one high-symmetry point.

    Attributes:
      levels: `[2m]` eV with spin-orbit coupling (without it, each spinless level twice).
      spinless_levels: `[m]` eV.
      valence, conduction: `[len(CHARACTERS)]` of the states at the last filled and first empty level.
      occupied: `[len(CHARACTERS)]` averaged over all occupied states.
      edge_parity: mean parity of the states at the one edge times that at the other: -1 where they differ, 1 where they
        agree, between where both parities meet; NaN away from the TRIM and without inversion.
      odd, spinless_odd: number of odd occupied states with and without spin-orbit coupling; NaN without inversion,
        away from the TRIM, or where the filling cuts a level.
    """

    levels: np.ndarray
    spinless_levels: np.ndarray
    valence: np.ndarray
    conduction: np.ndarray
    occupied: np.ndarray
    edge_parity: float
    odd: float
    spinless_odd: float


@dataclass(frozen=True)
class LineBands:
    """Bands on a line between two high-symmetry points.

    Attributes:
      levels: `[2m]` eV in the middle.
      crossing: whether the occupied representations at both ends differ; None where the line has no compatibility
        relations, so that symmetry can force none, or where the filling cuts a level at an end.
      switching_gap: eV, the smallest gap at an end at which the two levels would have to change places for `crossing`
        to become what it is not; NaN where that would do nothing at either end, or was not tested.
    """

    levels: np.ndarray
    crossing: bool | None
    switching_gap: float = np.nan


class BandSolver:
    """States and what is read from them, for one crystal.

    Args:
      crystal: the crystal.
      model: of that crystal.
      window: eV, as in `band_states.add_spin_orbit`; 0 leaves spin-orbit coupling out.

    Attributes:
      dropped: most states that a singular overlap matrix made to be left out at any k-point so far.
    """

    def __init__(self, crystal: Crystal, model: Model, window: float) -> None:
        self.model, self.window = model, window
        self.symmetry: OrbitalSymmetry = orbital_symmetry(crystal)
        shells = SHELL_OF_ORBITAL[model.slot]
        numbers = crystal.atomic_numbers[model.atom]
        self.characters = np.stack([*(shells == shell for shell in range(3)), electronegativities()[numbers], numbers])
        self.dropped = 0

    def states(self, kpoints: np.ndarray) -> list[States]:
        """Spinless states at each of `[k, 3]` k-points."""
        # Real matrices at the TRIM are solved in a quarter of the time, so they go apart.
        is_trim = (np.abs(2 * kpoints - np.rint(2 * kpoints)) < 1e-9).all(axis=1)
        result: list[States | None] = [None] * len(kpoints)
        for part in (np.flatnonzero(is_trim), np.flatnonzero(~is_trim)):
            if len(part):
                for index, matrices in zip(part, zip(*self.model.bloch(kpoints[part]), strict=True), strict=True):
                    result[index] = solve(*matrices)
        found = [states for states in result if states is not None]
        self.dropped = max([self.dropped, *(states.dropped for states in found)])
        return found

    def spinors(self, states: States, *, vectors: bool) -> SpinorStates | None:
        """States with spin-orbit coupling, None where it is left out."""
        return add_spin_orbit(self.model, states, self.window, vectors=vectors) if self.window > 0 else None

    def levels(self, states: States, spinors: SpinorStates | None) -> np.ndarray:
        """`[2m]` eV, ascending, with what lies outside the window counted twice."""
        if spinors is None:
            return np.repeat(states.energies, 2)
        below, above = states.energies[: spinors.start], states.energies[spinors.stop :]
        return np.sort(np.concatenate([np.repeat(below, 2), spinors.energies, np.repeat(above, 2)]))

    def at_point(self, kpoint: np.ndarray, states: States, spinors: SpinorStates | None) -> PointBands:
        """All that is read at one high-symmetry point; `spinors` of its states, with vectors."""
        electrons = self.model.electrons
        levels = self.levels(states, spinors)
        spinless_odd = odd = np.nan
        inversion, parity = self.symmetry.inversion(), None
        if inversion is not None and inversion in self.symmetry.little_group(kpoint):
            images = self.symmetry.apply(inversion, kpoint, self.model, states.coefficients)
            start, stop = self._window(states, spinors)
            parity = states.dual[:, start:stop].conj().T @ images[:, start:stop]
            single = (states.dual.conj() * images).sum(axis=0).real
            half = electrons // 2
            if electrons % 2 == 0 and states.energies[half] - states.energies[half - 1] > DEGENERATE:
                spinless_odd = odd_states(single[:half].sum(), half)
            if spinors is not None and levels[electrons] - levels[electrons - 1] > DEGENERATE:
                # The inversion leaves spins alone: both are counted alike.
                assert spinors.vectors is not None
                vectors = spinors.vectors[:, : spinors.electrons].reshape(2, stop - start, -1)
                among = np.einsum("sab,sab->", vectors.conj(), parity @ vectors).real
                odd = odd_states(2 * single[:start].sum() + among, electrons)
        pairs = (states.coefficients.conj() * states.dual).real
        filled = np.clip(electrons / 2 - np.arange(len(states.energies)), 0, 1)
        (valence, valence_parity), (conduction, conduction_parity) = self._edges(states, spinors, levels, parity)
        occupied = self.characters @ (pairs @ filled) / filled.sum()
        return PointBands(
            levels=levels,
            spinless_levels=states.energies,
            valence=valence,
            conduction=conduction,
            occupied=occupied,
            edge_parity=valence_parity * conduction_parity,
            odd=odd,
            spinless_odd=spinless_odd,
        )

    def _window(self, states: States, spinors: SpinorStates | None) -> tuple[int, int]:
        """First and one past the last spinless state that the edges can be made of."""
        if spinors is not None:
            return spinors.start, spinors.stop
        edges = states.energies[[(self.model.electrons - 1) // 2, self.model.electrons // 2]]
        start, stop = np.searchsorted(states.energies, edges + [-_EDGE_REACH, _EDGE_REACH])
        return int(start), int(stop)

    def _edges(
        self, states: States, spinors: SpinorStates | None, levels: np.ndarray, parity: np.ndarray | None
    ) -> list[tuple[np.ndarray, float]]:
        """Characters `[len(CHARACTERS)]` and mean parity of the two edges.

        `parity` is that between the states of the window, `[w, w]`; without it the mean is NaN.
        """
        electrons = self.model.electrons
        start, stop = self._window(states, spinors)
        first, window = 2 * start, slice(start, stop)
        if spinors is None or spinors.vectors is None:
            energies, spins = np.repeat(states.energies[window], 2), [np.repeat(np.eye(stop - start), 2, axis=1)]
        else:
            energies, spins = spinors.energies, [spinors.vectors[: stop - start], spinors.vectors[stop - start :]]
        result = []
        for edge, side in ((electrons - 1, np.s_[: electrons - first]), (electrons, np.s_[electrons - first :])):
            away = np.abs(energies - levels[edge])
            near = np.arange(len(energies))[side][away[side] < _EDGE_REACH]
            weight = np.exp(-away[near] / _EDGE_WIDTH)
            weight /= weight.sum()
            share, mean_parity = np.zeros(self.model.n_orbitals), 0.0 if parity is not None else np.nan
            for spin in (vectors[:, near] for vectors in spins):
                share += (
                    (states.coefficients[:, window] @ spin).conj() * (states.dual[:, window] @ spin)
                ).real @ weight
                if parity is not None:
                    mean_parity += float((spin.conj() * (parity @ spin)).sum(axis=0).real @ weight)
            result.append((self.characters @ share, mean_parity))
        return result

    def on_line(
        self, line: PathLine, path: BandPath, states: Sequence[States], spinors: Sequence[SpinorStates | None]
    ) -> tuple[bool | None, float]:
        """Whether the occupied representations at both ends of a line differ, and `LineBands.switching_gap`.

        `states` and `spinors` (with vectors) are those of all k-points of the path.
        """
        electrons = self.model.electrons
        translations = self.symmetry.translations[line.operations]
        characters, swaps, gaps = [], [], []
        for k, reached in ((line.start, path.kpoints[line.start]), (line.end, line.reached)):
            levels = self.levels(states[k], spinors[k])
            gap = float(levels[electrons] - levels[electrons - 1])
            if gap < DEGENERATE:
                return None, np.nan
            # The line may reach another cell of the reciprocal lattice than the k-point that stands for its end.
            phase = np.exp(2j * np.pi * (translations @ reached))
            at = (self.symmetry, line.operations, path.kpoints[k], self.model, states[k], spinors[k])
            characters.append(occupied_characters(*at) * phase)
            swaps.append(self.swap(line.operations, path.kpoints[k], states[k], spinors[k], levels) * phase)
            gaps.append(gap)
        crossing = not same_representation(*characters)
        switching = [
            gap
            for own, swap, gap, other in zip(characters, swaps, gaps, characters[::-1], strict=True)
            if np.isfinite(swap).all() and same_representation(own + swap, other) == crossing
        ]
        return crossing, min(switching, default=np.nan)

    def swap(
        self,
        operations: list[int],
        kpoint: np.ndarray,
        states: States,
        spinors: SpinorStates | None,
        levels: np.ndarray,
    ) -> np.ndarray:
        """`[operation]` by how much the occupied characters would change if the two levels at the gap changed places.

        NaN where that is unknown: one has more states than the other, so the filling would cut it, or a part of them
        lies outside the window.
        """
        electrons = self.model.electrons
        edges = [np.flatnonzero(np.abs(levels - levels[edge]) < DEGENERATE) for edge in (electrons - 1, electrons)]
        unknown = np.full(len(operations), np.nan, complex)
        if spinors is None or len(edges[0]) != len(edges[1]):
            return unknown
        chosen = [edge - 2 * spinors.start for edge in edges]
        if chosen[0][0] < 0 or chosen[1][-1] >= len(spinors.energies):
            return unknown
        at = (self.symmetry, operations, kpoint, self.model, states, spinors)
        return level_characters(*at, chosen[1]) - level_characters(*at, chosen[0])

"""What a crystal's known gap and class ask of its levels: a loss and its derivatives by the levels.

The gap is a regression. A class is decided by order, which has no derivative, but each wrong decision has a gap that
would have to close and open again for it to become right: that distance is the loss. Right decisions that a small gap
could undo ask for a margin.

    class wanted            class found     the gap to close
    no cut at a point       cut             between the cut level and the neighbour that would free it
    HSPSM                   no cut          the smallest one between levels of unequal size, at a point
    no crossing             crossing        one whose closing makes the representations at both ends equal
    HSLSM                   no crossing     the smallest one whose closing makes them differ
    other indices           indices         the smallest one between levels of opposite parity, at an odd number of
                                            equivalent TRIM to change the strong index, at an even one for the others
"""

from dataclasses import dataclass, field

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_path import BandPath
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.indices import InversionIndices, inversion_indices, same_representation, star_phases
from jaxboost.physics.level_gradients import LevelWeight
from jaxboost.physics.levels import DEGENERATE, freeing_neighbours, same_level
from jaxboost.physics.orbital_symmetry import occupied_characters
from jaxboost.physics.space_groups import space_group

_INVERTED = -0.9  # product of parities: below it the edges are opposite, between both meet in one level
_FAR = 6.0  # eV; across such a gap no fit will change the order


@dataclass(frozen=True)
class TargetSettings:
    """How the parts of the loss weigh.

    Attributes:
      gap: of the gap's Huber loss (1 eV).
      topology: of a wrong decision.
      keep: of a right one within the margin, relative to that.
      margin: eV.
      window: eV, of spin-orbit coupling, as in `PathSettings`.
    """

    gap: float = 0.5
    topology: float = 3.0
    keep: float = 0.5
    margin: float = 0.3
    window: float = 12.0


@dataclass
class Targets:
    """The loss of one crystal, its derivatives by the levels, and what was found on the way.

    Attributes:
      loss: 1.
      terms: its derivatives, of the levels at the k-points of the path.
      gap: eV, without spin-orbit coupling, between the highest filled and lowest empty level of all points.
      states, spinors: at each k-point looked at.
    """

    loss: float
    terms: list[LevelWeight]
    gap: float
    states: list[States]
    spinors: list[SpinorStates | None] = field(default_factory=list)


def find_targets(
    crystal: Crystal, solver: BandSolver, path: BandPath, label: str, gap: float, settings: TargetSettings
) -> Targets:
    """What one crystal asks of its levels.

    Args:
      crystal: with an even number of electrons.
      solver: of its model.
      path: its k-points.
      label: its class, one of `symmetry_indicators.RULE_CLASSES`.
      gap: eV, 0 for a metal, NaN where unknown.
      settings: weights.
    """
    with_lines = label != "HSPSM" and bool(path.lines)
    states = solver.states(path.kpoints if with_lines else path.kpoints[: path.points])
    result = Targets(0.0, [], np.nan, states)
    _ask_for_gap(result, solver.model.electrons // 2, path.points, gap, settings.gap)
    result.spinors = [solver.spinors(here, vectors=True) for here in states]
    levels = np.array([solver.levels(*pair) for pair in zip(states, result.spinors, strict=True)])
    _Decisions(result, levels, solver, path, settings).ask(crystal, label)
    return result


def _ask_for_gap(result: Targets, half: int, points: int, wanted: float, weight: float) -> None:
    energies = np.array([states.energies for states in result.states[:points]])
    top, bottom = int(energies[:, half - 1].argmax()), int(energies[:, half].argmin())
    result.gap = float(energies[bottom, half] - energies[top, half - 1])
    # Of a metal nobody knows by how much its bands overlap.
    if not np.isfinite(wanted) or (wanted == 0 and result.gap < 0):
        return
    error = result.gap - wanted
    result.loss += weight * (error**2 / 2 if abs(error) < 1 else abs(error) - 0.5)
    slope = weight * float(np.clip(error, -1, 1))
    for point, level, sign in ((bottom, half, 1), (top, half - 1, -1)):
        result.terms += _spread(point, energies[point], level, False, sign * slope)


def _spread(point: int, levels: np.ndarray, index: int, spin_orbit: bool, weight: float) -> list[LevelWeight]:
    same = same_level(levels, index)
    return [LevelWeight(point, int(i), spin_orbit, weight / len(same)) for i in same]


class _Decisions:
    """Looks at the order of the levels with spin-orbit coupling, and adds to a `Targets` what it asks for."""

    def __init__(
        self, result: Targets, levels: np.ndarray, solver: BandSolver, path: BandPath, settings: TargetSettings
    ) -> None:
        self.result, self.levels, self.solver, self.path, self.settings = result, levels, solver, path, settings
        self.electrons = solver.model.electrons
        self.gaps = levels[:, self.electrons] - levels[:, self.electrons - 1]

    def ask(self, crystal: Crystal, label: str) -> None:
        n, points = self.electrons, self.path.points
        cut = np.flatnonzero(self.gaps[:points] < DEGENERATE)
        if label == "HSPSM":
            unequal = [
                k for k in range(points) if len(same_level(self.levels[k], n - 1)) != len(same_level(self.levels[k], n))
            ]
            if not len(cut):
                self._close(unequal)
            return
        for k in cut:
            self._free(int(k))
        if len(cut):
            return
        crossing = self._ask_of_lines(label)
        if not crossing and label != "HSLSM":
            self._ask_of_indices(crystal, label)

    def _close(self, candidates: list[int]) -> None:
        """Asks the smallest of the gaps at some k-points to close and open the other way round."""
        near = [k for k in candidates if self.gaps[k] < _FAR]
        if near:
            k = min(near, key=lambda candidate: float(self.gaps[candidate]))
            self._close_between(k, self.electrons - 1, self.electrons)

    def _close_between(self, k: int, lower: int, upper: int) -> None:
        # Logarithmic: a hopeless case should not outweigh many that are nearly right.
        distance = self.levels[k, upper] - self.levels[k, lower] + self.settings.margin
        self.result.loss += self.settings.topology * float(np.log1p(distance))
        self._add(k, lower, upper, self.settings.topology / (1 + distance))

    def _keep(self, candidates: list[int]) -> None:
        """Asks the smallest of the gaps at some k-points to stay open by the margin."""
        if not candidates:
            return
        k = min(candidates, key=lambda candidate: float(self.gaps[candidate]))
        weight = self.settings.topology * self.settings.keep
        if self.gaps[k] < self.settings.margin:
            self.result.loss += weight * float(self.settings.margin - self.gaps[k])
            self._add(k, self.electrons - 1, self.electrons, -weight)

    def _add(self, k: int, lower: int, upper: int, slope: float) -> None:
        for level, sign in ((upper, 1), (lower, -1)):
            self.result.terms += _spread(k, self.levels[k], level, True, sign * slope)

    def _free(self, k: int) -> None:
        """Asks the nearest level that would free the one cut at a k-point to come to its other side."""
        nearest = min(freeing_neighbours(self.levels[k], self.electrons), default=None)
        if nearest is not None and nearest[0] < _FAR:
            self._close_between(k, *nearest[1:])

    def _ask_of_lines(self, label: str) -> bool:
        """Whether any line has a crossing."""
        crossings, making, undoing = False, [], []
        for line in self.path.lines:
            operations = line.operations
            ends = ((line.start, self.path.kpoints[line.start]), (line.end, line.reached))
            characters = [self._occupied(k, at, operations) for k, at in ends]
            crossing = not same_representation(*characters)
            crossings |= crossing
            for (k, at), own, other in zip(ends, characters, characters[::-1], strict=True):
                swap = self._swap(k, at, operations)
                if swap is None or same_representation(swap, 0 * swap):
                    continue
                if not crossing:
                    making.append(k)
                elif same_representation(own + swap, other):
                    undoing.append(k)
        if label == "HSLSM":
            if not crossings:
                self._close(making)
        elif crossings:
            self._close(undoing)
        else:
            self._keep(making)
        return crossings

    def _phase(self, at: np.ndarray, operations: list[int]) -> np.ndarray:
        return np.exp(2j * np.pi * (self.solver.symmetry.translations[operations] @ at))

    def _occupied(self, k: int, at: np.ndarray, operations: list[int]) -> np.ndarray:
        here = (self.path.kpoints[k], self.solver.model, self.result.states[k], self.result.spinors[k])
        return occupied_characters(self.solver.symmetry, operations, *here) * self._phase(at, operations)

    def _swap(self, k: int, at: np.ndarray, operations: list[int]) -> np.ndarray | None:
        if self.gaps[k] > _FAR:
            return None
        here = (self.result.states[k], self.result.spinors[k], self.levels[k])
        swap = self.solver.swap(operations, self.path.kpoints[k], *here)
        return swap * self._phase(at, operations) if np.isfinite(swap).all() else None

    def _ask_of_indices(self, crystal: Crystal, label: str) -> None:
        found, inverting = self._indices(crystal)
        if found is None:
            return
        other = bool(found.z4 or any(found.weak))
        if ("TI" if found.strong else "TCI" if other else "trivial") == label:
            self._keep([k for k, _ in inverting])
            return
        odd, even = ([k for k, arms in inverting if arms % 2 == parity] for parity in (1, 0))
        if bool(found.strong) != (label == "TI"):
            self._close(odd)
        else:
            self._close(even or odd)

    def _indices(self, crystal: Crystal) -> tuple[InversionIndices | None, list[tuple[int, int]]]:
        """Indices, and (k-point, number of equivalent ones) where the edges have opposite parity."""
        symmetry = self.solver.symmetry
        inversion = symmetry.inversion()
        if inversion is None:
            return None, []
        odd, pairs, inverting = np.full(8, np.nan), self.electrons // 2, []
        operations = (symmetry.reciprocal, symmetry.rotations, symmetry.translations)
        for k, kpoint in enumerate(space_group(crystal.space_group_number).kpoints):
            if not kpoint.is_trim:
                continue
            bands = self.solver.at_point(self.path.kpoints[k], self.result.states[k], self.result.spinors[k])
            if bands.edge_parity < _INVERTED:
                inverting.append((k, kpoint.star_size))
            for arm, sign in star_phases(*operations, inversion, self.path.kpoints[k]).items():
                odd[arm] = bands.odd / 2 if sign > 0 else pairs - bands.odd / 2
        return inversion_indices(odd, pairs), inverting

"""What a crystal's known gap and class ask of its levels: a loss and its derivatives by the levels.

The gap is a regression. A class is decided by order, which has no derivative, but each wrong decision has levels that
would have to change places for it to become right: how far they are apart is the loss (`switching`). A right decision
that a small gap could undo asks for a margin.

    class wanted            class found     the levels that have to change places
    HSPSM                   another         the nearest pair of unequal size at a point
    another                 HSPSM           at each point that the filling cuts, those that free it
    another                 another         those of the least costly way to the class that is wanted
"""

from dataclasses import dataclass, field

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_path import BandPath
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.level_gradients import LevelWeight
from jaxboost.physics.level_representations import level_representations, spin_signs
from jaxboost.physics.levels import DEGENERATE, same_level
from jaxboost.physics.switching import Choice, Ways, find_ways
from jaxboost.physics.symmetry_indicators import RULE_CLASSES, symmetry_indicators

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
    states = solver.states(path.kpoints[: path.points])
    result = Targets(0.0, [], np.nan, states)
    _ask_for_gap(result, solver.model.electrons // 2, path.points, gap, settings.gap)
    result.spinors = [solver.spinors(here, vectors=True) for here in states]
    levels = np.array([solver.levels(*pair) for pair in zip(states, result.spinors, strict=True)])
    _Decisions(result, levels, solver, settings).ask(crystal.space_group_number, label)
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

    def __init__(self, result: Targets, levels: np.ndarray, solver: BandSolver, settings: TargetSettings) -> None:
        self.result, self.levels, self.solver, self.settings = result, levels, solver, settings
        self.electrons = solver.model.electrons

    def ask(self, number: int, label: str) -> None:
        if label == "HSPSM":
            self._ask_for_a_cut()
            return
        ways = self._ways(number)
        if ways is None:
            return
        wanted = ways.classes == RULE_CLASSES.index(label)
        if not wanted.any():
            return
        nearest = int(np.argmin(np.where(wanted, ways.costs, np.inf)))
        if ways.costs[nearest] > 0:
            if ways.costs[nearest] < _FAR:
                for choice in ways.moves(nearest):
                    self._close(choice.point, *self._states(choice))
        elif not wanted.all():
            self._keep(ways, int(np.argmin(np.where(wanted, np.inf, ways.costs))))

    def _ask_for_a_cut(self) -> None:
        """Asks the smallest of the gaps between levels of unequal size to close, where none is cut."""
        n = self.electrons
        gaps = self.levels[:, n] - self.levels[:, n - 1]
        sizes = [[len(same_level(here, edge)) for edge in (n - 1, n)] for here in self.levels]
        near = [k for k, (one, other) in enumerate(sizes) if one != other and gaps[k] < _FAR]
        if near and not (gaps < DEGENERATE).any():
            self._close(min(near, key=lambda k: float(gaps[k])), n - 1, n)

    def _ways(self, number: int) -> Ways | None:
        signs = spin_signs(number, self.solver.symmetry.spin)
        found = []
        for k, (states, spinors) in enumerate(zip(self.result.states, self.result.spinors, strict=True)):
            here = level_representations(number, self.solver.symmetry, signs, k, self.solver.model, states, spinors)
            if here is None:
                return None
            found.append(here)
        return find_ways(found, symmetry_indicators(number))

    def _states(self, choice: Choice) -> tuple[int, int]:
        """A state of the level that has to go up, and one of that which has to come down."""
        away = [np.abs(self.levels[choice.point] - energy) for energy in (choice.lowest, choice.highest)]
        return int(away[0].argmin()), int(away[1].argmin())

    def _close(self, k: int, lower: int, upper: int) -> None:
        # Logarithmic: a hopeless case should not outweigh many that are nearly right.
        distance = self.levels[k, upper] - self.levels[k, lower] + self.settings.margin
        self.result.loss += self.settings.topology * float(np.log1p(distance))
        self._add(k, lower, upper, self.settings.topology / (1 + distance))

    def _keep(self, ways: Ways, way: int) -> None:
        """Asks the levels that would undo what is right to stay apart by the margin."""
        weight = self.settings.topology * self.settings.keep
        if ways.costs[way] < self.settings.margin:
            self.result.loss += weight * float(self.settings.margin - ways.costs[way])
            for choice in ways.moves(way):
                self._add(choice.point, *self._states(choice), -weight)

    def _add(self, k: int, lower: int, upper: int, slope: float) -> None:
        for level, sign in ((upper, 1), (lower, -1)):
            self.result.terms += _spread(k, self.levels[k], level, True, sign * slope)

"""How far the levels of a crystal would have to move for it to be in another topological class.

At each high-symmetry point other levels about the filling could be occupied than the lowest; the cost is how far the
highest of them lies above the lowest that is then empty: so much the two would have to move. Every choice at all points
has representations and so a class (`symmetry_indicators`). The distance to a class is the least cost of a way to it: a
choice at all points, other than the lowest at two of them at the most, costs of different points added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxboost.physics.level_representations import PointLevels
from jaxboost.physics.symmetry_indicators import RULE_CLASSES, SymmetryIndicators

_CHOICES = 6  # other occupations that are looked at for a point, the cheapest
SWITCHED_CLASSES = ("trivial", "TI", "TCI", "HSLSM")
"""Classes with whole levels filled at every point."""


@dataclass(frozen=True)
class Choice:
    """One way to fill whole levels at a point.

    Attributes:
      point: index of the point.
      cost: eV, 0 for the lowest levels where they are filled whole.
      highest, lowest: eV, the energies of the highest filled level and the lowest empty one.
      occupied: `[row]` multiplicities of the co-representations of that point.
    """

    point: int
    cost: float
    highest: float
    lowest: float
    occupied: np.ndarray


@dataclass(frozen=True)
class Ways:
    """Choices at all points, the lowest levels first.

    Attributes:
      classes: `[way]` indices in `RULE_CLASSES`.
      costs: `[way]` eV.
      choices: the cheapest of every point, then the others.
      changed: `[way, 2]` indices of the choices that stand in place of the cheapest, -1 for none.
    """

    classes: np.ndarray
    costs: np.ndarray
    choices: tuple[Choice, ...]
    changed: np.ndarray

    def moves(self, way: int) -> list[Choice]:
        """The choices of a way that cost something, one a point."""
        others = [self.choices[index] for index in self.changed[way] if index >= 0]
        points = {choice.point for choice in others}
        cheapest = {choice.point: choice for choice in reversed(self.choices)}
        return [*others, *(here for point, here in cheapest.items() if point not in points and here.cost > 0)]


@dataclass(frozen=True)
class Switching:
    """The class that the representations of a crystal spell out, and how far it is from others.

    Attributes:
      found: index in `RULE_CLASSES`; HSPSM where the filling cuts a level.
      order: of the element of X_BS; 0 for a semimetal.
      distances: `[len(SWITCHED_CLASSES)]` eV, 0 for the class it is in, NaN where no way leads there.
      changing: `[point]` eV, the least cost of another choice at that point alone that changes the class; NaN where
        none does.
    """

    found: int
    order: int
    distances: np.ndarray
    changing: np.ndarray


def find_ways(levels: Sequence[PointLevels], indicators: SymmetryIndicators) -> Ways | None:
    """All ways to fill whole levels at the points; None where at one of them there is none.

    Args:
      levels: at all points of a space group.
      indicators: of that group.
    """
    by_point = [_choices(k, point) for k, point in enumerate(levels)]
    if not all(by_point):
        return None
    cheapest = [here[0] for here in by_point]
    others = [choice for here in by_point for choice in here[1:]]
    lowest = np.concatenate([choice.occupied for choice in cheapest])
    ends = np.cumsum([len(choice.occupied) for choice in cheapest])
    # With no change as the first of the moves, one and two of them are pairs.
    moves = np.zeros((1 + len(others), len(lowest)), dtype=int)
    for move, choice in zip(moves[1:], others, strict=True):
        before = cheapest[choice.point].occupied
        move[ends[choice.point] - len(before) : ends[choice.point]] = choice.occupied - before
    costs = np.array([0.0, *(choice.cost - cheapest[choice.point].cost for choice in others)])
    points = np.array([-1, *(choice.point for choice in others)])
    pairs = np.stack(np.nonzero(points[:, None] < points), axis=1)
    pairs = np.concatenate([np.zeros((1, 2), dtype=int), pairs])
    return Ways(
        classes=indicators.classes(lowest + moves[pairs].sum(axis=1)),
        costs=sum(choice.cost for choice in cheapest) + costs[pairs].sum(axis=1),
        choices=(*cheapest, *others),
        changed=np.where(pairs > 0, pairs - 1 + len(cheapest), -1),
    )


def is_cut(point: PointLevels) -> bool:
    """Whether the filling cuts a level there."""
    return bool(((point.filled > 0) & (point.filled < point.sizes)).any())


def switching(levels: Sequence[PointLevels], indicators: SymmetryIndicators) -> Switching:
    """Of the levels at all points of a space group that has those indicators."""
    semimetal = RULE_CLASSES.index("HSPSM")
    ways = find_ways(levels, indicators)
    if ways is None:
        nowhere = np.full(len(SWITCHED_CLASSES), np.nan)
        return Switching(semimetal, 0, nowhere, np.full(len(levels), np.nan))
    reached = [ways.costs[ways.classes == RULE_CLASSES.index(name)] for name in SWITCHED_CLASSES]
    changing = np.full(len(levels), np.nan)
    single = (ways.changed >= 0).sum(axis=1) == 1
    for way in np.flatnonzero(single & (ways.classes != ways.classes[0])):
        choice = ways.choices[ways.changed[way].max()]
        extra = choice.cost - ways.choices[choice.point].cost
        changing[choice.point] = np.fmin(changing[choice.point], extra)
    found = semimetal if any(map(is_cut, levels)) else int(ways.classes[0])
    insulator = found not in (semimetal, RULE_CLASSES.index("HSLSM"))
    lowest = np.concatenate([choice.occupied for choice in ways.choices[: len(levels)]])
    return Switching(
        found=found,
        order=int(indicators.order(lowest)) if insulator else 0,
        distances=np.array([costs.min() if len(costs) else np.nan for costs in reached]),
        changing=changing,
    )


def _choices(k: int, point: PointLevels) -> list[Choice]:
    """The cheapest ways to fill whole levels at point `k`, those of the same representations once."""
    deep = point.occupied - point.held[point.filled == point.sizes].sum(axis=0)
    wanted = point.filled.sum()
    found: dict[tuple[int, ...], Choice] = {}
    for chosen in product((False, True), repeat=len(point.sizes)):
        full = np.array(chosen)
        if point.sizes[full].sum() != wanted:
            continue
        highest, lowest = point.energies[full].max(initial=-np.inf), point.energies[~full].min(initial=np.inf)
        occupied = deep + point.held[full].sum(axis=0)
        choice = Choice(k, max(float(highest - lowest), 0.0), float(highest), float(lowest), occupied)
        key = tuple(occupied.tolist())
        if key not in found or choice.cost < found[key].cost:
            found[key] = choice
    return sorted(found.values(), key=lambda choice: choice.cost)[: _CHOICES + 1]

"""How far the levels of a crystal would have to move for it to be in another topological class.

At each high-symmetry point other levels about the filling could be occupied than the lowest; the cost is how far the
highest of them lies above the lowest that is then empty: so much the two would have to move. Every choice at all points
has representations and so a class (`symmetry_indicators`). The distance to a class is the least cost of a choice that
has it, over those that differ from the lowest levels at two points at the most, costs of different points added.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxboost.physics.level_representations import PointLevels
from jaxboost.physics.symmetry_indicators import RULE_CLASSES, SymmetryIndicators

_CHOICES = 6  # other occupations that are looked at for a point, the cheapest
SWITCHED_CLASSES = ("trivial", "TI", "TCI", "HSLSM")
"""Classes with whole levels filled at every point."""


@dataclass(frozen=True)
class Switching:
    """The class that the representations of a crystal spell out, and how far it is from others.

    Attributes:
      found: index in `RULE_CLASSES`; HSPSM where the filling cuts a level.
      order: of the element of X_BS; 0 for a semimetal.
      distances: `[len(SWITCHED_CLASSES)]` eV, 0 for the class it is in, NaN where no choice leads there.
      changing: `[point]` eV, the least cost of another choice at that point alone that changes the class; NaN where
        none does.
    """

    found: int
    order: int
    distances: np.ndarray
    changing: np.ndarray


def switching(levels: tuple[PointLevels, ...], indicators: SymmetryIndicators) -> Switching:
    """Of the levels at all points of a space group that has those indicators."""
    distances = np.full(len(SWITCHED_CLASSES), np.nan)
    changing = np.full(len(levels), np.nan)
    cut = any(((point.filled > 0) & (point.filled < point.sizes)).any() for point in levels)
    choices = [_choices(point) for point in levels]
    if not all(choices):
        return Switching(RULE_CLASSES.index("HSPSM"), 0, distances, changing)
    ends = np.cumsum([len(point.occupied) for point in levels])
    lowest = np.concatenate([here[0][1] for here in choices])
    base = sum(here[0][0] for here in choices)
    costs, moves, places = [0.0], [np.zeros_like(lowest)], [-1]
    for k, (here, end) in enumerate(zip(choices, ends, strict=True)):
        for extra, instead in here[1:]:
            step = np.zeros_like(lowest)
            step[end - len(instead) : end] = instead - here[0][1]
            costs.append(extra - here[0][0])
            moves.append(step)
            places.append(k)
    cost, move, place = np.array(costs), np.array(moves), np.array(places)
    one, other = np.nonzero(place[:, None] < place)
    occupied = lowest + np.concatenate([move[:1], move[one] + move[other]])
    total = base + np.concatenate([cost[:1], cost[one] + cost[other]])
    classes = indicators.classes(occupied)
    for i, name in enumerate(SWITCHED_CLASSES):
        reached = total[classes == RULE_CLASSES.index(name)]
        if len(reached):
            distances[i] = reached.min()
    single = np.flatnonzero(one == 0)
    for k in range(len(levels)):
        there = single[(place[other[single]] == k) & (classes[1 + single] != classes[0])]
        if len(there):
            changing[k] = cost[other[there]].min()
    found = RULE_CLASSES.index("HSPSM") if cut else int(classes[0])
    insulator = not cut and classes[0] != RULE_CLASSES.index("HSLSM")
    return Switching(found, int(indicators.order(lowest)) if insulator else 0, distances, changing)


def _choices(point: PointLevels) -> list[tuple[float, np.ndarray]]:
    """(cost, multiplicities of the occupied states) of the cheapest ways to fill whole levels, each once."""
    deep = point.occupied - point.held[point.filled == point.sizes].sum(axis=0)
    wanted = point.filled.sum()
    found: dict[tuple[int, ...], float] = {}
    for chosen in product((False, True), repeat=len(point.sizes)):
        full = np.array(chosen)
        if point.sizes[full].sum() != wanted:
            continue
        distance = point.energies[full].max(initial=-np.inf) - point.energies[~full].min(initial=np.inf)
        cost = max(float(distance), 0.0)
        key = tuple(deep + point.held[full].sum(axis=0))
        found[key] = min(cost, found.get(key, np.inf))
    ordered = sorted(found.items(), key=lambda item: item[1])[: _CHOICES + 1]
    return [(cost, np.array(key)) for key, cost in ordered]

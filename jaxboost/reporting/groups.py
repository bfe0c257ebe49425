"""How well rows of one kind are known: by space group, crystal system, size and element."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jaxboost.reporting.cases import Cases
from jaxboost.reporting.reliability import accuracy_interval

# The last space group of each system (International Tables A).
_SYSTEMS = {
    "triclinic": 2,
    "monoclinic": 15,
    "orthorhombic": 74,
    "tetragonal": 142,
    "trigonal": 167,
    "hexagonal": 194,
    "cubic": 230,
}
# Atoms of the primitive cell: the most of each kind, about twice those of the one before.
_SIZES = (2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Group:
    """Rows of one kind: how many there are, their accuracy with its 95% interval, and log loss, nats a row.

    The interval takes rows as independent, which those of one formula are not.
    """

    name: str
    rows: int
    accuracy: float
    low: float
    high: float
    log_loss: float


def crystal_system(space_group: int) -> str:
    """Of an international number, 1 to 230."""
    return next(name for name, last in _SYSTEMS.items() if space_group <= last)


def by_crystal_system(cases: Cases) -> list[Group]:
    """From triclinic to cubic; a system without rows is left out."""
    systems = np.array([crystal_system(number) for number in cases.space_group])
    return _groups(cases, ((name, systems == name) for name in _SYSTEMS))


def by_space_group(cases: Cases) -> list[Group]:
    """The largest group of rows first; equal ones by number."""
    numbers, rows = np.unique(cases.space_group, return_counts=True)
    order = np.argsort(-rows, kind="stable")
    return _groups(cases, ((str(number), cases.space_group == number) for number in numbers[order]))


def by_size(cases: Cases) -> list[Group]:
    """By atoms of the primitive cell, small ones first; a size without rows is left out."""
    bounds = [0, *_SIZES, np.inf]
    names = [f"{low + 1} to {high}" for low, high in zip(bounds[:-2], bounds[1:-1], strict=True)]
    names.append(f"more than {_SIZES[-1]}")
    inside = [(cases.atoms > low) & (cases.atoms <= high) for low, high in zip(bounds[:-1], bounds[1:], strict=True)]
    return _groups(cases, zip(names, inside, strict=True))


def by_element(cases: Cases) -> list[Group]:
    """By symbol, in alphabetical order: the rows that hold the element, so a row counts for each of its elements."""
    symbols = sorted(frozenset().union(*cases.elements))
    return _groups(cases, ((symbol, np.array([symbol in own for own in cases.elements])) for symbol in symbols))


def _groups(cases: Cases, masks: Iterable[tuple[str, np.ndarray]]) -> list[Group]:
    correct, losses = cases.correct, cases.losses
    found = []
    for name, mask in masks:
        rows = int(mask.sum())
        if rows:
            accuracy = correct[mask].mean()
            low, high = accuracy_interval(np.array([accuracy]), np.array([float(rows)]))
            loss = float(losses[mask].mean())
            found.append(Group(name, rows, float(accuracy), float(low[0]), float(high[0]), loss))
    return found

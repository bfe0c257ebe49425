"""Which rows stand together (formulas, chemical systems, families of elements), and splits that keep them apart."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold

from jaxboost.data.materials import Table

FAMILIES: dict[str, frozenset[int]] = {
    "lanthanides": frozenset(range(57, 72)),
    "halogens": frozenset((9, 17, 35, 53, 85)),
    "chalcogens but oxygen": frozenset((16, 34, 52, 84)),
    "pnictogens": frozenset((7, 15, 33, 51, 83)),
    "5d metals": frozenset(range(72, 81)),
}
"""Name -> atomic numbers."""


def elements_of(table: Table, kept: np.ndarray) -> list[frozenset[int]]:
    """The set of elements of each row of `kept` [n], its chemical system."""
    return [frozenset(map(int, table.structures[row].atomic_numbers)) for row in kept]


def with_family(elements: Sequence[Collection[int]], family: Collection[int]) -> np.ndarray:
    """[n] bool, the rows that have an element of the family."""
    return np.array([not set(family).isdisjoint(own) for own in elements], dtype=bool)


def draw_groups(groups: np.ndarray, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At least `count` of `rows` [m], ascending: whole groups in random order until there are so many; all, at most.

    Args:
      groups: [n] the group (formula) of each row of the table.
    """
    _, group = np.unique(groups[rows], return_inverse=True)
    order = rng.permutation(group.max() + 1)
    total = np.cumsum(np.bincount(group)[order])
    taken = order[: int(np.searchsorted(total, count)) + 1]
    return np.sort(rows[np.isin(group, taken)])


def folds_by_group(groups: Sequence[object], rows: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """`rows` [m] in `folds` parts of about one size, no group in two of them.

    Args:
      groups: [n] hashable, the group of each row of the table.
    """
    number = {group: i for i, group in enumerate(dict.fromkeys(groups[row] for row in rows))}
    owner = [number[groups[row]] for row in rows]
    split = GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=owner)
    return [np.sort(rows[held]) for _, held in split]


@dataclass(frozen=True, eq=False)
class HarderSplit:
    """Rows to train on and rows to score; splits of one title are reported together."""

    title: str
    train: np.ndarray
    held: np.ndarray


def harder_splits(
    fold: np.ndarray,
    formulas: np.ndarray,
    elements: list[frozenset[int]],
    *,
    sizes: list[int],
    folds: int,
    families: list[str],
    seed: int,
) -> list[HarderSplit]:
    """The splits of the rows with `fold >= 0`; `fold`, `formulas` and `elements` are of the whole table [n]."""
    usable, held = np.flatnonzero(fold >= 0), np.flatnonzero(fold == 0)
    others = np.setdiff1d(usable, held)
    found = []
    for size in sizes:
        rows = draw_groups(formulas, others, size, np.random.default_rng([seed, size]))
        found.append(HarderSplit(f"by formula, {len(rows)} rows to train", rows, held))
    found.append(HarderSplit(f"by formula, all {len(others)} rows to train", others, held))
    for part in folds_by_group(elements, usable, 5, seed)[:folds]:
        found.append(HarderSplit("by chemical system", np.setdiff1d(usable, part), part))
    for name in families:
        inside = with_family(elements, FAMILIES[name])[usable]
        found.append(HarderSplit(f"without {name}", usable[~inside], usable[inside]))
    return found

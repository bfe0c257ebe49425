"""What is known of a crystal's isopointal relatives: training crystals that occupy the same orbits with other elements.

Isopointal: one space group, and orbits of the same multiplicities and site symmetries (R. Allmann, R. Hinek, Acta
Cryst. A 63, 412 (2007)). Which relatives a crystal has, and how far its elements are from theirs, is read from the
structure alone (`find_relatives`, which leaves out those of the crystal's own formula). What they are labelled counts
only where a member was trained on them (`columns`): no row says anything about itself, held out or not.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jaxboost.array_file import UnreadableArrays, open_arrays
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError
from jaxboost.modalities.features import Features

WIDTHS = (0.15, 0.5)
"""Of the weights `exp(-(distance - nearest) / width)`, in the units of `element_distances`: a difference of one group
counts 0.5 and more, so the first hears hardly more than the nearest relatives."""

_DENSITY_WIDTH = 0.3
_NEAREST = 3  # relatives that are heard alone, whatever their distance
_FAR = 3.0  # a nearest relative counts as at most so far
_LANTHANIDE_GROUP = 3  # the table of elements gives the f block no group


@dataclass(frozen=True)
class Reference:
    """Labelled crystals that others may be relatives of; m of them.

    Attributes:
      space_group: [m] int16.
      offset: [m + 1] int64, the orbits of crystal i are `offset[i]:offset[i + 1]`.
      element, site_group, multiplicity: [orbits], as in `Features`.
      formula: [m] reduced, str.
      label: [m] int32 index of the class.
    """

    space_group: np.ndarray
    offset: np.ndarray
    element: np.ndarray
    site_group: np.ndarray
    multiplicity: np.ndarray
    formula: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def families(self) -> _Families:
        """Its crystals by their orbits, found once for any number of look-ups."""
        return _by_orbits(self)

    def save(self, path: Path) -> None:
        """Writes what `read_reference` reads; a reader sees the old file or the whole new one."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **{field.name: getattr(self, field.name) for field in fields(self)})
        part.replace(path)


def make_reference(features: Features, labels: np.ndarray, rows: np.ndarray) -> Reference:
    """The reference of some rows with their labels."""
    some = features.take(rows)
    arrays = {field.name: getattr(some, field.name) for field in fields(Reference) if field.name != "label"}
    return Reference(**arrays, label=labels[rows].astype(np.int32))


def read_reference(path: Path) -> Reference:
    """What `Reference.save` wrote.

    Raises:
      InputError: it is not there or cannot be read.
    """
    try:
        with open_arrays(path) as stored:
            return Reference(**{field.name: stored[field.name] for field in fields(Reference)})
    except UnreadableArrays as error:
        raise InputError(
            f"the crystals that this run was trained on cannot be read ({error}); remove the file if it is there, and "
            "start the run's training command again, which writes it anew"
        ) from error


@dataclass(frozen=True)
class Relatives:
    """Of n crystals, the nearest first.

    Attributes:
      index: [n, k] int32 into the reference; -1 where there is none.
      distance: [n, k] float32 between their elements (`element_distances`); infinite where there is none.
      label: [m] int32 of the reference.
    """

    index: np.ndarray
    distance: np.ndarray
    label: np.ndarray


def no_relatives(n: int) -> Relatives:
    """For n crystals without a reference."""
    return Relatives(np.full((n, 1), -1, np.int32), np.full((n, 1), np.inf, np.float32), np.zeros(1, np.int32))


@lru_cache(maxsize=1)
def element_distances() -> np.ndarray:
    """`[104, 104]` how unlike two elements are, read-only.

    Half the difference in group (at most 4), 0.35 times that in period, and those in Pauling's electronegativity and in
    covalent radius (Angstrom), of which noble gases have none.
    """
    column = lambda name: np.asarray(ELEMENT_PROPERTIES[name], float)  # noqa: E731
    group = np.nan_to_num(column("group"), nan=_LANTHANIDE_GROUP)
    apart = lambda values: np.abs(values[:, None] - values)  # noqa: E731
    result = np.minimum(apart(group) / 2, 4) + 0.35 * apart(np.nan_to_num(column("period")))
    result += apart(np.nan_to_num(column("electronegativity"))) + apart(np.nan_to_num(column("covalent_radius")))
    result.setflags(write=False)
    return result


def find_relatives(features: Features, reference: Reference, count: int) -> Relatives:
    """The `count` nearest isopointal crystals of another formula in the reference, for each crystal.

    Orbits that are alike in multiplicity and site symmetry are compared in the order of their elements' Mendeleev
    numbers, so the order in which a file lists atoms does not matter.
    """
    index = np.full((len(features), count), -1, np.int32)
    distance = np.full((len(features), count), np.inf, np.float32)
    theirs = reference.families
    for key, (rows, elements) in _by_orbits(features).items():
        if key not in theirs:
            continue
        others, their_elements = theirs[key]
        multiplicity = np.frombuffer(key, np.int32)[1:].reshape(2, -1)[0]
        weight = np.sqrt(multiplicity) / np.sqrt(multiplicity).sum()
        # A few hundred crystals at a time: some families have thousands.
        for first in range(0, len(rows), 256):
            own = rows[first : first + 256]
            apart = np.zeros((len(own), len(others)), np.float32)
            for place, share in enumerate(weight):
                here, there = elements[first : first + 256, place], their_elements[:, place]
                apart += (share * element_distances()[here[:, None], there]).astype(np.float32)
            apart[features.formula[own][:, None] == reference.formula[others]] = np.inf
            order = np.argsort(apart, axis=1, kind="stable")[:, :count]
            nearest = np.take_along_axis(apart, order, 1)
            index[own, : order.shape[1]] = np.where(np.isfinite(nearest), others[order], -1)
            distance[own, : order.shape[1]] = nearest
    return Relatives(index, distance, reference.label)


_Families = dict[bytes, tuple[np.ndarray, np.ndarray]]


def _by_orbits(crystals: Features | Reference) -> _Families:
    """Space group, multiplicities and site symmetries of the orbits -> (rows, elements [row, orbit])."""
    mendeleev = np.nan_to_num(np.asarray(ELEMENT_PROPERTIES["mendeleev_number"], float))
    crystal = np.repeat(np.arange(len(crystals.offset) - 1), np.diff(crystals.offset))
    order = np.lexsort((mendeleev[crystals.element], crystals.site_group, crystals.multiplicity, crystal))
    multiplicity, site = crystals.multiplicity[order].astype(np.int32), crystals.site_group[order].astype(np.int32)
    element = crystals.element[order].astype(int)
    found: dict[bytes, tuple[list[int], list[np.ndarray]]] = {}
    for row, number in enumerate(crystals.space_group):
        own = slice(crystals.offset[row], crystals.offset[row + 1])
        key = np.concatenate([[np.int32(number)], multiplicity[own], site[own]]).astype(np.int32).tobytes()
        rows, elements = found.setdefault(key, ([], []))
        rows.append(row)
        elements.append(element[own])
    return {key: (np.array(rows), np.array(elements)) for key, (rows, elements) in found.items()}


def relative_columns(features: Features, labels: np.ndarray, train: np.ndarray, count: int, classes: int) -> np.ndarray:
    """[n, `column_count(classes)`] what a model fitted on the rows `train` may hear, for every row."""
    found = find_relatives(features, make_reference(features, labels, train), count)
    return columns(found.index, found.distance, found.label, np.ones(len(train), bool), classes)


def column_count(classes: int) -> int:
    """Columns that `columns` gives."""
    return (len(WIDTHS) + 1) * classes + 3


def columns(index: Any, distance: Any, label: Any, known: Any, classes: int, xp: ModuleType = np) -> Any:
    """What relatives say, all of order one.

    Args:
      index, distance: [n, k] as in `Relatives`.
      label: [m].
      known: [m] bool, whose labels may be read.
      classes: how many there are.
      xp: NumPy, or JAX's.

    Returns:
      [n, `column_count(classes)`]: for each of `WIDTHS` the shares of the classes among the relatives by weight; the
      shares among the nearest three; how near the nearest is (1 at 0, 0 at 3 and beyond, or where there is none); how
      many there are in its surroundings, weighted, and at all, both as logarithms.
    """
    label, known = xp.asarray(label), xp.asarray(known)
    usable = (index >= 0) & known[xp.maximum(index, 0)]
    there = usable.any(axis=1)
    apart = xp.where(usable, distance, xp.inf)
    nearest = xp.where(there, apart.min(axis=1), _FAR)
    # Where there is none any finite number will do: its weight is 0, and 0 times infinity would not be.
    apart = xp.where(usable, distance, 0.0)
    is_class = (label[xp.maximum(index, 0)][..., None] == xp.arange(classes)).astype(xp.float32)
    weights = [xp.where(usable, xp.exp(-(apart - nearest[:, None]) / width), 0.0) for width in WIDTHS]
    weights.append((usable & (xp.cumsum(usable, axis=1) <= _NEAREST)).astype(xp.float32))
    shares = [
        xp.einsum("nk,nkc->nc", weight, is_class) / xp.maximum(weight.sum(axis=1), 1e-6)[:, None] for weight in weights
    ]
    density = xp.where(usable, xp.exp(-apart / _DENSITY_WIDTH), 0.0).sum(axis=1)
    close = 1 - xp.minimum(nearest, _FAR) / _FAR
    counts = [close, xp.log1p(density) / 2, xp.log1p(usable.sum(axis=1).astype(xp.float32)) / 4]
    return xp.concatenate([*shares, xp.stack(counts, axis=1)], axis=1).astype(xp.float32)

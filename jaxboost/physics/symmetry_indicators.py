"""What the representations of a crystal's occupied states at all high-symmetry points say of its topology.

Occupied states that some sum and difference of atomic limits could have as well are trivial as far as symmetry tells;
others are told apart by the elements of X_BS, the symmetry indicators: H. C. Po, A. Vishwanath, H. Watanabe, Nature
Communications 8, 50 (2017). Representations that no insulator can have, since bands have to cross on the way from one
point to another, are those of a semimetal. `indicator_table` computes what is read here.

Which element of X_BS is which depends on the choice of origin; its order does not, nor whether it is zero or strong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxboost.physics.packaged_arrays import packaged_arrays

RULE_CLASSES = ("trivial", "TI", "TCI", "HSPSM", "HSLSM")
"""Insulator without an index, with a strong one, with any other; semimetal at a point, on a line or a plane."""


@dataclass(frozen=True)
class SymmetryIndicators:
    """The indicators of one space group. Rows are those of `corepresentations(number)` at its points.

    Attributes:
        orders: `[generator]` of the cyclic factors of X_BS, each dividing the next, as in `SpaceGroup.indicator_group`.
        indicator: integers `[row, generator]`.
        relations: integers `[row, relation]`: the compatibility relations, zero for an insulator.
        strong: integers `[row]` whose sum modulo 2 is the strong index: L. Fu, C. L. Kane, Phys. Rev. B 76, 045302
            (2007); without inversion that of a fourfold rotoinversion, Khalaf et al., Phys. Rev. X 8, 031070 (2018).
    """

    orders: np.ndarray
    indicator: np.ndarray
    relations: np.ndarray
    strong: np.ndarray

    def element(self, occupied: np.ndarray) -> np.ndarray:
        """`[..., generator]` the element of X_BS, of multiplicities `[..., row]`."""
        return occupied @ self.indicator % self.orders

    def order(self, occupied: np.ndarray) -> np.ndarray:
        """`[...]` the order of that element: 1 of the trivial one."""
        cyclic = self.orders // np.gcd(self.element(occupied), self.orders)
        return np.lcm.reduce(cyclic, axis=-1, initial=1)

    def is_strong(self, occupied: np.ndarray) -> np.ndarray:
        """`[...]` bool, of insulators."""
        return occupied @ self.strong % 2 == 1

    def is_compatible(self, occupied: np.ndarray) -> np.ndarray:
        """`[...]` bool, whether an insulator can have these representations."""
        return (occupied @ self.relations == 0).all(axis=-1)

    def classes(self, occupied: np.ndarray) -> np.ndarray:
        """`[...]` index in `RULE_CLASSES` of what fills whole levels at all points."""
        topological = np.where(self.is_strong(occupied), 1, np.where(self.order(occupied) > 1, 2, 0))
        return np.where(self.is_compatible(occupied), topological, RULE_CLASSES.index("HSLSM"))


@lru_cache(maxsize=230)
def symmetry_indicators(number: int) -> SymmetryIndicators:
    """Those of space group `number`, 1..230, read from the shipped table."""
    table = packaged_arrays("symmetry_indicators.npz")
    first, last = table["first_row"][number - 1 : number + 1]
    start, end = table["first_order"][number - 1 : number + 1]
    rows, relations = int(last - first), int(table["relations"][number - 1])
    begin, stop = table["first_entry"][number - 1 : number + 1]
    entries = table["entries"][begin:stop].astype(int).reshape(rows, -1)
    generators = int(end - start)
    return SymmetryIndicators(
        orders=table["orders"][start:end].astype(int),
        indicator=entries[:, :generators],
        relations=entries[:, generators : generators + relations],
        strong=entries[:, -1],
    )

"""Characters of the double-valued co-representations at the maximal k-points of all groups, and along the lines.

`corepresentation_table` computes them and writes `corepresentations.npz`; here they are only read, which takes
milliseconds. They stand there as projectors: a row `P` such that `sum_g P(g) chi(g)` is how often the
co-representation is in a representation with characters `chi`, time reversal included. The operations are those of
`little_groups.operations`, which are also a standardised crystal's. Labels depend on the origin; sort or sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxboost.physics.packaged_arrays import packaged_arrays
from jaxboost.physics.space_groups import K_GRID, space_group


@dataclass(frozen=True)
class Corepresentations:
    """The co-representations of one space group; a place is a point or, numbered after all points, a line.

    Attributes:
        kpoints: integers `[point, 3]` in units of 1/12.
        place: `[row]` which of `(*space_group(n).kpoints, *space_group(n).lines)` the row belongs to.
        start: `[row]` index of the point itself, or of the point where the line starts.
        dims: `[row]` dimensions.
        projectors: complex `[row, operation]`, zero for operations that do not keep the place.
        shells: `[l, operation]` characters of the shells s, p, d, f with spin, with the signs of double-valued
            representations that the projectors assume.
    """

    kpoints: np.ndarray
    place: np.ndarray
    start: np.ndarray
    dims: np.ndarray
    projectors: np.ndarray
    shells: np.ndarray

    def multiplicities(self, characters: np.ndarray) -> np.ndarray:
        """How often each co-representation is in given band representations.

        Args:
            characters: complex `[point, band representation, operation]`, spin included.

        Returns:
            Integers `[row, band representation]`; along a line what the representation at its start becomes.

        Raises:
            ArithmeticError: where one is no non-negative integer: these are no characters of this group.
        """
        exact = np.matmul(characters[self.start], self.projectors[:, :, None])[..., 0]
        rounded = np.rint(exact.real).astype(int)
        if np.abs(exact - rounded).max(initial=0.0) > 1e-3 or rounded.min(initial=0) < 0:
            raise ArithmeticError("multiplicities of co-representations have to be non-negative integers")
        return rounded


@lru_cache(maxsize=230)
def corepresentations(number: int) -> Corepresentations:
    """Those of space group `number`, 1..230, read from the shipped table."""
    table = packaged_arrays("corepresentations.npz")
    group = space_group(number)
    first, last = table["first_row"][number - 1 : number + 1]
    start, end = table["first_entry"][number - 1 : number + 1]
    operation = table["first_operation"][number - 1]
    place = table["place"][first:last].astype(int)
    starts = np.array([*range(len(group.kpoints)), *(line.i for line in group.lines)])
    return Corepresentations(
        kpoints=np.rint(np.array([k.frac for k in group.kpoints]) * K_GRID).astype(int),
        place=place,
        start=starts[place],
        dims=table["dims"][first:last].astype(int),
        projectors=table["values"][table["entries"][start:end]].reshape(-1, group.order),
        shells=table["shells"][:, operation : operation + group.order],
    )

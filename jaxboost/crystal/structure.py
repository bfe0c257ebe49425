"""What a file says about a material, before anything has been checked or standardised."""

from dataclasses import dataclass

import numpy as np


def read_only(values: object, dtype: type | None = None) -> np.ndarray:
    """Returns a copy of `values` as an array nobody can write to (of `dtype` where one is given)."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Structure:
    """A cell as it was listed: nothing is known yet about its soundness or its symmetry.

    Attributes:
      lattice: `[3, 3]` float64, Angstrom, rows are the cell's vectors.
      frac_coords: `[n, 3]` float64, in units of those vectors, not necessarily within [0, 1).
      atomic_numbers: `[n]` int64.

    All arrays are copied and made read-only. Shapes and values are judged by `checks.check_structure`.
    """

    lattice: np.ndarray
    frac_coords: np.ndarray
    atomic_numbers: np.ndarray

    def __post_init__(self) -> None:
        numbers = np.asarray(self.atomic_numbers)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise TypeError(f"atomic_numbers must be integers, got an array of {numbers.dtype}")
        object.__setattr__(self, "lattice", read_only(self.lattice, np.float64))
        object.__setattr__(self, "frac_coords", read_only(self.frac_coords, np.float64))
        object.__setattr__(self, "atomic_numbers", read_only(numbers, np.int64))

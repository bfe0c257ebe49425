"""The valence shells of the elements and everything about them that may be learned.

`tight_binding_elements.csv`, a row a shell: principal quantum number, Slater exponent, level, number of electrons that
the element's basis carries, spin-orbit strength; `source` says where exponent and level are from, `xi_source` where
the strength is.

- `GFN1`: S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017). `exponent raised`: to 0.95, as
  the published figure, fitted to molecules, is so diffuse that in a solid the orbitals of second neighbours depend on
  each other nearly linearly. `estimate`: lanthanide p and d shells (a valence-like 5d, where the published one of 3.0
  is nearly core), Fr and Ra like Cs and Ba, the actinides like the lanthanides.
- `fine structure`: xi is the measured spread of the ground multiplet (NIST Atomic Spectra Database) of one p electron
  or hole over 1.5, of sp or p2 or p4 in LS coupling over 1.5, of one d electron or hole over 2.5, of the lowest
  sp or sd triplet of groups 2 and 12 likewise, of the ion for the noble gases. `neighbours`: between or along such
  figures; half-filled p shells show no first-order splitting. `trend`: rounded, along the d series between measured
  ends. `estimate`: along the column or row, to about a third.

The basis: s and p; d for groups 3 to 11, Ca, Sr, Ba, Ra and the f block, where 4f and 5f electrons are core (parity
as in the valence count of the reference table) or, from Pa to Pu, go into d. The closed d shells of Zn, Cd and Hg and
of the p block count as core, as in GFN1: they lie 8 eV and more below the filling.
"""

import csv
import json
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np

from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError

_SIZE = 104  # rows by atomic number, as in the element table


class Parameters(NamedTuple):
    """All that may be learned; a pytree of float64 arrays.

    Attributes:
      level: `[104, 3]` eV, by atomic number and shell s, p, d; 0 where there is no shell.
      exponent: `[104, 3]` 1/bohr; 1 where there is no shell.
      spin_orbit: `[104, 3]` eV, xi in `xi L.S`.
      shell_factor: `[3, 3]` symmetric, the Wolfsberg-Helmholz factor of a pair of shells.
      strength: `[104, 3]`, by shell too; the factor of a pair of shells is times the mean of theirs.
      crowd_shift: `[104, 3]` eV, of a level for 12 neighbours.
      pull_shift: `[104, 3]` eV, of a level where neighbours are on average more electronegative by 1.
      decay: `[104, 3]`, hoppings fall by `(distance / sum of covalent radii)^-(mean of two)` more than overlaps.
      traits: `[104, 3]` of an element as a neighbour, see `TRAITS`.
      level_response: `[104, 3, 3]` eV, shift of a shell's level for the mean traits of its atom's neighbours.
      bond_response: `[104, 3, 3]`, a pair's factor is times 1 plus the mean of how each shell responds to the traits of
        the other atom.
      ionicity: factor `1 - ionicity * (difference of Pauling's electronegativities)^2`.
    """

    level: Any
    exponent: Any
    spin_orbit: Any
    shell_factor: Any
    strength: Any
    crowd_shift: Any
    pull_shift: Any
    decay: Any
    traits: Any
    level_response: Any
    bond_response: Any
    ionicity: Any


TRAITS = ("electronegativity", "electrons", "radius")
"""What the traits of an element begin as, each scaled to about -1 to 1; a fit moves them."""

_BY_SHELL = ("level", "exponent", "spin_orbit", "strength", "crowd_shift", "pull_shift", "decay")
_RESPONSES = ("level_response", "bond_response")
_COLUMNS = ("atomic_number", "l", *_BY_SHELL, *(f"{name} to {trait}" for name in _RESPONSES for trait in TRAITS))


class _Table(NamedTuple):
    quantum_number: np.ndarray
    electrons: np.ndarray
    parameters: Parameters


@lru_cache(maxsize=1)
def _table() -> _Table:
    quantum_number, electrons = np.zeros((_SIZE, 3), int), np.zeros(_SIZE, int)
    level, exponent, spin_orbit = np.zeros((_SIZE, 3)), np.ones((_SIZE, 3)), np.zeros((_SIZE, 3))
    text = files("jaxboost.physics").joinpath("tight_binding_elements.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        z, shell = int(row["atomic_number"]), int(row["l"])
        quantum_number[z, shell] = int(row["n"])
        electrons[z] = int(row["electrons"])
        level[z, shell], exponent[z, shell] = float(row["level_ev"]), float(row["exponent_per_bohr"])
        spin_orbit[z, shell] = float(row["xi_ev"] or 0)
    # GFN1's factors: 1.85 (s), 2.25 (p), 2.0 (d), the mean for mixed pairs but s-p; d metals bind 10 or 20% stronger.
    shell_factor = np.array([[1.85, 2.08, 1.925], [2.08, 2.25, 2.125], [1.925, 2.125, 2.0]])
    strength = np.ones((_SIZE, 3))
    strength[21:30], strength[39:48], strength[57:80] = 1.1, 1.2, 1.2
    for array in (quantum_number, electrons):
        array.setflags(write=False)
    radius = np.nan_to_num(ELEMENT_PROPERTIES["covalent_radius"][:_SIZE], nan=1.5)
    traits = np.stack([electronegativities()[:_SIZE] - 2, electrons / 4 - 1, 2 * radius - 3], axis=1)
    parameters = Parameters(
        level=level,
        exponent=exponent,
        spin_orbit=spin_orbit,
        shell_factor=shell_factor,
        strength=strength,
        crowd_shift=np.zeros((_SIZE, 3)),
        pull_shift=np.zeros((_SIZE, 3)),
        decay=np.zeros((_SIZE, 3)),
        traits=np.where(electrons[:, None] > 0, traits, 0),
        level_response=np.zeros((_SIZE, 3, 3)),
        bond_response=np.zeros((_SIZE, 3, 3)),
        ionicity=np.array(0.007),
    )
    return _Table(quantum_number, electrons, _read_only(parameters))


def _read_only(parameters: Parameters) -> Parameters:
    for array in parameters:
        array.setflags(write=False)
    return parameters


def published_parameters() -> Parameters:
    """The figures of the table, as published; read-only NumPy arrays."""
    return _table().parameters


@lru_cache(maxsize=1)
def learned_parameters() -> Parameters:
    """The figures that `python -m jaxboost.learn_bands` fitted to a table's training rows, read-only.

    Shells that no fitted crystal holds keep the published figures.
    """
    return parameters_from_json(_learned())


def learned_split() -> dict[str, Any]:
    """The table and split whose training rows the learned figures were fitted to, as `jaxboost.rows.split_identity`."""
    return dict(_learned()["split"])


def _learned() -> dict[str, Any]:
    text = files("jaxboost.physics").joinpath("tight_binding_learned.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


PARAMETER_SETS: dict[str, Callable[[], Parameters]] = {
    "published": published_parameters,
    "learned": learned_parameters,
}
"""By the names that `config.tight_binding.parameters` knows."""


def parameters_to_json(parameters: Parameters) -> dict[str, Any]:
    """What `parameters_from_json` reads: a row a shell, rounded to six decimals."""
    shells = [
        [int(z), int(shell), *np.round(_of_shell(parameters, z, shell), 6).tolist()]
        for z, shell in zip(*np.nonzero(quantum_numbers()), strict=True)
    ]
    known = np.flatnonzero(basis_electrons()).tolist()
    return {
        "shell_factor": np.round(np.asarray(parameters.shell_factor, float), 6).tolist(),
        "ionicity": round(float(parameters.ionicity), 6),
        "columns": list(_COLUMNS),
        "shells": shells,
        "traits": [[z, *row] for z, row in zip(known, np.round(parameters.traits[known], 6).tolist(), strict=True)],
    }


def _of_shell(parameters: Parameters, z: int, shell: int) -> np.ndarray:
    return np.concatenate([np.ravel(getattr(parameters, name)[z, shell]) for name in _BY_SHELL + _RESPONSES])


def parameters_from_json(values: dict[str, Any]) -> Parameters:
    """Read-only parameters.

    Raises:
      InputError: the columns are others, or the shells are not those of the table of elements.
    """
    arrays = {name: getattr(published_parameters(), name).copy() for name in (*_BY_SHELL, *_RESPONSES, "traits")}
    if values["columns"] != list(_COLUMNS):
        raise InputError(f"the learned tight-binding figures have the columns {values['columns']}: fit anew")
    rows = np.array(values["shells"], float)
    z, shell = rows[:, 0].astype(int), rows[:, 1].astype(int)
    if list(zip(z, shell, strict=True)) != list(zip(*np.nonzero(quantum_numbers()), strict=True)):
        raise InputError("the learned tight-binding figures are of other shells than the table of elements: fit anew")
    for column, name in enumerate(_BY_SHELL, start=2):
        arrays[name][z, shell] = rows[:, column]
    for name, response in zip(_RESPONSES, np.split(rows[:, -len(_RESPONSES) * len(TRAITS) :], 2, axis=1), strict=True):
        arrays[name][z, shell] = response
    traits = np.array(values["traits"], float)
    arrays["traits"][traits[:, 0].astype(int)] = traits[:, 1:]
    return _read_only(
        Parameters(
            **arrays, shell_factor=np.array(values["shell_factor"], float), ionicity=np.array(float(values["ionicity"]))
        )
    )


def quantum_numbers() -> np.ndarray:
    """`[104, 3]` principal quantum number of an element's s, p, d shell; 0 where it has none."""
    return _table().quantum_number


def basis_electrons() -> np.ndarray:
    """`[104]` electrons that an element brings into the basis; 0 where the table has no such element.

    The valence count of the reference table less closed semicore shells, so of the same parity.
    """
    return _table().electrons


def electronegativities() -> np.ndarray:
    """`[104]` on Pauling's scale, 0 at 0."""
    return np.nan_to_num(ELEMENT_PROPERTIES["electronegativity"])


def check_elements(atomic_numbers: np.ndarray) -> None:
    """Returns where the table has all elements.

    Raises:
      InputError: it lacks one.
    """
    outside = (atomic_numbers < 1) | (atomic_numbers >= _SIZE)
    missing = np.unique(atomic_numbers[outside | (basis_electrons()[np.where(outside, 0, atomic_numbers)] == 0)])
    if len(missing):
        raise InputError(f"no tight-binding figures for atomic number {missing[0]}: the table ends at 94 (Pu)")

"""The dictionaries of structures that pymatgen and ASE write to JSON, read with neither of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxboost.crystal.checks import StructureError, is_full
from jaxboost.crystal.elements import atomic_number
from jaxboost.crystal.structure import Structure


def parse_json(text: str) -> Structure:
    """The only structure in a JSON text.

    Raises:
      StructureError: no JSON, no or several structures, or as `structure_from_dict`.
    """
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StructureError(f"not readable as JSON ({error})") from error
    if isinstance(held, list) and len(held) == 1:
        held = held[0]
    if isinstance(held, list):
        raise StructureError(f"a list of {len(held)}: put each structure in a file of its own")
    if not isinstance(held, Mapping):
        raise StructureError("no structure: expected pymatgen's Structure.as_dict(), or what ase.io.write makes")
    return structure_from_dict(_only_row(held))


def structure_from_dict(held: Mapping[str, Any]) -> Structure:
    """The structure in pymatgen's `Structure.as_dict()` or ASE's `Atoms.todict()`, in arrays or as JSON has it.

    Raises:
      StructureError: neither of them, a field missing or of the wrong kind, an unknown element, partial occupancy or
        several species on a site, or a structure that does not repeat in all three directions.
    """
    try:
        if "sites" in held:
            return _of_pymatgen(held)
        if "numbers" in held and "positions" in held:
            return _of_ase(held)
    except StructureError:
        raise
    except (TypeError, ValueError, OverflowError) as error:  # any field may hold anything
        raise StructureError(f"a field of the structure is damaged ({error})") from error
    names = ", ".join(map(str, list(held)[:8])) or "nothing"
    raise StructureError(
        f"no structure: expected pymatgen's Structure.as_dict(), or what ase.io.write makes, and it holds {names}"
    )


def _only_row(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """That of ASE's database, which is a dictionary by number with a list of the numbers; others as they are."""
    ids = held.get("ids")
    if "nextid" not in held or not isinstance(ids, list):
        return held
    if len(ids) != 1:
        raise StructureError(f"an ASE database of {len(ids)} structures: put each in a file of its own")
    row = held.get(str(ids[0]))
    if not isinstance(row, Mapping):
        raise StructureError(f"a damaged ASE database: it lists row {ids[0]} and does not hold it")
    return row


def _of_pymatgen(held: Mapping[str, Any]) -> Structure:
    lattice, sites = held.get("lattice"), held["sites"]
    if not isinstance(lattice, Mapping) or "matrix" not in lattice:
        raise StructureError("no lattice.matrix: a molecule is no crystal")
    if not isinstance(sites, Sequence) or not all(isinstance(site, Mapping) for site in sites):
        raise StructureError("its sites are no list of dictionaries")
    _check_periodic(lattice.get("pbc", (True, True, True)))
    numbers = [_ordered(number, site) for number, site in enumerate(sites)]
    coords = _array([site.get("abc") for site in sites], (len(sites), 3), "the 'abc' of its sites")
    return Structure(_array(lattice["matrix"], (3, 3), "lattice.matrix"), coords, np.array(numbers, np.int64))


def _ordered(number: int, site: Mapping[str, Any]) -> int:
    """Atomic number of the only species of a site."""
    species = site.get("species")
    if not isinstance(species, Sequence) or not species or not all(isinstance(one, Mapping) for one in species):
        raise StructureError(f"site {number} has no list of species")
    listed = " and ".join(f"{one.get('element')} {one.get('occu', 1)}" for one in species)
    occupancy = species[0].get("occu", 1)
    if len(species) > 1 or not is_full(float(occupancy)):
        raise StructureError(
            f"disorder/partial occupancy: site {number} has {listed}; give an ordered model (every occupancy 1)"
        )
    return atomic_number(str(species[0].get("element")))


def _of_ase(held: Mapping[str, Any]) -> Structure:
    _check_periodic(_plain(held.get("pbc", (True, True, True))))
    info = held.get("info")
    _check_occupancies(info.get("occupancy") if isinstance(info, Mapping) else None)
    numbers = np.asarray(_plain(held["numbers"]))
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise StructureError("its numbers are no list of atomic numbers")
    cell = held.get("cell")
    lattice = _array(cell.get("array") if isinstance(cell, Mapping) and "array" in cell else cell, (3, 3), "cell")
    positions = _array(held["positions"], (len(numbers), 3), "positions")
    if not np.isfinite(lattice).all() or not abs(np.linalg.det(lattice)) > 0:
        raise StructureError("its cell has no volume: a molecule is no crystal")
    return Structure(lattice, np.linalg.solve(lattice.T, positions.T).T, numbers.astype(np.int64))


def _check_occupancies(sites: Any) -> None:
    """ASE keeps them beside the atoms, by site and symbol."""
    for species in sites.values() if isinstance(sites, Mapping) else ():
        if len(species) > 1 or not all(map(is_full, map(float, species.values()))):
            listed = " and ".join(f"{symbol} {occupancy}" for symbol, occupancy in species.items())
            raise StructureError(
                f"disorder/partial occupancy: a site has {listed}; give an ordered model (every occupancy 1)"
            )


def _check_periodic(pbc: Any) -> None:
    if not np.all(np.asarray(pbc, bool)):
        raise StructureError("it does not repeat in all three directions (pbc): a crystal is needed")


def _array(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """[shape] float64."""
    found = np.asarray(_plain(value), np.float64)
    if found.shape != shape and (found.size or 0 not in shape):
        raise StructureError(f"{name}: expected numbers of shape {shape}, it has {found.shape}")
    return found.reshape(shape)


def _plain(value: Any) -> Any:
    """An array where ASE's JSON holds `{"__ndarray__": [shape, dtype, numbers]}`, else the value."""
    if not isinstance(value, Mapping) or "__ndarray__" not in value:
        return value
    shape, dtype, numbers = value["__ndarray__"]
    return np.array(numbers, bool if dtype == "bool" else None).reshape(shape)

"""Whatever holds a structure -> `Structure`: files told apart by their names, objects by what they can do."""

import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.cif_file import read_cif
from jaxboost.crystal.file_bytes import file_bytes
from jaxboost.crystal.json_file import parse_json, structure_from_dict
from jaxboost.crystal.poscar_file import parse_poscar
from jaxboost.crystal.structure import Structure

READABLE = "*.cif, POSCAR*, CONTCAR*, *.vasp, *.poscar, *.json"
_KINDS = {".cif": "CIF", ".vasp": "POSCAR", ".poscar": "POSCAR", ".json": "JSON"}
SUFFIXES = tuple(_KINDS)
_PARSERS = {"POSCAR": parse_poscar, "JSON": parse_json}


def structure_kind(name: str | Path) -> str | None:
    """'CIF', 'POSCAR' or 'JSON' by the name of a file, with or without `.gz`; None where it is another kind."""
    base = re.sub(r"\.gz$", "", os.path.basename(name).lower())
    suffix = os.path.splitext(base)[1]
    if suffix in _KINDS:
        return _KINDS[suffix]
    is_table = suffix in (".parquet", ".pq", ".csv")
    return "POSCAR" if base.startswith(("poscar", "contcar")) and not is_table else None


def read_structure(path: str | Path) -> Structure:
    """Reads one structure file, whose kind its name tells (`READABLE`).

    Raises:
      StructureError: another kind, or the file is not one ordered crystal; the message names the file.
    """
    kind = structure_kind(path)
    if kind is None:
        raise StructureError(f"{path}: cannot read this kind of file, only {READABLE}")
    if kind == "CIF":
        return read_cif(path)
    try:
        return _PARSERS[kind](_text(path))
    except StructureError as error:
        raise StructureError(f"{path}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise StructureError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error


def as_structure(found: Any) -> Structure:
    """A `Structure` of whatever holds one.

    Args:
      found: a `Structure`, the path of a structure file, a pymatgen `Structure`, an ASE `Atoms`, or the dictionary of
        either. The libraries are not imported: an object is asked for its dictionary.

    Raises:
      StructureError: what it holds is not one ordered crystal.
      TypeError: something else.
    """
    if isinstance(found, Structure):
        return found
    if isinstance(found, str | Path):
        return read_structure(found)
    if isinstance(found, Mapping):
        return structure_from_dict(found)
    for name in ("todict", "as_dict"):  # ASE's before pymatgen's: its MSONAtoms have both
        if callable(method := getattr(found, name, None)):
            held = method()
            if isinstance(held, Mapping):
                return structure_from_dict(held)
    raise TypeError(
        f"{type(found).__name__} is no structure: give a jaxboost.crystal.Structure, a path, a pymatgen Structure or "
        "an ASE Atoms"
    )


def _text(path: str | Path) -> str:
    """Comments may be in any encoding; what matters is ASCII."""
    return file_bytes(path).decode("utf-8-sig", errors="replace")

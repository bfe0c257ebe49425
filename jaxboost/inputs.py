"""Inputs of a prediction: files, folders, globs and tables, each structure with a name, each failure with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxboost.crystal import Structure, StructureError, read_structure, structure_files
from jaxboost.data.materials import read_table
from jaxboost.errors import InputError

TABLES = (".parquet", ".pq")


def read_inputs(paths: Sequence[str]) -> tuple[list[str], list[Structure], list[tuple[str, str]]]:
    """Names and structures of everything readable, and (input, reason) of the rest.

    A file is named by its path, a row of a parquet table by its id. Raises `InputError` when there is no input at all.
    """
    if not paths:
        raise InputError("nothing to predict: give --inputs=PATH, CIF files, folders of them, or parquet tables")
    names: list[str] = []
    structures: list[Structure] = []
    rejected: list[tuple[str, str]] = []
    for path in paths:
        if Path(path).suffix in TABLES:
            table = read_table(path, label_column="", require_labels=False)
            names += [str(name) for name in table.ids]
            structures += table.structures
            rejected += table.rejected
            continue
        for file in structure_files([path]):
            try:
                structures.append(read_structure(file))
                names.append(str(file))
            except StructureError as error:
                rejected.append((str(file), str(error)))
    if not names and not rejected:
        raise InputError(f"no structure file in {', '.join(paths)}")
    return names, structures, rejected

"""Inputs of a prediction: files, folders, globs and tables, each structure with a name, each failure with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxboost.crystal import Structure, StructureError, read_structure, structure_files
from jaxboost.data.materials import read_table
from jaxboost.errors import InputError

TABLES = (".parquet", ".pq")


def read_inputs(paths: Sequence[str]) -> list[tuple[str, Structure | str]]:
    """Everything that `paths` name, in order: a name with its structure, or with the reason why there is none.

    A file is named by its path, a row of a parquet table by its id. Of a table the rows that cannot be read stand last.

    Raises:
      InputError: no path, a path without a structure file, a table that cannot be read.
    """
    if not paths:
        raise InputError("nothing to predict: give --inputs=PATH, CIF files, folders of them, or parquet tables")
    found: list[tuple[str, Structure | str]] = []
    for path in paths:
        if Path(path).suffix.lower() in TABLES:
            table = read_table(path, label_column="", require_labels=False)
            found += zip(map(str, table.ids), table.structures, strict=True)
            found += table.rejected
        else:
            found += [(str(file), _read(file)) for file in structure_files([path])]
    return found


def _read(file: Path) -> Structure | str:
    try:
        return read_structure(file)
    except StructureError as error:
        return str(error)

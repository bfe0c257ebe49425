"""Inputs of a prediction: files, folders, globs and tables, each structure with a name, each failure with a reason."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from jaxboost.crystal import Structure, StructureError, read_structure
from jaxboost.crystal.readers import READABLE, structure_kind
from jaxboost.data.parquet_rows import ParquetRows, parquet_rows
from jaxboost.errors import InputError

TABLES = (".parquet", ".pq")
_BLOCK = 64  # files that a process reads at a time


@dataclass(frozen=True)
class StructureFiles:
    """Structure files, one structure each; their names are all that is held of them.

    Attributes:
      paths: in order.
      workers: processes that read.
    """

    paths: tuple[str, ...]
    workers: int = 1

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, first: int = 0) -> Iterator[tuple[str, Structure | str]]:
        """From file `first` on, the path of each with its structure, or with the reason why there is none."""
        ahead = _BLOCK * self.workers  # as many are read before they are asked for
        for begin in range(first, len(self.paths), ahead):
            paths = self.paths[begin : min(begin + ahead, len(self.paths))]
            blocks = [paths[start : start + _BLOCK] for start in range(0, len(paths), _BLOCK)]
            if len(blocks) == 1:
                found = [_read(blocks[0])]
            else:
                with parallel_config("loky", n_jobs=self.workers, inner_max_num_threads=1):
                    found = Parallel()(delayed(_read)(block) for block in blocks)
            yield from zip(paths, chain.from_iterable(found), strict=True)


def _read(paths: Sequence[str]) -> list[Structure | str]:
    found: list[Structure | str] = []
    for path in paths:
        try:
            found.append(read_structure(path))
        except StructureError as error:
            found.append(str(error))
    return found


@dataclass(frozen=True)
class UnreadableTable:
    """A table that cannot be opened: one row of the prediction, with the reason."""

    path: str
    reason: str

    def __len__(self) -> int:
        return 1

    def read(self, first: int = 0) -> Iterator[tuple[str, Structure | str]]:
        """Its only row."""
        yield from [(self.path, self.reason)][first:]


@dataclass(frozen=True)
class Inputs:
    """What is to be predicted, listed and not read.

    Attributes:
      sources: each with a length and a `read`, in the order given.
      given: the sources' places of each path that was given, as (path, first, end).
    """

    sources: tuple[StructureFiles | ParquetRows | UnreadableTable, ...]
    given: tuple[tuple[str, int, int], ...]

    def __len__(self) -> int:
        return sum(map(len, self.sources))

    def read(self, first: int = 0) -> Iterator[tuple[str, Structure | str]]:
        """From structure `first` on: a name with its structure, or with the reason why there is none.

        A file is named by its path, a row of a table by its id.
        """
        for source, end in zip(self.sources, accumulate(map(len, self.sources)), strict=True):
            if end > first:
                yield from source.read(max(first - (end - len(source)), 0))

    def files(self) -> Iterator[str]:
        """Every file that is read."""
        for source in self.sources:
            yield from source.paths if isinstance(source, StructureFiles) else (source.path,)

    def identity(self) -> dict[str, Any]:
        """By path as given: structures, files, bytes, and a hash of all names, sizes and times of change.

        Contents are not hashed: it would take as long as reading them.
        """
        return {path: _identity(Inputs(self.sources[first:end], ())) for path, first, end in self.given}


def _identity(inputs: Inputs) -> dict[str, Any]:
    digest, files, size = hashlib.sha256(), 0, 0
    for path in inputs.files():
        found = os.stat(path) if os.path.exists(path) else os.lstat(path)  # a link that leads nowhere
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
        files, size = files + 1, size + found.st_size
    return {"structures": len(inputs), "files": files, "bytes": size, "names_sizes_and_times": digest.hexdigest()}


def find_inputs(paths: Sequence[str], workers: int = 1) -> Inputs:
    """Lists everything that `paths` name, in order.

    A path is a structure file, a parquet table, a glob of either, or a folder of structure files or, where it has
    none, of parquet tables. Tables are opened for their number of rows and no more. `workers` processes read files.

    Raises:
      InputError: no path, one that leads nowhere, no row, or nothing but tables that cannot be opened.
    """
    if not paths:
        raise InputError("nothing to predict: give --inputs=PATH, structure files, folders of them, or parquet tables")
    sources: list[StructureFiles | ParquetRows | UnreadableTable] = []
    given = []
    for path in dict.fromkeys(paths):
        found = list(_sources(_files(path), workers))
        given.append((path, len(sources), len(sources) + len(found)))
        sources += found
    reasons = [source.reason for source in sources if isinstance(source, UnreadableTable)]
    if len(reasons) == len(sources):
        raise InputError("\n".join(reasons[:3]))
    inputs = Inputs(tuple(sources), tuple(given))
    if not len(inputs):
        raise InputError(f"{', '.join(paths)}: no row; give at least one structure")
    return inputs


def _files(path: str) -> list[str]:
    """The files that one path names."""
    if os.path.isdir(path):
        found = _inside(path)
    elif os.path.exists(path):
        found = [str(Path(path))]
    elif glob.has_magic(path):
        matches = sorted(glob.iglob(path, recursive=True))
        each = (file for match in matches for file in (_inside(match) if os.path.isdir(match) else [match]))
        found = list(dict.fromkeys(str(Path(file)) for file in each))
    else:
        raise InputError(f"{path}: no such file or folder")
    if not found:
        raise InputError(f"{path}: no structure file there (looked for {READABLE}, *{', *'.join(TABLES)})")
    return found


def _inside(folder: str) -> list[str]:
    """Its structure files, else its tables: a table beside structure files is what was found of them.

    JSON files beside tables, and nothing else there, are more likely to describe the tables.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())
    kinds = {name: kind for name in names if (kind := structure_kind(name))}
    tables = [name for name in names if _suffix(name) in TABLES]
    chosen = tables if tables and set(kinds.values()) <= {"JSON"} else kinds
    return [str(Path(folder, name)) for name in chosen]


def _sources(files: list[str], workers: int) -> Iterator[StructureFiles | ParquetRows | UnreadableTable]:
    """Neighbouring structure files together, each table for itself."""
    pending: list[str] = []
    for file in files:
        if _suffix(file) not in TABLES:
            pending.append(file)
            continue
        if pending:
            yield StructureFiles(tuple(pending), workers)
            pending = []
        try:
            yield parquet_rows(file)
        except InputError as error:
            yield UnreadableTable(file, str(error))
    if pending:
        yield StructureFiles(tuple(pending), workers)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()

"""A prediction under way: finished chunks in a folder beside the output, which is written at the end in one step.

```
predicted.csv.parts/manifest.json   what is predicted, by what, and how: only the very same goes on here
predicted.csv.parts/000012.parquet  the rows of chunk 12, whole or absent
```
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jaxboost.errors import InputError
from jaxboost.inputs import TABLES
from jaxboost.prediction_table import REJECTED, write_rows_as_csv
from jaxboost.run_folder import LOCK, RunLock, read_json, sync_folder, write_json
from jaxboost.settings import differences

MANIFEST = "manifest.json"
PARTS = ".parts"  # at the end of the folder's name

_ROW_GROUP = 1 << 16  # rows: a chunk a row group would make the end of a large file larger than its rows
_UNFINISHED = "unfinished"


class PartFolder:
    """Holds the folder of an output while it is entered: no second process predicts into it.

    A folder without a finished chunk is gone on leaving, so that a mistake leaves nothing behind.

    Args:
      output: where the prediction goes: a `.parquet` or `.pq` table, anything else is CSV.
      identity: what the rows depend on, plain JSON.

    Raises:
      InputError: the output is a folder. And on entering: the folder of parts cannot be made, is in use, or holds
        chunks of another identity.
    """

    def __init__(self, output: Path, identity: Mapping[str, Any]) -> None:
        if output.is_dir():
            raise InputError(f"--output={output} is a folder; give the name of a file, as predicted.csv")
        self._output = output
        self._folder = parts_of(output)
        self._identity = dict(identity)
        self._lock = RunLock(self._folder, flag="--output")
        self._merged = False

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self._check_identity()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._merged and not self.finished():
            self._remove()
        self._lock.__exit__(kind, error, trace)

    def _check_identity(self) -> None:
        manifest, finished = self._folder / MANIFEST, len(self.finished())
        if not finished:
            write_json(manifest, self._identity)
        elif not manifest.exists():
            raise InputError(f"{self._folder} holds parquet files and no {MANIFEST}; move it away")
        elif changes := differences(read_json(manifest), self._identity):
            raise InputError(
                f"{self._folder} holds {finished} finished chunks of another prediction. What differs:\n  "
                + "\n  ".join(changes)
                + "\ngive another --output, or remove that folder to predict anew"
            )

    def finished(self) -> list[int]:
        """Numbers of the chunks that are there, ascending."""
        return sorted(int(path.stem) for path in self._folder.glob("[0-9]*.parquet"))

    def add(self, number: int, rows: pa.Table) -> None:
        """Writes a chunk: it is there whole, also after a power cut, or not at all."""
        self._write(self._path(number), lambda path: pq.write_table(rows, path))

    def merge(self, chunks: int) -> int:
        """Writes the output from the first `chunks` chunks, in their order, and removes the folder.

        Returns:
          How many rows are rejected.

        Raises:
          InputError: a chunk is damaged, or there is no space.
        """
        schema = self._part(0).schema
        rejected = 0

        def tables() -> Iterator[pa.Table]:
            nonlocal rejected
            for number in range(chunks):
                table = self._part(number)
                rejected += pc.sum(pc.equal(table["status"], REJECTED)).as_py()
                yield table

        write = _write_parquet if self._output.suffix.lower() in TABLES else write_rows_as_csv
        self._write(self._output, lambda path: write(path, schema, tables()))
        self._remove()
        self._merged = True
        return rejected

    def _part(self, number: int) -> pa.Table:
        path = self._path(number)
        try:
            return pq.read_table(path, partitioning=None)
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{path}: a finished chunk cannot be read ({str(error).splitlines()[0]}); remove this file and start "
                "the same command again, which does that chunk anew"
            ) from error

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.parquet"

    def _remove(self) -> None:
        # The manifest goes after the chunks: killed here, the folder still says whose they are.
        for number in self.finished():
            self._path(number).unlink()
        for name in (_UNFINISHED, MANIFEST, LOCK):
            (self._folder / name).unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _write(self, target: Path, write: Callable[[Path], None]) -> None:
        unfinished = self._folder / _UNFINISHED
        try:
            write(unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(unfinished, target)
            sync_folder(target.parent)
        except OSError as error:
            raise InputError(
                f"{target} cannot be written ({error.strerror or error}); finished chunks are kept in {self._folder}: "
                "see to that and start the same command again"
            ) from error


def parts_of(output: Path) -> Path:
    """The folder of an output's finished chunks."""
    return output.with_name(f"{output.name}{PARTS}")


def _write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        pending: list[pa.Table] = []
        for table in tables:
            pending.append(table)
            if sum(map(len, pending)) >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(pending))
                pending = []
        if pending:
            writer.write_table(pa.concat_tables(pending))

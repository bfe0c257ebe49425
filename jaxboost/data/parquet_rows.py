"""The rows of a parquet table one after another, however many: what is read is let go again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from jaxboost.crystal import Structure
from jaxboost.data.parquet import ParquetColumns, refuse_bomb
from jaxboost.errors import InputError

ID_COLUMN = "material_id"
COLUMNS = (ID_COLUMN, "lattice", "atomic_numbers", "frac_coords")

_BATCH = 256  # rows decoded at a time
_BUFFER = 1 << 20  # bytes; without it the whole column of a row group is read at once


@dataclass(frozen=True)
class ParquetRows:
    """A table of structures that was looked into and not read.

    Attributes:
      path: the file, as it was given.
      rows: how many it says it has.
    """

    path: str
    rows: int

    def __len__(self) -> int:
        return self.rows

    def read(self, first: int = 0) -> Iterator[tuple[str, Structure | str]]:
        """From row `first` on, the id of each row with its structure, or with the reason why there is none.

        A row without an id is named by its number. Where a part of the file is damaged, all rows of that row group
        from there on are named so, and the next group is read. What a row yields does not depend on `first`.

        Raises:
          InputError: it is gone, or has another number of rows by now.
        """
        try:
            file = pq.ParquetFile(self.path, buffer_size=_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path} can no longer be opened ({str(error).splitlines()[0]})") from error
        with file:
            if file.metadata.num_rows != self.rows:
                raise InputError(f"{self.path} was changed while it was read; start again when it is written")
            begin = 0
            for group in range(file.num_row_groups):
                end = begin + file.metadata.row_group(group).num_rows
                if end > first:
                    yield from self._read_group(file, group, begin, end, max(first, begin))
                begin = end

    def _read_group(
        self, file: pq.ParquetFile, group: int, begin: int, end: int, first: int
    ) -> Iterator[tuple[str, Structure | str]]:
        batches = file.iter_batches(_BATCH, row_groups=[group], columns=list(COLUMNS))
        while begin < end:
            try:
                batch = next(batches)
            except (pa.ArrowException, OSError) as error:
                reason = f"damaged parquet file ({str(error).splitlines()[0]}); fetch or write it again"
                yield from ((self._name(row), reason) for row in range(max(first, begin), end))
                return
            if begin + len(batch) > first:
                yield from self._read_batch(batch, begin, max(first - begin, 0))
            begin += len(batch)

    def _read_batch(self, batch: pa.RecordBatch, begin: int, skip: int) -> Iterator[tuple[str, Structure | str]]:
        table = pa.Table.from_batches([batch])
        try:
            found = self._rows_of(table, begin)
        except InputError:  # a value of one row that is no number: only its own row is to suffer
            found = [self._row_of(table.slice(row, 1), begin + row) for row in range(len(table))]
        yield from found[skip:]

    def _rows_of(self, table: pa.Table, begin: int) -> list[tuple[str, Structure | str]]:
        columns = ParquetColumns(Path(self.path), tuple(table.column_names), table)
        named = zip(columns.texts(ID_COLUMN), columns.structures(), strict=True)
        return [
            (self._name(begin + row), "no id") if name is None else (name, structure)
            for row, (name, structure) in enumerate(named)
        ]

    def _row_of(self, row: pa.Table, number: int) -> tuple[str, Structure | str]:
        try:
            return self._rows_of(row, number)[0]
        except InputError as error:
            return self._name(number), str(error)

    def _name(self, row: int) -> str:
        return f"{self.path}, row {row + 1}"


def parquet_rows(path: str) -> ParquetRows:
    """The table at `path`.

    Raises:
      InputError: it cannot be opened, is no parquet file, or lacks a column.
    """
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: not a readable parquet file ({str(error).splitlines()[0]}); write the table with to_parquet()"
        ) from error
    refuse_bomb(metadata, path)
    names = metadata.schema.to_arrow_schema().names
    for name in COLUMNS:
        if name not in names:
            nearest = get_close_matches(name, names, n=1, cutoff=0.4)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise InputError(f"{path}: no column {name!r}; there are: {', '.join(names)}.{hint} Rename the column.")
    return ParquetRows(path, metadata.num_rows)

"""The columns of a parquet table of crystals, flattened once instead of row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jaxboost.crystal import Structure
from jaxboost.errors import InputError

_LISTS = ("lattice", "atomic_numbers", "frac_coords")
_MOST_NUMBERS = 30_000  # a row on average: the coordinates of 10,000 atoms


@dataclass(frozen=True, eq=False)
class _Ragged:
    """A list column: row i is `values[starts[i]:ends[i]]`, `whole[i]` if neither it nor an entry is null."""

    values: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    whole: np.ndarray


@dataclass(frozen=True, eq=False)
class ParquetColumns:
    """A parquet file: the names of its columns, and the contents of those that were loaded.

    Attributes:
      path: the file.
      names: all its columns.
      table: the loaded columns.
    """

    path: Path
    names: tuple[str, ...]
    table: pa.Table

    def load(self, columns: Sequence[str]) -> "ParquetColumns":
        """Returns the same with `columns` loaded.

        Raises:
          InputError: the file is damaged.
        """
        try:
            refuse_bomb(pq.read_metadata(self.path), self.path)
            loaded = pq.read_table(self.path, columns=list(columns), partitioning=None)
        except (pa.ArrowException, OSError) as error:
            reason = f"damaged parquet file ({_first_line(error)}); fetch or write it again"
            raise InputError(f"{self.path}: {reason}") from error
        return ParquetColumns(self.path, self.names, loaded)

    def texts(self, name: str) -> list[str | None]:
        """Returns a column of text, whole numbers or booleans as text; null, NaN and '' are None.

        Raises:
          InputError: the column holds something else.
        """
        column = self.table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_floating(column.type):  # what pandas makes of whole numbers with gaps
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        try:
            return [text or None for text in column.cast(pa.large_string()).to_pylist()]
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.path}, column {name!r} is {column.type}: expected text or whole numbers"
            ) from error

    def structures(self) -> list[Structure | str]:
        """Returns a structure for each row, or the reason why there is none.

        Raises:
          InputError: a column of the structure holds no lists of numbers.
        """
        lattice = self._ragged("lattice", pa.float64())
        numbers = self._ragged("atomic_numbers", pa.int64())
        coords = self._ragged("frac_coords", pa.float64())
        whole = lattice.whole & numbers.whole & coords.whole
        return [
            self._structure(row, lattice, numbers, coords) if whole[row] else "a null in its structure"
            for row in range(len(whole))
        ]

    @staticmethod
    def _structure(row: int, lattice: _Ragged, numbers: _Ragged, coords: _Ragged) -> Structure | str:
        cell = lattice.values[lattice.starts[row] : lattice.ends[row]]
        atoms = numbers.values[numbers.starts[row] : numbers.ends[row]]
        places = coords.values[coords.starts[row] : coords.ends[row]]
        if len(cell) != 9:
            return f"lattice has {len(cell)} numbers, expected 9 (three vectors in Angstrom, row-major)"
        if len(places) != 3 * len(atoms):
            return f"frac_coords has {len(places)} numbers for {len(atoms)} atoms, expected {3 * len(atoms)}"
        return Structure(cell.reshape(3, 3), places.reshape(-1, 3), atoms)

    def _ragged(self, name: str, number: pa.DataType) -> _Ragged:
        column = self.table.column(name).combine_chunks()
        kind = column.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        try:
            if not is_list:
                raise pa.ArrowTypeError(f"{kind} is no list")
            values = column.flatten().cast(number)
        except pa.ArrowException as error:
            expected = "whole numbers" if pa.types.is_integer(number) else "numbers"
            raise InputError(
                f"{self.path}, column {name!r} is {kind}: expected a flat list of {expected} a row "
                f"({_first_line(error)})"
            ) from error
        ends = np.cumsum(pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False))
        starts = np.concatenate([[0], ends[:-1]])
        nulls = np.concatenate([[0], np.cumsum(values.is_null().to_numpy(zero_copy_only=False))])
        whole = column.is_valid().to_numpy(zero_copy_only=False) & (nulls[ends] == nulls[starts])
        return _Ragged(values.fill_null(0).to_numpy(), starts, ends, whole)


def open_parquet(path: Path) -> ParquetColumns:
    """Opens a parquet file, with no column loaded.

    Raises:
      InputError: the file can't be opened, or is no parquet file.
    """
    try:
        schema = pq.read_schema(path)
    except pa.ArrowException as error:
        raise InputError(
            f"{path}: not a parquet file ({_first_line(error)}); write the table with to_parquet()"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be opened ({error.strerror or _first_line(error)}); check its permissions"
        ) from error
    return ParquetColumns(path, tuple(schema.names), pa.table({}))


def refuse_bomb(metadata: pq.FileMetaData, path: Path | str) -> None:
    """Raises `InputError` where a row group holds more numbers than that many crystals have.

    A column of one number a million times over takes no room in a file, and all of it in memory.
    """
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            name = column.path_in_schema.split(".")[0]
            if name in _LISTS and column.num_values > _MOST_NUMBERS * max(group.num_rows, 1):
                raise InputError(
                    f"{path}, column {name!r}: {column.num_values:,} numbers in {group.num_rows:,} rows, more than "
                    f"{_MOST_NUMBERS:,} a row: this is no table of crystals; leave out the rows that are none"
                )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

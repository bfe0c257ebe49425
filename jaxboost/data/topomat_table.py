"""Labels and structures -> the rows of a table, and the three files that are written of it."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jaxboost.crystal import Structure, StructureError, make_crystal, reduced_formula
from jaxboost.crystal.checks import check_structure
from jaxboost.data.topology_labels import Label
from jaxboost.run_folder import write_bytes, write_csv, write_json

TEST_SHARE = 0.15
"""Of the formulas, not of the rows: those of a formula go together."""

MOST_ATOMS = 10_000
"""That a listed cell may have: what `jaxboost.data.parquet` reads a row at most."""

SCHEMA = pa.schema(
    [
        ("material_id", pa.string()),
        ("formula", pa.string()),
        ("space_group_number", pa.int16()),
        ("lattice", pa.list_(pa.float64())),
        ("atomic_numbers", pa.list_(pa.int16())),
        ("frac_coords", pa.list_(pa.float64())),
        ("topology", pa.string()),
        ("topology_without_soc", pa.string()),
        ("split", pa.string()),
    ]
)
"""`lattice`: 9 numbers, row-major, rows are the vectors, Angstrom; `frac_coords`: 3n numbers. `space_group_number` is
null where `make_crystal` finds none. `topology_without_soc`, an output of the same calculation as the label
and never an input, is in the words of its source, and null where it says nothing. Columns of DFT there are none."""


@dataclass(frozen=True)
class Rows:
    """The rows of a table, by id.

    Attributes:
      table: of `SCHEMA`.
      rejected: (id, reason) of each label that has no row.
    """

    table: pa.Table
    rejected: tuple[tuple[str, str], ...]

    def counts(self, column: str) -> dict[str, int]:
        """Rows by value of `topology` or `split`, the commonest first."""
        return dict(Counter(self.table[column].to_pylist()).most_common())


def split_of(formula: str) -> str:
    """'test' or 'train' by the SHA-256 of a reduced formula: the same on every machine and for every table."""
    first = int.from_bytes(hashlib.sha256(formula.encode()).digest()[:8], "big")
    return "test" if first / 2**64 < TEST_SHARE else "train"


def make_rows(labels: Sequence[Label], structures: Mapping[str, Structure | str]) -> Rows:
    """A row for each label whose structure is a crystal.

    Args:
      labels: one an id.
      structures: id -> the structure as listed, or the reason why there is none.
    """
    rows: list[dict[str, Any]] = []
    rejected: list[tuple[str, str]] = []
    for label in sorted(labels, key=_by_number):
        structure = structures[label.material_id]
        if isinstance(structure, str):
            rejected.append((label.material_id, structure))
            continue
        try:
            check_structure(structure, MOST_ATOMS)
        except StructureError as error:
            rejected.append((label.material_id, str(error)))
            continue
        formula = reduced_formula(structure.atomic_numbers)
        rows.append(
            {
                "material_id": label.material_id,
                "formula": formula,
                "space_group_number": _space_group(structure),
                "lattice": structure.lattice.ravel(),
                "atomic_numbers": structure.atomic_numbers,
                "frac_coords": structure.frac_coords.ravel(),
                "topology": label.topology,
                "topology_without_soc": label.topology_without_soc,
                "split": split_of(formula),
            }
        )
    return Rows(pa.Table.from_pylist(rows, schema=SCHEMA), tuple(rejected))


def _by_number(label: Label) -> tuple[str, int]:
    prefix, _, number = label.material_id.partition("-")
    return prefix, int(number)


def _space_group(structure: Structure) -> int | None:
    """Null is what the column says of a crystal without: a later reader looks with its own tolerance."""
    try:
        return make_crystal(structure).space_group_number
    except StructureError:
        return None


def rejected_of(table: Path) -> Path:
    """Where the rejected labels of a table are listed."""
    return table.with_name(f"{table.name}.rejected.csv")


def sources_of(table: Path) -> Path:
    """Where it is written down what a table was made of."""
    return table.with_name(f"{table.name}.sources.json")


def write_table(path: Path, rows: Rows, rejected: Sequence[tuple[str, str]], sources: Mapping[str, Any]) -> str:
    """Writes a table and, before it, the two files beside it; each is there whole, as it was, or not at all.

    Args:
      path: of the table; its folder is made where it is missing.
      rejected: (id, reason) of all labels without a row.
      sources: what it was made of, plain JSON; the table's own sum, rows, classes and split are added.

    Returns:
      SHA-256 of the table, hex. The file beside it names the same, so that a table of another start is told apart.

    Raises:
      OSError: no space, no permission; the table of before is untouched.
    """
    buffer = io.BytesIO()
    pq.write_table(rows.table, buffer, compression="zstd")
    data = buffer.getvalue()
    found = hashlib.sha256(data).hexdigest()
    names, reasons = zip(*rejected, strict=True) if rejected else ((), ())
    write_csv(rejected_of(path), {"material_id": names, "reason": reasons})
    described = {
        "file": path.name,
        "sha256": found,
        "rows": len(rows.table),
        "topology": rows.counts("topology"),
        "split": rows.counts("split"),
    }
    write_json(sources_of(path), {"table": described, **sources})
    write_bytes(path, data)
    return found

"""Labelled tables of crystals: a parquet file, or a folder of structure files with an `id_prop.csv`."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from jaxboost.crystal import Structure, StructureError, read_structure
from jaxboost.crystal.readers import SUFFIXES, structure_kind
from jaxboost.data.parquet import ParquetColumns, open_parquet
from jaxboost.errors import InputError

ID_PROP = "id_prop.csv"

_SPLITS = ("train", "test")
_PICKLES = (".pkl", ".pickle", ".npz", ".npy", ".joblib", ".pt", ".pth")
_LISTED = 10  # of many offenders an error names this many


@dataclass(frozen=True, eq=False)
class Table:
    """Crystals with their labels, as listed: nothing is checked or standardised yet.

    Attributes:
      ids: `[n]` text, unique.
      structures: n structures.
      labels: `[n]` int64, index into `classes`; -1 where labels were not asked for.
      classes: names of the classes, in the order of the labels.
      split: `[n]` 'train' or 'test', or None where the table names no split.
      source: the path as it was given.
      sha256: of the file's bytes; for a folder, of the names and bytes of `id_prop.csv` and the structure files.
      rejected: (input, reason) of each row that could not be used; such rows stand in none of the arrays.
    """

    ids: np.ndarray
    structures: tuple[Structure, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    split: np.ndarray | None
    source: str
    sha256: str
    rejected: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Listing:
    """What a source says before a structure is read; `structures()` gives one a row, or why there is none."""

    ids: Sequence[str | None]
    labels: Sequence[str | None]
    split: Sequence[str | None] | None
    structures: Callable[[], Sequence[Structure | str]]


def read_table(
    path: str | Path,
    *,
    label_column: str,
    classes: tuple[str, ...] = (),
    id_column: str = "material_id",
    require_labels: bool = True,
) -> Table:
    """Reads a table of crystals.

    Args:
      path: a parquet file with `id_column`, `lattice` (9 numbers a row, row-major, rows are the vectors,
        Angstrom), `atomic_numbers` (n), `frac_coords` (3n), `label_column` and perhaps `split`; or a folder
        with `id_prop.csv` (lines `id,label`, no header) and a structure file for each id: `<id>.cif`, or another
        kind that is read (`<id>.vasp`, `<id>.json`), or the id is the name of the file (`POSCAR-7`).
      label_column: where the label of a parquet row stands (a folder has only one).
      classes: the known labels, in order; empty: the sorted distinct labels of the usable rows.
      id_column: where the id of a parquet row stands.
      require_labels: False to predict: neither labels nor `split` are read, all labels are -1.

    Returns:
      the usable rows. One whose structure can't be read, or without an id or (where required) a label, is in
        `rejected`.

    Raises:
      InputError: before a structure is read: no such file, another kind of file, a missing column, no row,
        no label at all, labels not in `classes`, an id twice, a split that is neither 'train' nor 'test'. And
        where no row is usable.
    """
    source = Path(path)
    if not source.exists():
        raise InputError(
            f"{path}: no such file or folder; give a parquet table, or a folder with {ID_PROP} and structure files"
        )
    if source.suffix.lower() in _PICKLES:
        raise InputError(f"{path}: files that may hold pickled objects are never opened; give the table as parquet")
    if source.is_dir():
        listing = _list_folder(source, require_labels)
    else:
        listing = _list_parquet(open_parquet(source), label_column, id_column, require_labels)
    if not listing.ids:
        raise InputError(f"{path}: no row; give at least one labelled crystal per class")
    _check_ids(listing, source)
    if require_labels:
        where = f"{source / ID_PROP}" if source.is_dir() else f"{path}, column {label_column!r}"
        _check_labels(listing.labels, classes, where)
        _check_split(listing.split, source)
    return _usable(listing, source, classes, require_labels)


def _list_parquet(columns: ParquetColumns, label_column: str, id_column: str, require_labels: bool) -> _Listing:
    needed = [
        id_column,
        "lattice",
        "atomic_numbers",
        "frac_coords",
        *([label_column] if require_labels else []),
    ]
    for name in needed:
        if name not in columns.names:
            nearest = get_close_matches(name, columns.names, n=1, cutoff=0.4)
            raise InputError(
                f"{columns.path}: no column {name!r}; there are: {', '.join(columns.names)}."
                + (f" Did you mean {nearest[0]!r}?" if nearest else "")
                + (" Set config.data.label_column." if name == label_column else " Rename the column.")
            )
    has_split = require_labels and "split" in columns.names
    columns = columns.load([*needed, *(["split"] if has_split else [])])
    ids = columns.texts(id_column)
    labels = columns.texts(label_column) if require_labels else [None for _ in ids]
    return _Listing(ids, labels, columns.texts("split") if has_split else None, columns.structures)


def _list_folder(folder: Path, require_labels: bool) -> _Listing:
    listed = folder / ID_PROP
    if not listed.is_file():
        raise InputError(
            f"{folder}: no {ID_PROP} there; write a line 'id,label' for each file <id>.cif (or .vasp, .json), without "
            "a header (to classify files without labels: --mode=predict --inputs=FOLDER)"
        )
    try:
        with listed.open(encoding="utf-8-sig", newline="") as lines:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{listed}: cannot be read ({error}); give UTF-8 text, lines 'id,label'") from error
    ids = [row[0] or None for row in rows]
    labels = [(row[1] or None) if require_labels and len(row) > 1 else None for row in rows]
    return _Listing(ids, labels, None, lambda: _read_files(folder, ids))


def _read_files(folder: Path, ids: Sequence[str | None]) -> list[Structure | str]:
    files: dict[str, Path] = {}
    for file in sorted(_structure_files(folder), key=lambda file: (structure_kind(file) != "CIF", file.name)):
        files.setdefault(_without_suffix(file.name), file)
        files[file.name] = file
    return [_read_file(folder, name, files) for name in ids]


def _read_file(folder: Path, name: str | None, files: dict[str, Path]) -> Structure | str:
    # An id is the name of a file in this very folder, so that a table from elsewhere can't reach outside.
    if name is None or Path(name).name != name or "\\" in name or "\0" in name:
        return "the id is no file name: give the name of the structure file without folder and suffix"
    try:
        return read_structure(files.get(name, folder / f"{name}.cif"))
    except StructureError as error:
        return str(error)


def _structure_files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if structure_kind(file) and file.is_file()]


def _without_suffix(name: str) -> str:
    """'a.b' of 'a.b.cif' and 'a.b.CIF.gz'; what is no suffix of a structure stays."""
    return re.sub(rf"({'|'.join(map(re.escape, SUFFIXES))})(\.gz)?$", "", name, flags=re.IGNORECASE)


def _check_ids(listing: _Listing, source: Path) -> None:
    known = [name for name in listing.ids if name is not None]
    repeated = [name for name, count in Counter(known).items() if count > 1]
    if not repeated:
        return
    labels: dict[str, set[str]] = {name: set() for name in repeated}
    for name, label in zip(listing.ids, listing.labels, strict=True):
        if name in labels and label is not None:
            labels[name].add(label)
    torn = {name: f"{name} ({', '.join(sorted(found))})" for name, found in labels.items() if len(found) > 1}
    if torn:
        raise InputError(f"{source}: {len(torn)} ids have two labels: {_some(torn.values())}; keep the right one")
    raise InputError(f"{source}: {len(repeated)} ids stand more than once: {_some(repeated)}; keep one row an id")


def _check_labels(labels: Sequence[str | None], classes: tuple[str, ...], where: str) -> None:
    found = {label for label in labels if label is not None}
    if not found:
        raise InputError(f"{where}: no row has a label; training and scoring need one (config.data.label_column)")
    unknown = sorted(found.difference(classes)) if classes else []
    if unknown:
        raise InputError(
            f"{where}: {len(unknown)} unknown labels: {_some(map(repr, unknown))}; "
            f"known are {', '.join(map(repr, classes))}. "
            "Correct them, or set config.data.classes (a trained run knows only the classes of its training)"
        )


def _check_split(split: Sequence[str | None] | None, source: Path) -> None:
    wrong = {repr(part) for part in split or () if part not in _SPLITS}
    if wrong:
        raise InputError(
            f"{source}, column 'split': {_some(sorted(wrong))}; each row must say 'train' or 'test', or drop "
            "the column and the test rows are drawn by formula"
        )


def _usable(listing: _Listing, source: Path, classes: tuple[str, ...], require_labels: bool) -> Table:
    structures = listing.structures()
    rejected: list[tuple[str, str]] = []
    rows: list[int] = []
    for row, (name, label, structure) in enumerate(zip(listing.ids, listing.labels, structures, strict=True)):
        if name is None:
            rejected.append((f"row {row + 1}", "no id"))
        elif require_labels and label is None:
            rejected.append((name, "no label"))
        elif isinstance(structure, str):
            rejected.append((name, structure))
        else:
            rows.append(row)
    if not rows:
        first = "; ".join(f"{name}: {reason}" for name, reason in rejected[:3])
        raise InputError(f"{source}: none of its {len(rejected)} rows can be used ({first}); correct them")
    known = classes or tuple(sorted({label for row in rows if (label := listing.labels[row]) is not None}))
    index: dict[str | None, int] = {name: place for place, name in enumerate(known)}
    return Table(
        ids=np.array([listing.ids[row] for row in rows]),
        structures=tuple(found for row in rows if isinstance(found := structures[row], Structure)),
        labels=np.array([index.get(listing.labels[row], -1) for row in rows], dtype=np.int64),
        classes=known,
        split=None if listing.split is None else np.array([listing.split[row] for row in rows]),
        source=str(source),
        sha256=_sha256_of_folder(source) if source.is_dir() else _sha256(source),
        rejected=tuple(rejected),
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256_of_folder(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted([folder / ID_PROP, *_structure_files(folder)], key=lambda file: file.name):
        if file.is_file():
            total.update(f"{file.name}\0{_sha256(file)}\n".encode())
    return total.hexdigest()


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = len(listed) - _LISTED
    return ", ".join(listed[:_LISTED]) + (f" and {more} more" if more > 0 else "")

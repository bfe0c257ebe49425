"""A file of labels by Materials Project id: CSV with a header, JSON, or one JSON object a line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxboost.errors import InputError

ID_FIELDS = ("material_id", "mp_id")
CLASS_FIELDS = ("topology", "soc_topo_class")
WITHOUT_SOC_FIELDS = ("topology_without_soc", "nsoc_topo_class")
"""The name that a table of jaxboost has, then that of the Materiae database."""

LARGEST = 1 << 28  # bytes; the whole database has some 28,600 entries, of about 200 bytes each

_ID = re.compile(r"(mp|mvc)-[0-9]{1,10}")
_LISTED = 10  # of many names an error gives this many


@dataclass(frozen=True)
class Label:
    """What a source says of a material.

    Attributes:
      material_id: 'mp-' or 'mvc-' and a number.
      topology: the class with spin-orbit coupling, by the name that jaxboost has for it.
      topology_without_soc: the class without it, in the source's own words; None where it says nothing.
    """

    material_id: str
    topology: str
    topology_without_soc: str | None


@dataclass(frozen=True)
class LabelFile:
    """A file of labels as it was read.

    Attributes:
      path: as it was given; sha256: of its bytes, hex.
      rows: how many it has.
      labels: the usable ones, one an id, in the order of the file.
      rejected: (id, or 'row 7' where it has none; reason) of every other row.
    """

    path: str
    sha256: str
    rows: int
    labels: tuple[Label, ...]
    rejected: tuple[tuple[str, str], ...]


def read_labels(path: Path, aliases: Mapping[str, str], expect_sha256: str | None = None) -> LabelFile:
    """Reads a file of labels.

    Args:
      path: `.csv` with a header; `.json`, a list of objects or an object that holds one under 'materials', as the
        Materiae database answered; `.jsonl`, an object a line. Its fields are `ID_FIELDS`, `CLASS_FIELDS` and, if
        they are there, `WITHOUT_SOC_FIELDS`; others are left alone.
      aliases: what a source may call a class -> the class.
      expect_sha256: hex; what the file must be.

    Raises:
      InputError: no such file, another kind or sum, damaged, or without a field that is needed.
    """
    data = _bytes(path)
    found = hashlib.sha256(data).hexdigest()
    if expect_sha256 is not None and found != expect_sha256.strip().lower():
        raise InputError(f"{path}: its SHA-256 is {found}, not {expect_sha256}: this is another file, or a damaged one")
    rows = _rows(path, data)
    if not rows:
        raise InputError(f"{path}: no row; give a label for each material")
    names = {name for row in rows for name in row}
    fields = [_field(path, names, wanted) for wanted in (ID_FIELDS, CLASS_FIELDS)]
    without_soc = next((name for name in WITHOUT_SOC_FIELDS if name in names), None)
    labels: list[Label] = []
    rejected: list[tuple[str, str]] = []
    for number, row in enumerate(rows, start=1):
        name, source_class, other = (_text(row.get(field)) for field in (*fields, without_soc or ""))
        topology = None if source_class is None else aliases.get(source_class)
        if name is None or not _ID.fullmatch(name):
            rejected.append((name or f"row {number}", "no id of the Materials Project, as mp-149"))
        elif source_class is None:
            rejected.append((name, "no class with spin-orbit coupling"))
        elif topology is None:
            rejected.append((name, f"unknown class {source_class!r}; known are {', '.join(map(repr, aliases))}"))
        else:
            labels.append(Label(name, topology, other))
    labels, repeated = _once(labels)
    return LabelFile(str(path), found, len(rows), tuple(labels), (*rejected, *repeated))


def _once(labels: Iterable[Label]) -> tuple[list[Label], list[tuple[str, str]]]:
    """One label an id: the first of those that say the same, none of those that do not."""
    by_id: dict[str, list[Label]] = {}
    for label in labels:
        by_id.setdefault(label.material_id, []).append(label)
    kept: list[Label] = []
    rejected: list[tuple[str, str]] = []
    for name, listed in by_id.items():
        classes = sorted({label.topology for label in listed})
        if len(classes) > 1:
            rejected.append((name, f"listed {len(listed)} times with different classes: {', '.join(classes)}"))
            continue
        kept.append(listed[0])
        if len(listed) > 1:
            rejected.append((name, f"listed {len(listed)} times with one class: the first is kept"))
    return kept, rejected


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error}); give the file of labels") from error
    if len(data) > LARGEST:
        raise InputError(f"{path}: more than {LARGEST >> 20} MiB: no file of labels is that large")
    return data


def _rows(path: Path, data: bytes) -> list[Mapping[str, Any]]:
    parsers = {".csv": _csv_rows, ".json": _json_rows, ".jsonl": _json_lines}
    kind = path.suffix.lower()
    if kind not in parsers:
        raise InputError(f"{path}: labels are read from {', '.join(parsers)} files, by the end of their names")
    try:
        rows = parsers[kind](data.decode("utf-8-sig"))
    except (ValueError, RecursionError, csv.Error) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InputError(f"{path}: damaged, or no {kind[1:].upper()} ({error}); fetch or write it again") from error
    wrong = next((number for number, row in enumerate(rows, start=1) if not isinstance(row, Mapping)), None)
    if wrong is not None:
        raise InputError(f"{path}: entry {wrong} is no object with fields; give a list of objects, one a material")
    return rows


def _csv_rows(text: str) -> list[Any]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _json_rows(text: str) -> list[Any]:
    held = json.loads(text)
    if isinstance(held, Mapping) and "materials" in held:
        held = held["materials"]
    if not isinstance(held, list):
        raise ValueError("neither a list nor an object that holds one under 'materials'")
    return held


def _json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _field(path: Path, names: set[str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names:
            return name
    listed = ", ".join(sorted(map(str, names))[:_LISTED])
    hint = (
        ". The database's list of all materials gives its own ids alone: the mp_id stands in the entry of each material"
        if wanted == ID_FIELDS
        else ""
    )
    raise InputError(f"{path}: no field {' or '.join(map(repr, wanted))}; there are: {listed}{hint}")


def _text(value: Any) -> str | None:
    """Text without blanks around it; None for what is empty or no text."""
    return value.strip() or None if isinstance(value, str) else None

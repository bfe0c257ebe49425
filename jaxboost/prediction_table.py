"""What is said of each input of a prediction: the columns, and how they are written as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jaxboost.evaluation import Forecast, rules_of
from jaxboost.modalities.features import MODALITIES, Features

REJECTED = "rejected"


def prediction_schema(classes: Sequence[str], with_bands: bool) -> pa.Schema:
    """The columns of a prediction; `with_bands` where tight binding was asked for, which may leave a crystal out.

    What an input does not have is null: its `reason` where it is `ok`, everything from `formula` on where it is
    `rejected`, its `rule` where its electrons are not known.
    """
    names = [
        ("input", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("formula", pa.string()),
        ("space_group", pa.int16()),
        ("prediction", pa.string()),
        *((f"p_{name}", pa.float32()) for name in classes),
        ("uncertainty", pa.float32()),
        ("epistemic", pa.float32()),
        ("agreement", pa.float64()),
        ("rule", pa.string()),
        *((f"weight_{name}", pa.float32()) for name in MODALITIES),
        *([("without_bands", pa.string())] if with_bands else []),
    ]
    return pa.schema(names)


def prediction_columns(features: Features, forecast: Forecast, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """The columns from `formula` on, of the crystals that were scored."""
    return {
        "formula": features.formula,
        "space_group": features.space_group,
        "prediction": np.array(classes)[forecast.probabilities.argmax(-1)],
        **{f"p_{name}": forecast.probabilities[:, i] for i, name in enumerate(classes)},
        "uncertainty": forecast.uncertainty,
        "epistemic": forecast.epistemic,
        "agreement": forecast.agreement,
        "rule": np.array(rules_of(features, np.arange(len(features)))),
        **{f"weight_{name}": forecast.attention[:, i] for i, name in enumerate(MODALITIES)},
        "without_bands": features.band_reason,
    }


def prediction_table(
    schema: pa.Schema,
    names: Sequence[str],
    reasons: dict[int, str],
    rows: np.ndarray,
    scored: dict[str, np.ndarray],
) -> pa.Table:
    """One row an input, whatever happened to it.

    Args:
      schema: of `prediction_schema`.
      names: [n] of the inputs.
      reasons: input -> why it is rejected.
      rows: [m] which inputs were scored; scored: what was found of them, as `prediction_columns` gives it.
    """
    place = np.full(len(names), -1)
    place[rows] = np.arange(len(rows))
    # Take, with nulls where there is no place, is what lines the scored ones up with the others.
    index = pa.array(place, mask=place < 0)
    columns = {
        "input": pa.array(map(_printable, names), pa.string()),
        "status": pa.array([REJECTED if row in reasons else "ok" for row in range(len(names))]),
        "reason": pa.array(
            [_printable(reasons[row]) if row in reasons else None for row in range(len(names))], pa.string()
        ),
    }
    for field in schema:
        if field.name not in columns:
            values = scored.get(field.name, np.zeros(0))
            column = pa.array([value or None for value in values.tolist()]) if _is_text(field) else pa.array(values)
            columns[field.name] = column.cast(field.type).take(index)
    return pa.table(columns, schema=schema)


def _printable(text: str) -> str:
    """The same, unless it holds the name of a file that is no text."""
    return text.encode(errors="backslashreplace").decode()


def _is_text(field: pa.Field) -> bool:
    return pa.types.is_string(field.type)


def write_rows_as_csv(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Writes the rows of tables one after another (RFC 4180 quoting, a header, LF line ends); a null is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        for table in tables:
            writer.writerows(zip(*(_cells(column) for column in table.columns), strict=True))


def _cells(column: pa.ChunkedArray) -> Iterable[Any]:
    """None is an empty cell."""
    if not pa.types.is_floating(column.type):
        return column.to_pylist()
    # As numpy has them, since only it writes a 32-bit number with no more digits than it has.
    there = column.is_valid().to_numpy()
    return [value if ok else None for value, ok in zip(column.to_numpy(), there, strict=True)]

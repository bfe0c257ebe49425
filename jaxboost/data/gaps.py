"""Known gaps of a labelled table: targets of a fit and figures to compare with, never inputs."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from jaxboost.errors import InputError

_COLUMNS = ("material_id", "dft_band_gap_ev", "dft_total_magnetization")
_MAGNETIC = 0.1  # Bohr magnetons a cell: the gap of a magnetic crystal is not that of the bands without a moment


def known_gaps(path: Path, ids: list[str]) -> np.ndarray:
    """`[n]` eV by id, 0 for a metal, NaN where unknown or of a magnetic crystal.

    Raises:
      InputError: the table has no such columns.
    """
    missing = set(_COLUMNS) - set(pq.read_schema(path).names)
    if missing:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))}; gaps cannot be fitted or compared without")
    columns = pq.read_table(path, columns=list(_COLUMNS)).to_pydict()
    rows = zip(*(columns[name] for name in _COLUMNS), strict=True)
    gaps = {
        name: gap for name, gap, moment in rows if gap is not None and moment is not None and abs(moment) < _MAGNETIC
    }
    return np.array([gaps.get(name, np.nan) for name in ids])

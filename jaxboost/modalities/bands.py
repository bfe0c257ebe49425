"""Tight-binding bands of a crystal as features: one row a crystal, one a high-symmetry point, one a line.

All from `physics.band_structure`, so from the structure alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.errors import InputError
from jaxboost.modalities.band_rows import (
    BAND_COLUMNS,
    BAND_LINE_COLUMNS,
    BAND_POINT_COLUMNS,
    crystal_row,
    fermi_level,
    line_row,
    point_row,
)
from jaxboost.modalities.valence_bands import joined_points
from jaxboost.physics.band_structure import PathSettings, band_structure
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding import occupied_orbitals
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS, Parameters, check_elements

# Raise it whenever the columns change: only caches and checkpoints that hold bands are refused then.
VERSION = 4
# A crystal without bands gets the mean of every column, so one more tells it from an average one.
_NEAR_ZERO = ("gap", "level_", "centre", "spin_orbit_change")
ELECTRON_COLUMNS = ("bands_known", *BAND_COLUMNS)


@dataclass(frozen=True)
class BandSettings:
    """How much is computed for a crystal, by the number of orbitals in its primitive cell.

    Attributes:
      max_orbitals: up to here everything, with spin-orbit coupling.
      max_cheap_orbitals: up to here the TRIM alone without spin-orbit coupling; beyond, nothing.
      window: eV about the filling within which spin-orbit coupling is diagonalised.
      mesh: divisions of each reciprocal vector.
      parameters: a name in `tight_binding_elements.PARAMETER_SETS`.
    """

    max_orbitals: int = 300
    max_cheap_orbitals: int = 800
    window: float = 12.0
    mesh: int = 3
    parameters: str = "learned"


@dataclass(frozen=True)
class BandFeatures:
    """Features of one crystal.

    Attributes:
      row: `[len(BAND_COLUMNS)]` float32.
      points: `[points, len(BAND_POINT_COLUMNS)]` float32, as in `space_group(number).kpoints`.
      lines: `[lines, len(BAND_LINE_COLUMNS)]` float32, as in `space_group(number).lines`.
      reason: why all is NaN, or None.
    """

    row: np.ndarray
    points: np.ndarray
    lines: np.ndarray
    reason: str | None


def band_features(crystal: Crystal, parameters: Parameters, settings: BandSettings) -> BandFeatures:
    """The features of one crystal; one that tight binding cannot do has NaN everywhere and a reason."""
    group = space_group(crystal.space_group_number)
    row = np.full(len(BAND_COLUMNS), np.nan, np.float32)
    points = np.full((len(group.kpoints), len(BAND_POINT_COLUMNS)), np.nan, np.float32)
    lines = np.full((len(group.lines), len(BAND_LINE_COLUMNS)), np.nan, np.float32)
    try:
        bands = band_structure(crystal, parameters, path_settings(crystal, settings))
    except InputError as error:
        return BandFeatures(row, points, lines, str(error))
    fermi = fermi_level(bands)
    for i, point in enumerate(bands.points):
        if point is not None:
            changing = np.nan if bands.switching is None else float(bands.switching.changing[i])
            points[i] = point_row(point, bands.electrons, fermi, changing)
    for i, line in enumerate(bands.lines):
        lines[i] = line_row(line, bands.electrons)
    row[:] = crystal_row(crystal, bands, points, lines, fermi)
    return BandFeatures(row, points, lines, None)


def path_settings(crystal: Crystal, settings: BandSettings) -> PathSettings:
    """What is computed for a crystal of this size.

    Raises:
      InputError: it is too large, or holds an element that the table lacks.
    """
    check_elements(crystal.atomic_numbers)
    orbitals = int(occupied_orbitals(crystal.atomic_numbers).sum())
    if orbitals <= settings.max_orbitals:
        return PathSettings(window=settings.window, mesh=settings.mesh)
    if orbitals <= settings.max_cheap_orbitals:
        return PathSettings(window=0.0, mesh=0, lines=False)
    raise InputError(
        f"the primitive cell has {orbitals} orbitals and tight binding is computed up to {settings.max_cheap_orbitals}"
    )


def band_arrays(crystal: Crystal, settings: BandSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """The features of one crystal, as they stand behind the columns of `valence_bands`.

    Returns:
      [points, len(BAND_POINT_COLUMNS)]; [points, points, len(BAND_LINE_COLUMNS)], symmetric, for each joined pair the
      line that stands for it there (`joined_points`), zero where there is none; [len(ELECTRON_COLUMNS)]; why there
      are none, empty where they are. All float32, NaN where not computed.
    """
    found = band_features(crystal, PARAMETER_SETS[settings.parameters](), settings)
    p = len(found.points)
    own_lines = resolved(found.lines, BAND_LINE_COLUMNS)
    lines = np.zeros((p, p, len(BAND_LINE_COLUMNS)), np.float32)
    for i, j, line in joined_points(crystal.space_group_number):
        lines[i, j] = lines[j, i] = own_lines[line]
    row = np.concatenate([[np.float32(found.reason is None)], resolved(found.row, BAND_COLUMNS)])
    return resolved(found.points, BAND_POINT_COLUMNS), lines, row, found.reason or ""


def resolved(values: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """Energies that are read against zero, such as gaps, as `asinh(E / 0.1 eV)`.

    Whether a gap is 0 or 0.1 eV says more than whether it is 3 or 5, so a network should see it as well.
    """
    near_zero = [any(word in name for word in _NEAR_ZERO) for name in columns]
    return np.where(near_zero, np.arcsinh(values / 0.1), values).astype(np.float32)


def band_identity(settings: BandSettings) -> dict[str, Any]:
    """What the band features depend on besides the crystal: version, settings, and the figures of the elements."""
    parameters = PARAMETER_SETS[settings.parameters]()
    figures = hashlib.sha256(b"".join(np.float64(array).tobytes() for array in parameters))
    return {"version": VERSION, **asdict(settings), "parameters": figures.hexdigest()}

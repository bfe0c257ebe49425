"""The topological class that a band structure suggests by itself, without any learning."""

from collections.abc import Iterable

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_solver import LineBands
from jaxboost.physics.band_structure import BandStructure, PathSettings, solved_path
from jaxboost.physics.indices import InversionIndices
from jaxboost.physics.levels import DEGENERATE
from jaxboost.physics.switching import Switching
from jaxboost.physics.symmetry_indicators import RULE_CLASSES
from jaxboost.physics.tight_binding_elements import Parameters


def rule_class(bands: BandStructure) -> str:
    """One of `RULE_CLASSES`: a degeneracy at the filling, else a crossing, else an indicator, else trivial.

    Indicators are those of all representations where these are known, else of the parities.
    """
    levels = (point.levels for point in bands.points if point is not None)
    metal = _semimetal(levels, bands.lines, bands.electrons)
    return metal or _insulator(bands.switching, bands.indices)


def class_of(crystal: Crystal, parameters: Parameters, settings: PathSettings) -> str:
    """`rule_class` of the bands that these settings, with lines, give a crystal; what does not decide is not computed.

    Raises:
      InputError: as `band_structure`.
    """
    path = solved_path(crystal, parameters, settings)
    if metal := _semimetal(path.point_levels(), path.lines(), path.electrons):
        return metal
    switching = path.switching()
    return _insulator(switching, None if switching else path.indices(path.points())[0])


def is_nodal(line: LineBands, electrons: int) -> bool:
    """Whether the filling cuts a level in the middle: a degeneracy that symmetry puts on the whole line."""
    return _is_cut(line.levels, electrons)


def _semimetal(levels: Iterable[np.ndarray], lines: Iterable[LineBands], electrons: int) -> str:
    """'HSPSM' by the levels `[2m]` eV at points, 'HSLSM' by the lines, or neither: ''."""
    if any(_is_cut(here, electrons) for here in levels):
        return "HSPSM"
    return "HSLSM" if any(line.crossing or is_nodal(line, electrons) for line in lines) else ""


def _insulator(switching: Switching | None, indices: InversionIndices | None) -> str:
    if switching is not None:
        return RULE_CLASSES[switching.found]
    if indices is None:
        return "trivial"
    if indices.strong:
        return "TI"
    return "TCI" if indices.z4 or any(indices.weak) else "trivial"


def _is_cut(levels: np.ndarray, electrons: int) -> bool:
    return bool(levels[electrons] - levels[electrons - 1] < DEGENERATE)

"""The topological class that a band structure suggests by itself, without any learning."""

from jaxboost.physics.band_solver import LineBands
from jaxboost.physics.band_structure import BandStructure
from jaxboost.physics.levels import DEGENERATE
from jaxboost.physics.symmetry_indicators import RULE_CLASSES


def rule_class(bands: BandStructure) -> str:
    """One of `RULE_CLASSES`: a degeneracy at the filling, else a crossing, else an indicator, else trivial.

    Indicators are those of all representations where these are known, else of the parities.
    """
    n = bands.electrons
    if any(point is not None and point.levels[n] - point.levels[n - 1] < DEGENERATE for point in bands.points):
        return "HSPSM"
    if any(line.crossing or is_nodal(line, n) for line in bands.lines):
        return "HSLSM"
    if bands.switching is not None:
        return RULE_CLASSES[bands.switching.found]
    indices = bands.indices
    if indices is None:
        return "trivial"
    if indices.strong:
        return "TI"
    return "TCI" if indices.z4 or any(indices.weak) else "trivial"


def is_nodal(line: LineBands, electrons: int) -> bool:
    """Whether the filling cuts a level in the middle: a degeneracy that symmetry puts on the whole line."""
    return bool(line.levels[electrons] - line.levels[electrons - 1] < DEGENERATE)

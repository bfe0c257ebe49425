"""The topological class that a band structure suggests by itself, without any learning."""

from jaxboost.physics.band_solver import DEGENERATE, LineBands
from jaxboost.physics.band_structure import BandStructure

RULE_CLASSES = ("trivial", "TI", "TCI", "HSPSM", "HSLSM")
"""Insulator without an index, with a strong one, with any other; semimetal at a point, on a line."""


def rule_class(bands: BandStructure) -> str:
    """One of `RULE_CLASSES`: a degeneracy at the filling, else a crossing on a line, else an index, else trivial."""
    n = bands.electrons
    if any(point is not None and point.levels[n] - point.levels[n - 1] < DEGENERATE for point in bands.points):
        return "HSPSM"
    if any(line.crossing or is_nodal(line, n) for line in bands.lines):
        return "HSLSM"
    indices = bands.indices
    if indices is None:
        return "trivial"
    if indices.strong:
        return "TI"
    return "TCI" if indices.z4 or any(indices.weak) else "trivial"


def is_nodal(line: LineBands, electrons: int) -> bool:
    """Whether the filling cuts a level near an end: a degeneracy that symmetry puts on the whole line."""
    gaps = (line.levels[:, electrons] - line.levels[:, electrons - 1])[[0, 2]]
    return bool((gaps < DEGENERATE).any())

"""The k-points at which a crystal's bands tell most, and the lines between them that symmetry may put a crossing on."""

from dataclasses import dataclass

import numpy as np

from jaxboost.physics.orbital_symmetry import OrbitalSymmetry
from jaxboost.physics.space_groups import space_group

_GENERAL = 0.389  # of a line: a point that no operation keeps but those that keep the whole line


@dataclass(frozen=True)
class PathLine:
    """A line with compatibility relations.

    Attributes:
      line: index into `space_group(number).lines`.
      start, end: indices into `BandPath.kpoints`.
      reached: `[3]` the end as the line reaches it, a reciprocal lattice vector from the k-point that stands for it.
      operations: indices of those that keep the line.
    """

    line: int
    start: int
    end: int
    reached: np.ndarray
    operations: list[int]


@dataclass(frozen=True)
class BandPath:
    """The k-points of a crystal at which representations are looked at.

    Attributes:
      kpoints: `[k, 3]`; first those of `space_group(number).kpoints`, then ends of lines that are not among them.
      points: how many the first are.
      lines: those with compatibility relations.
    """

    kpoints: np.ndarray
    points: int
    lines: tuple[PathLine, ...]


def band_path(number: int, symmetry: OrbitalSymmetry) -> BandPath:
    """The k-points and lines of a crystal of a space group."""
    group = space_group(number)
    kpoints = [np.array(k.frac, float) for k in group.kpoints]
    lines = []
    for index, line in enumerate(group.lines):
        if not line.n_relations:
            continue
        start, reached = kpoints[line.i], np.array(line.end, float)
        stored = reached - np.rint(reached) * (np.abs(reached) > 1)
        known = [i for i, k in enumerate(kpoints) if np.abs(k - stored).max() < 1e-9]
        if not known:
            kpoints.append(stored)
        operations = symmetry.little_group(start + _GENERAL * (reached - start))
        lines.append(PathLine(index, line.i, known[0] if known else len(kpoints) - 1, reached, operations))
    return BandPath(np.array(kpoints), len(group.kpoints), tuple(lines))

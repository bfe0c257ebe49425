"""VASP's POSCAR and CONTCAR -> `Structure`, with one reason a file where that cannot be."""

import re
from collections.abc import Sequence

import numpy as np

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.elements import atomic_number
from jaxboost.crystal.structure import Structure

_LATTICE = slice(2, 5)
_NAMES = 5  # the line that names the elements, from VASP 5 on; before, their counts stand there


def parse_poscar(text: str) -> Structure:
    """The structure in the text of a POSCAR.

    The scale is one factor, the volume in Angstrom^3 where it is negative, or three factors along x, y and z. Places
    are direct or Cartesian, with or without selective dynamics; what follows them (velocities) is not read. Names are
    those of elements or of their potentials (`Na_pv`).

    Raises:
      StructureError: the text is cut short, a line holds what it may not, an unknown element, or no elements are
        named (VASP 4) and the comment of the first line does not name them either.
    """
    lines = text.splitlines()
    scale = _scale(_line(lines, 1, "the scale"))
    cell = np.array([_numbers(_line(lines, row, "a lattice vector"), row) for row in range(5)[_LATTICE]])
    lattice = _scaled(cell, scale)
    names, counts, row = _composition(lines)
    if _line(lines, row, "'Direct' or 'Cartesian'").lstrip()[:1].lower() == "s":
        row += 1
    mode = _line(lines, row, "'Direct' or 'Cartesian'").strip()
    if mode[:1].lower() not in ("d", "c", "k"):
        raise StructureError(f"line {row + 1} is {_shown(mode)}, expected 'Direct' or 'Cartesian'")
    places = lines[row + 1 : row + 1 + sum(counts)]
    if len(places) < sum(counts):
        raise StructureError(f"cut short: {sum(counts)} atoms are announced and {len(places)} lines follow")
    coords = np.array([_numbers(line, row + 1 + i) for i, line in enumerate(places)]).reshape(-1, 3)
    if mode[0].lower() != "d":
        coords = _direct(coords, cell)
    return Structure(lattice, coords, np.repeat([atomic_number(name) for name in names], counts).astype(np.int64))


def _line(lines: Sequence[str], row: int, what: str) -> str:
    if row >= len(lines):
        raise StructureError(f"cut short: line {row + 1} should be {what}, and there are {len(lines)}")
    return lines[row]


def _words(line: str) -> list[str]:
    """What stands before a comment."""
    return re.split(r"[!#]", line, maxsplit=1)[0].split()


def _scale(line: str) -> np.ndarray:
    """[1] or [3]."""
    found = []
    for word in _words(line)[:3]:
        try:
            found.append(_number(word))
        except ValueError:
            break  # VASP reads as many as there are
    scale = np.array(found if len(found) == 3 else found[:1])
    if not len(scale) or not np.isfinite(scale).all() or (scale == 0).any() or (len(scale) == 3 and scale.min() < 0):
        raise StructureError(
            f"line 2 is {_shown(line)}, expected the scale: a factor, minus the volume in Angstrom^3, or three factors"
        )
    return scale


def _scaled(cell: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The lattice, Angstrom."""
    if len(scale) == 3 or scale[0] > 0:
        return cell * scale
    volume = abs(np.linalg.det(cell))
    if not 0 < volume < np.inf:
        raise StructureError("its lattice vectors span no volume that could be scaled")
    return cell * (-scale[0] / volume) ** (1 / 3)


def _direct(coords: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Fractions of the cell; Cartesian places are scaled as it is, so that both can be taken unscaled."""
    if not abs(np.linalg.det(cell)) > 0:
        raise StructureError("its lattice vectors span no volume, so that Cartesian places mean nothing")
    return np.linalg.solve(cell.T, coords.T).T


def _composition(lines: Sequence[str]) -> tuple[list[str], list[int], int]:
    """Names of the elements, atoms of each, and the line after them."""
    words = _words(_line(lines, _NAMES, "the names of the elements"))
    if not words:
        raise StructureError(f"line {_NAMES + 1} is empty, expected the names of the elements")
    if _are_counts(words):
        names = _words(lines[0])
        if len(names) != len(words) or not all(map(_is_element, names)):
            raise StructureError(
                "no elements are named (VASP 4): write their names, as 'Na Cl', in a line of their own before that of "
                "their counts"
            )
        return names, [int(word) for word in words], _NAMES + 1
    counts = _words(_line(lines, _NAMES + 1, "the number of atoms of each element"))
    while counts and not _are_counts(counts):
        counts = counts[:-1]
    if len(counts) != len(words):
        raise StructureError(
            f"line {_NAMES + 1} names {len(words)} elements ({_shown(' '.join(words))}) and line {_NAMES + 2} has "
            f"{len(counts)} whole numbers for them"
        )
    return [re.split("[_/]", word)[0] for word in words], [int(word) for word in counts], _NAMES + 2


def _are_counts(words: Sequence[str]) -> bool:
    # No cell has a thousand million atoms, and int() of more digits than a few thousand is an error of its own.
    return all(re.fullmatch("[0-9]{1,9}", word) for word in words)


def _is_element(word: str) -> bool:
    try:
        atomic_number(word)
    except StructureError:
        return False
    return True


def _numbers(line: str, row: int) -> list[float]:
    """The first three numbers of a line."""
    try:
        found = [_number(word) for word in line.split()[:3]]
    except ValueError:
        found = []
    if len(found) < 3:
        raise StructureError(f"line {row + 1} is {_shown(line)}, expected three numbers")
    return found


def _number(word: str) -> float:
    return float(word.lower().replace("d", "e"))  # Fortran's 1.0d0


def _shown(line: str) -> str:
    return repr(line if len(line) <= 40 else f"{line[:40]}...")

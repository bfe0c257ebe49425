"""Crystals that tests write themselves: common prototypes, tables of them, and files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jaxboost.crystal import Structure

_CUBE = np.eye(3)
_FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
# Name -> cell in units of a, places as fractions of it; species by letter.
_PROTOTYPES = {
    "rocksalt": (_FCC, "AB", [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "zincblende": (_FCC, "AB", [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "diamond": (_FCC, "AA", [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "cscl": (_CUBE, "AB", [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "fluorite": (_FCC, "ABB", [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]),
    "perovskite": (
        _CUBE,
        "ABCCC",
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    ),
}
RUTILE = Structure(
    np.diag([4.59, 4.59, 2.96]),
    np.array(
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.305, 0.305, 0], [0.695, 0.695, 0], [0.195, 0.805, 0.5], [0.805, 0.195, 0.5]]
    ),
    np.array([22, 22, 8, 8, 8, 8]),
)


def prototype(name: str, elements: Sequence[int], a: float) -> Structure:
    """The primitive cell of a prototype with the given atomic numbers (species A, B, ...) and lattice constant `a`."""
    cell, species, coords = _PROTOTYPES[name]
    numbers = [elements["ABC".index(letter)] for letter in species]
    return Structure(a * cell, np.array(coords, float), np.array(numbers))


def write_parquet(path: Path, rows: Iterable[tuple[str, Structure]], columns: Mapping[str, Sequence[str]]) -> Path:
    """A table of (id, structure) with further columns, as `jaxboost.data.read_table` reads it."""
    rows = list(rows)
    table = {
        "material_id": [name for name, _ in rows],
        "lattice": [s.lattice.ravel().tolist() for _, s in rows],
        "atomic_numbers": [s.atomic_numbers.tolist() for _, s in rows],
        "frac_coords": [s.frac_coords.ravel().tolist() for _, s in rows],
    }
    pq.write_table(pa.table({**table, **{name: list(values) for name, values in columns.items()}}), path)
    return path


def write_cif(path: Path, structure: Structure, symbols: Sequence[str]) -> Path:
    """A CIF that lists the whole cell, one symbol an atom."""
    lengths = np.linalg.norm(structure.lattice, axis=1)
    unit = structure.lattice / lengths[:, None]
    angles = np.degrees(np.arccos([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]]))
    lines = ["data_crystal"]
    lines += [f"_cell_length_{axis} {length:.8f}" for axis, length in zip("abc", lengths, strict=True)]
    lines += [f"_cell_angle_{name} {angle:.8f}" for name, angle in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    lines += [
        f"{symbol}{i} {symbol} {x:.8f} {y:.8f} {z:.8f}"
        for i, (symbol, (x, y, z)) in enumerate(zip(symbols, structure.frac_coords, strict=True))
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


# Label -> prototypes with the pairs of elements that have it; 13 formulas each, no formula under two labels.
_TABLE = {
    "trivial": ("rocksalt", [(m, x) for m in (3, 11, 19, 37) for x in (9, 17, 35)] + [(12, 8)]),
    "insulator": ("zincblende", [(m, x) for m in (13, 31, 49) for x in (7, 15, 33, 51)] + [(30, 16)]),
    "semimetal": ("cscl", [(m, x) for m in (22, 26, 27, 28) for x in (13, 31, 49)] + [(95, 13)]),
}
LABELS = tuple(_TABLE)


def small_table(path: Path) -> Path:
    """A parquet table of 79 crystals of three classes, without a `split` column.

    Each formula stands there with two lattice constants. One row is no crystal (`broken`), one element (Am) has no
    count of valence electrons.
    """
    rows, labels = [], []
    for label, (name, pairs) in _TABLE.items():
        for i, pair in enumerate(pairs):
            for a in (4.2 + 0.1 * i, 4.5 + 0.1 * i):
                rows.append((f"{name}_{i}_{a:.1f}", prototype(name, pair, a)))
                labels.append(label)
    rows.append(("broken", Structure(4.0 * _CUBE, np.zeros((2, 3)), np.array([11, 17]))))
    labels.append("trivial")
    return write_parquet(path, rows, {"kind": labels})

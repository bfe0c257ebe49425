"""Inputs that nobody would send, thousands of them: each is used or refused with a reason, and none takes long.

    python -m benchmarks.fuzz --inputs=10000 [--seed=0]

Crystals (any lattice, 1 to 60 atoms, any species, a part of them hostile) are featurised; tables of such crystals, with
columns of wrong lengths and types, are read; valid CIF files, their bytes changed, are read and standardised. Anything
but a result or an `InputError` ends the program with the input's seed. Seconds are processor time; the program ends
where an input takes more than a minute by the clock. Needs hypothesis, as the tests do.
"""

import argparse
import faulthandler
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from jaxboost.crystal import Structure, make_crystal, read_structure
from jaxboost.data.materials import read_table
from jaxboost.data.parquet_rows import parquet_rows
from jaxboost.errors import InputError
from jaxboost.modalities import FeaturizerSettings
from jaxboost.modalities.featurize import featurize_one

ACCEPTED = "accepted"
SETTINGS = FeaturizerSettings(neighbors=8, cutoff=6.0)
CELLS = ("box", "triclinic", "needle", "flat", "tiny", "huge", "hostile")
PLACES = ("anywhere", "special", "crowded", "hostile")
_HOSTILE = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, -1e308, 5e-324, 1e16, -3.7])

_CELL = "_cell_length_a 5.64(2)\n_cell_length_b 5.64\n_cell_length_c {c}\n_cell_angle_alpha 90\n_cell_angle_beta 90.\n"
_SITES = (
    "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    "_atom_site_occupancy\nNa1 Na+ 0 0 0 1\nCl1 Cl- 0.5 0.5 0.5(1) 1.0\n"
)
_BONDS = "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_atom_site_label_2\nNa1 Cl1\n"
_SYMMETRY = (
    "_symmetry_space_group_name_H-M 'P 1'\n",
    "_space_group_name_H-M_alt 'F m -3 m'\n_space_group_IT_number 225\n",
    "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\n'-x, -y, -z'\n'x+1/2, y+1/2, z'\n'-x+1/2, -y+1/2, -z'\n",
    "_symmetry_Int_Tables_number 194\n_symmetry_space_group_name_H-M 'P 63/m m c'\n",
)
CIFS = tuple(
    f"data_{number}\n{_CELL.format(c=5.64 + number)}_cell_angle_gamma {120 if '194' in group else 90}\n{group}{_SITES}"
    f"{_BONDS if number % 2 else '# a comment'}\n".encode()
    for number, group in enumerate(_SYMMETRY)
)
"""Valid files."""
_TOKENS = (
    b"nan", b"inf", b"?", b".", b"-1", b"0", b"1e308", b"1e-300", b"999999999999", b"Qq", b"D", b"T", b"loop_",
    b"data_x",
    b"'", b'"', b"\n;\n", b"save_", b"_cell_length_a", b"\x00", b"\xff", b"x,y,z", b"1/0", b"(", b"#", b"$", b"[",
    b"stop_",
)  # fmt: skip


def draw_structure(number: int, atoms: int, cell: str, places: str) -> Structure:
    """A structure of `atoms` atoms; `cell` is one of `CELLS`, `places` one of `PLACES`."""
    rng = np.random.default_rng([number, atoms])
    lattice = np.diag(rng.uniform(3, 16, 3)) if cell == "box" else rng.normal(0, 5, (3, 3))
    if cell in ("triclinic", "box"):
        lattice *= np.sign(np.linalg.det(lattice))
    elif cell == "needle":
        lattice = rng.normal(0, 1, 3) + 10.0 ** rng.uniform(-6, 0) * lattice
    elif cell == "flat":
        lattice[2] = lattice[0] + 10.0 ** rng.uniform(-9, 0) * lattice[2]
    elif cell in ("tiny", "huge"):
        lattice *= 10.0 ** (rng.uniform(1, 6) * (1 if cell == "huge" else -1))
    elif cell == "hostile":
        lattice[tuple(rng.integers(0, 3, 2))] = rng.choice(_HOSTILE)
    coords = rng.uniform(-2, 3, (atoms, 3))
    numbers = rng.integers(1, 104, atoms)
    if places == "special":
        coords, numbers = np.round(coords * 4) / 4, rng.choice(numbers[:3], atoms)
    elif places == "crowded":
        coords *= 10.0 ** rng.uniform(-9, 0)
    elif places == "hostile":
        coords[rng.integers(atoms), rng.integers(3)] = rng.choice(_HOSTILE)
        numbers[rng.integers(atoms)] = rng.choice([-1, 0, 104, 2**62])
    return Structure(lattice, coords, numbers)


def draw_table(number: int, rows: int) -> pa.Table:
    """A table of `rows` crystals some of whose cells, or whole columns, are what they should not be."""
    rng = np.random.default_rng([number, rows])
    structures = [
        draw_structure(int(rng.integers(2**31)), int(rng.integers(1, 9)), "box", rng.choice(PLACES[:3]))
        for _ in range(rows)
    ]
    columns: dict[str, list] = {
        "material_id": [f"m{row}" for row in range(rows)],
        "lattice": [s.lattice.ravel().tolist() for s in structures],
        "atomic_numbers": [s.atomic_numbers.tolist() for s in structures],
        "frac_coords": [s.frac_coords.ravel().tolist() for s in structures],
        "topology": [str(rng.choice(["trivial", "TI"])) for _ in range(rows)],
    }
    for _ in range(rng.integers(0, 5)):
        name, row = str(rng.choice(list(columns))), int(rng.integers(rows))
        value = columns[name][row]
        change = rng.integers(5)
        if change == 0:
            columns[name][row] = None
        elif change == 1 and isinstance(value, list):
            columns[name][row] = value[:-1] if rng.random() < 0.5 else value + value
        elif change == 2 and isinstance(value, list):
            columns[name][row] = []
        elif change == 3:
            columns[name][row] = columns[name][0]
        elif name == "frac_coords" and isinstance(value, list) and value:
            value[0] = float(rng.choice(_HOSTILE))
    if rng.random() < 0.1:
        columns.pop(str(rng.choice(list(columns))))
    table = pa.table(columns)
    if rng.random() < 0.1:
        name = str(rng.choice(table.column_names))
        table = table.set_column(table.column_names.index(name), name, pa.array([rng.random() for _ in range(rows)]))
    return table


def draw_cif(number: int, changes: int) -> bytes:
    """A valid file after `changes` changes of its bytes, words or lines."""
    rng = np.random.default_rng([number, changes])
    text = bytearray(CIFS[rng.integers(len(CIFS))])
    for _ in range(changes):
        at, span = int(rng.integers(len(text) + 1)), int(rng.integers(1, 40))
        change = rng.integers(7)
        if change == 0 and text:
            text[at % len(text)] ^= 1 << int(rng.integers(8))
        elif change == 1:
            del text[at : at + span]
        elif change == 2:
            text[at:at] = text[at : at + span]
        elif change == 3:
            text[at:at] = _TOKENS[rng.integers(len(_TOKENS))]
        elif change == 4:
            words = list(re.finditer(rb"\S+", bytes(text)))
            if words:
                begin, end = words[rng.integers(len(words))].span()
                text[begin:end] = _TOKENS[rng.integers(len(_TOKENS))]
        elif change == 5:
            lines = bytes(text).split(b"\n")
            line = lines[rng.integers(len(lines))]
            lines[int(rng.integers(len(lines))) : 0] = [line] * int(rng.integers(1, 30))
            text = bytearray(b"\n".join(lines))
        elif rng.random() < 0.2:
            text = text[:at]
    return bytes(text)


def try_structure(structure: Structure) -> str:
    """`ACCEPTED`, or why it was refused; features of what is accepted are finite where they must be."""
    try:
        features = featurize_one(structure, SETTINGS)
    except InputError as error:
        return str(error)
    assert np.isfinite(features.points).all() or not features.mask[0, 3]
    assert not np.isnan(features.distance).any() and np.isfinite(features.direction).all()
    assert len(features) == 1 and features.mask[0, :3].all()
    return ACCEPTED


def try_table(table: pa.Table, path: Path) -> str:
    """`ACCEPTED`, or why a table written to `path` was refused; every row of it is used or has its reason."""
    pq.write_table(table, path)
    try:
        found = read_table(path, label_column="topology")
    except InputError as error:
        return str(error).replace(str(path), "table")
    assert len(found) + len(found.rejected) == table.num_rows and all(reason for _, reason in found.rejected)
    assert len(list(parquet_rows(str(path)).read())) == table.num_rows
    return ACCEPTED


def try_cif(content: bytes, path: Path) -> str:
    """`ACCEPTED`, or why a file of that content was refused."""
    path.write_bytes(content)
    try:
        make_crystal(read_structure(path))
    except InputError as error:
        return str(error).replace(str(path), "file")
    return ACCEPTED


_NUMBERS = st.integers(0, 2**32 - 1)
STRUCTURES = st.builds(
    draw_structure, _NUMBERS, st.integers(1, 60), st.sampled_from(CELLS[:2] * 4 + CELLS), st.sampled_from(PLACES)
)
TABLES = st.builds(draw_table, _NUMBERS, st.integers(1, 12))
CIF_BYTES = st.builds(draw_cif, _NUMBERS, st.integers(0, 8))


def kind_of(reason: str) -> str:
    """A reason without its figures and names, so that alike ones are counted together."""
    plain = re.sub(
        r"'[^']*'|\([^)]*\)|[-+]?\d[\d.,e+-]*", "_", re.sub(r"^(file|table)(: |, )", "", reason.splitlines()[0])
    )
    return re.split(r"[:;,]", plain)[0].strip()[:60]


def run(name: str, strategy: st.SearchStrategy, attempt: Callable[[object], str], inputs: int, start: int) -> None:
    """Tries as many inputs and prints what became of them."""
    outcomes: Counter[str] = Counter()
    slowest = 0.0

    @seed(start)
    @settings(
        max_examples=inputs, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def each(value: object) -> None:
        nonlocal slowest
        faulthandler.dump_traceback_later(60, exit=True)
        began = time.perf_counter()
        outcome = attempt(value)
        slowest = max(slowest, time.perf_counter() - began)
        faulthandler.cancel_dump_traceback_later()
        outcomes[outcome if outcome == ACCEPTED else kind_of(outcome)] += 1

    each()
    print(f"{name}: {outcomes.total():,} tried, {outcomes[ACCEPTED]:,} accepted, the slowest in {slowest:.2f} s")
    for reason, count in outcomes.most_common():
        if reason != ACCEPTED:
            print(f"  {count:>7,}  {reason}", flush=True)


def main() -> None:
    """Tries as many of each kind as asked for in all, a third each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    third = arguments.inputs // 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        run("CIF files", CIF_BYTES, lambda x: try_cif(x, path / "a.cif"), arguments.inputs - 2 * third, arguments.seed)
        run("tables", TABLES, lambda x: try_table(x, path / "a.parquet"), third, arguments.seed)
        run("crystals", STRUCTURES, try_structure, third, arguments.seed)


if __name__ == "__main__":
    main()

"""The element table: one array a property, indexed by atomic number."""

import gemmi
import numpy as np

from jaxboost.crystal.checks import MAX_ATOMIC_NUMBER, StructureError
from jaxboost.crystal.element_data import ELEMENT_ROWS

_ROWS = [row.split() for row in ELEMENT_ROWS.strip().splitlines()]

SYMBOLS: tuple[str, ...] = ("", *(row[0] for row in _ROWS))
"""Symbol by atomic number, 1 to 103; `SYMBOLS[0]` is empty."""

_ATOMIC_NUMBERS = {symbol: z for z, symbol in enumerate(SYMBOLS) if symbol} | {"D": 1, "T": 1}

_NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86)
_CAPACITIES = np.array([2, 6, 10, 14])

# Ground states that break Madelung's order: electrons in s, p, d, f beyond the noble-gas core (NIST).
_EXCEPTIONS = {
    "Cr": (1, 0, 5, 0), "Cu": (1, 0, 10, 0), "Nb": (1, 0, 4, 0), "Mo": (1, 0, 5, 0), "Ru": (1, 0, 7, 0),
    "Rh": (1, 0, 8, 0), "Pd": (0, 0, 10, 0), "Ag": (1, 0, 10, 0), "La": (2, 0, 1, 0), "Ce": (2, 0, 1, 1),
    "Gd": (2, 0, 1, 7), "Pt": (1, 0, 9, 14), "Au": (1, 0, 10, 14), "Ac": (2, 0, 1, 0), "Th": (2, 0, 2, 0),
    "Pa": (2, 0, 1, 2), "U": (2, 0, 1, 3), "Np": (2, 0, 1, 4), "Cm": (2, 0, 1, 7), "Lr": (2, 1, 0, 14),
}  # fmt: skip

# xi / Z^2 in eV of the outermost p shell, by group: the mean over the group of the measured fine-structure
# splittings (NIST): np doublets of groups 1 and 13 and of the ions of group 18, triplets of 2 and 12, ground
# terms of 14 to 17.
_P_SHELL = {
    1: 1.4e-5,
    2: 3.3e-5,
    12: 6.2e-5,
    13: 7.5e-5,
    14: 9.3e-5,
    15: 1.3e-4,
    16: 1.7e-4,
    17: 2.4e-4,
    18: 3.2e-4,
}


def atomic_number(symbol: str) -> int:
    """Atomic number of an element symbol ('Bi' -> 83; D and T are hydrogen).

    Raises:
      StructureError: no such element among the first 103.
    """
    if symbol not in _ATOMIC_NUMBERS:
        raise StructureError(
            f"unknown element {symbol!r}: expected one from H to {SYMBOLS[MAX_ATOMIC_NUMBER]}, such as 'Bi'"
        )
    return _ATOMIC_NUMBERS[symbol]


def _period(z: int) -> int:
    return sum(z > noble for noble in _NOBLE_GASES)


def _group(z: int) -> int:
    """1 to 18; all lanthanides and actinides stand in group 3."""
    period = _period(z)
    column = z - _NOBLE_GASES[period - 1]
    if z == 2:
        return 18
    if column <= 2:
        return column
    if period <= 3:
        return column + 10
    if period <= 5:
        return column
    return max(3, column - 14)


def _block(z: int) -> int:
    """0 to 3 for s, p, d, f; the f block is La to Yb and Ac to No."""
    group = _group(z)
    if group <= 2 or z == 2:
        return 0
    if group >= 13:
        return 1
    return 3 if group == 3 and _period(z) >= 6 and z not in (71, 103) else 2


def _configuration(z: int) -> tuple[int, int, int, int]:
    """Electrons in s, p, d, f beyond the noble-gas core, in the neutral atom's ground state.

    A filled d or f shell counts until the next noble gas closes it (gallium has 10 d electrons).
    """
    if SYMBOLS[z] in _EXCEPTIONS:
        return _EXCEPTIONS[SYMBOLS[z]]
    period = _period(z)
    remaining = z - _NOBLE_GASES[period - 1]
    counts = [0, 0, 0, 0]
    filling_order = [0] + [3] * (period >= 6) + [2] * (period >= 4) + [1] * (period >= 2)
    for shell in filling_order:
        counts[shell] = min(remaining, int(_CAPACITIES[shell]))
        remaining -= counts[shell]
    return counts[0], counts[1], counts[2], counts[3]


def _spin_orbit_strength(z: int) -> float:
    """xi in eV of the outermost p shell (groups 1, 2, 12 to 18), d shell (3 to 11) or f shell (f block).

    `xi = c Z^2` down a group: the valence electron feels the spin-orbit field next to the bare nucleus,
    where its density grows as Z (Landau and Lifshitz, Quantum Mechanics, paragraph 72). `c` grows along the
    period with the effective charge; it is set from free-atom splittings and meets them within about a third
    from the third row on (Si 0.018, Ge 0.095, Sn 0.23, Pb 0.63; Fe 0.050, Ru 0.14, Os 0.43; Ce3+ 0.08, Yb3+
    0.36 eV). An estimate for features; the second row's p shells come out up to a factor of two too small.
    """
    if _block(z) == 3:
        electrons = z - (57 if z < 89 else 89)
        return (2.0e-5 + 4.1e-6 * electrons) * z**2
    if _block(z) == 2 and _group(z) < 12:
        return 1.1e-5 * (_group(z) - 1.3) * z**2
    return _P_SHELL[_group(z)] * z**2


def _by_atomic_number(values: list[float]) -> np.ndarray:
    array = np.array([np.nan, *values], dtype=np.float64)
    array.setflags(write=False)
    return array


def _column(index: int) -> np.ndarray:
    return _by_atomic_number([np.nan if row[index] == "-" else float(row[index]) for row in _ROWS])


def _element_properties() -> dict[str, np.ndarray]:
    atomic_numbers = range(1, MAX_ATOMIC_NUMBER + 1)
    gemmi_elements = [gemmi.Element(z) for z in atomic_numbers]
    configurations = np.array([_configuration(z) for z in atomic_numbers])
    unfilled = np.where(configurations > 0, _CAPACITIES - configurations, 0)
    valence = _column(7)[1:]
    properties = {
        "atomic_number": _by_atomic_number(list(atomic_numbers)),
        "period": _by_atomic_number([_period(z) for z in atomic_numbers]),
        "group": _by_atomic_number([_group(z) for z in atomic_numbers]),
        "mendeleev_number": _column(6),
        "atomic_mass": _by_atomic_number([element.weight for element in gemmi_elements]),
        # gemmi keeps radii in single precision: rounding gives back the printed figure.
        "covalent_radius": _by_atomic_number([round(element.covalent_r, 2) for element in gemmi_elements]),
        "vdw_radius": _by_atomic_number([round(element.vdw_r, 2) for element in gemmi_elements]),
        "electronegativity": _column(1),
        "ionization_energy": _column(2),
        "electron_affinity": _column(3),
        "polarizability": _column(4),
        "melting_point": _column(5),
        "spin_orbit_strength": _by_atomic_number([_spin_orbit_strength(z) for z in atomic_numbers]),
        "valence_electrons": _by_atomic_number(np.nan_to_num(valence).tolist()),
        "known_valence": _by_atomic_number(np.isfinite(valence).astype(float).tolist()),
    }
    for shell, letter in enumerate("spdf"):
        properties[f"block_{letter}"] = _by_atomic_number([float(_block(z) == shell) for z in atomic_numbers])
        properties[f"valence_{letter}"] = _by_atomic_number(configurations[:, shell].tolist())
        properties[f"unfilled_{letter}"] = _by_atomic_number(unfilled[:, shell].tolist())
    return properties


ELEMENT_PROPERTIES: dict[str, np.ndarray] = _element_properties()
"""Property name -> read-only float64 `[104]`, indexed by atomic number, NaN at 0 and where unknown.

Radii in Angstrom (covalent: Cordero 2008; van der Waals: as gemmi tabulates), `atomic_mass` in u, energies
in eV, `polarizability` in Bohr^3, `melting_point` in K; sources in `element_data`. `valence_s` to
`valence_f` count the free atom's electrons beyond the noble-gas core, `unfilled_*` the holes of those shells
that are begun. `valence_electrons` is the table's own convention, 0 where `known_valence` is 0.
`spin_orbit_strength` is an estimate (`xi = c Z^2`).
"""

VALENCE_ELECTRONS: np.ndarray = np.nan_to_num(ELEMENT_PROPERTIES["valence_electrons"]).astype(np.int64)
"""`[104]` int64, by atomic number: electrons outside the frozen core; 0 beyond Pu (unknown) and at 0."""
VALENCE_ELECTRONS.setflags(write=False)

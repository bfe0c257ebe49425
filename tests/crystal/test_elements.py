from string import ascii_letters

import numpy as np
import pytest

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.elements import ELEMENT_PROPERTIES, SYMBOLS, VALENCE_ELECTRONS, atomic_number

NOBLE = np.array([2, 10, 18, 36, 54, 86])
MAY_BE_UNKNOWN = {"electron_affinity", "melting_point"}


def value(name: str, symbol: str) -> float:
    return float(ELEMENT_PROPERTIES[name][atomic_number(symbol)])


def down(name: str, symbols: str) -> np.ndarray:
    return np.array([value(name, symbol) for symbol in symbols.split()])


def test_symbols_and_numbers_are_inverse():
    assert [atomic_number(symbol) for symbol in SYMBOLS[1:]] == list(range(1, 104))
    assert (atomic_number("Bi"), atomic_number("W"), atomic_number("D"), atomic_number("Lr")) == (
        83,
        74,
        1,
        103,
    )
    for wrong in ("", "X", "bi", "Rf", "Qq"):
        with pytest.raises(StructureError, match="unknown element"):
            atomic_number(wrong)


def test_arrays_are_read_only_of_one_length_and_known():
    for name, array in ELEMENT_PROPERTIES.items():
        assert array.shape == (104,) and array.dtype == np.float64
        assert np.isnan(array[0])
        with pytest.raises(ValueError, match="read-only"):
            array[1] = 0.0
        if name not in MAY_BE_UNKNOWN:
            assert np.isfinite(array[1:95]).all(), name
    assert np.isfinite(ELEMENT_PROPERTIES["melting_point"][1:95]).sum() >= 91


def test_periods_groups_and_blocks():
    expected = {"H": (1, 1, "s"), "He": (1, 18, "s"), "Al": (3, 13, "p"), "Sc": (4, 3, "d"),
                "Zn": (4, 12, "d"),
                "I": (5, 17, "p"), "La": (6, 3, "f"), "Yb": (6, 3, "f"), "Lu": (6, 3, "d"), "Hf": (6, 4, "d"),
                "Bi": (6, 15, "p"), "Ra": (7, 2, "s"), "U": (7, 3, "f"), "Lr": (7, 3, "d")}  # fmt: skip
    for symbol, (period, group, block) in expected.items():
        assert (value("period", symbol), value("group", symbol)) == (period, group), symbol
        assert value(f"block_{block}", symbol) == 1.0
    blocks = sum(ELEMENT_PROPERTIES[f"block_{letter}"][1:] for letter in "spdf")
    np.testing.assert_array_equal(blocks, 1.0)
    assert [ELEMENT_PROPERTIES[f"block_{letter}"][1:].sum() for letter in "spdf"] == [14, 30, 31, 28]


@pytest.mark.parametrize(
    ("symbol", "spdf"),
    [("H", (1, 0, 0, 0)), ("C", (2, 2, 0, 0)), ("Cr", (1, 0, 5, 0)), ("Fe", (2, 0, 6, 0)),
     ("Ga", (2, 1, 10, 0)),
     ("Pd", (0, 0, 10, 0)), ("Xe", (2, 6, 10, 0)), ("La", (2, 0, 1, 0)), ("Ce", (2, 0, 1, 1)),
     ("Gd", (2, 0, 1, 7)),
     ("Eu", (2, 0, 0, 7)), ("W", (2, 0, 4, 14)), ("Au", (1, 0, 10, 14)), ("Bi", (2, 3, 10, 14)),
     ("U", (2, 0, 1, 3)), ("Pu", (2, 0, 0, 6))],
)  # fmt: skip
def test_ground_state_configurations(symbol, spdf):
    assert tuple(value(f"valence_{letter}", symbol) for letter in "spdf") == spdf
    for letter, count, capacity in zip("spdf", spdf, (2, 6, 10, 14), strict=True):
        assert value(f"unfilled_{letter}", symbol) == (capacity - count if count else 0)


def test_configurations_hold_every_electron_beyond_the_noble_gas_core():
    total = sum(ELEMENT_PROPERTIES[f"valence_{letter}"][1:] for letter in "spdf")
    z = np.arange(1, 104)
    core = np.array([max(NOBLE[n > NOBLE], default=0) for n in z])
    np.testing.assert_array_equal(total, z - core)


def test_valence_convention_of_the_labels():
    # As recovered from the labels; Po to Ra, which do not occur there, continue their columns.
    recovered = """
        H1 He2 Li3 Be4 B3 C4 N5 O6 F7 Ne8 Na7 Mg8 Al3 Si4 P5 S6 Cl7 Ar8 K9 Ca10 Sc11 Ti10 V11 Cr12
        Mn13 Fe14 Co9 Ni16 Cu17 Zn12 Ga13 Ge14 As5 Se6 Br7 Kr8 Rb9 Sr10 Y11 Zr12 Nb11 Mo12 Tc13 Ru14
        Rh15 Pd10 Ag11 Cd12 In13 Sn14 Sb5 Te6 I7 Xe8 Cs9 Ba10 La11 Ce12 Pr11 Nd11 Pm11 Sm11 Eu17
        Gd18 Tb9 Dy9 Ho9 Er9 Tm9 Yb8 Lu9 Hf10 Ta11 W12 Re13 Os14 Ir9 Pt10 Au11 Hg12 Tl13 Pb14 Bi5
        Po6 At7 Rn8 Fr9 Ra10 Ac11 Th12 Pa13 U14 Np15 Pu16"""
    expected = {word.rstrip("0123456789"): int(word.lstrip(ascii_letters)) for word in recovered.split()}
    assert {SYMBOLS[z]: VALENCE_ELECTRONS[z] for z in range(1, 95)} == expected
    known = ELEMENT_PROPERTIES["known_valence"]
    assert known[1:95].all() and not known[95:].any() and not VALENCE_ELECTRONS[95:].any()


def test_known_trends():
    assert (np.diff(down("electronegativity", "F Cl Br I")) < 0).all()
    assert int(np.nanargmax(ELEMENT_PROPERTIES["electron_affinity"])) == 17
    # Ionisation energy: noble gases are maxima, alkali metals minima of their neighbourhood.
    energy = ELEMENT_PROPERTIES["ionization_energy"]
    for z in NOBLE:
        assert energy[z] > energy[z - 1] and energy[z] > 2 * energy[z + 1]
        polarizability = ELEMENT_PROPERTIES["polarizability"]
        assert polarizability[z + 1] > 5 * polarizability[z]
    assert (np.diff(down("covalent_radius", "Li Na K Rb Cs")) > 0).all()
    assert (np.diff(down("covalent_radius", "La Ce Nd Sm Gd Tb Ho Er")) < 0).all()
    assert int(np.nanargmax(ELEMENT_PROPERTIES["melting_point"])) in (6, 74)
    assert sorted(ELEMENT_PROPERTIES["mendeleev_number"][1:]) == list(range(1, 104))
    assert down("mendeleev_number", "He Fe H").tolist() == [1, 61, 103]
    # Argon-potassium, cobalt-nickel, tellurium-iodine: the famous inversions, and no other up to bismuth.
    inverted = np.flatnonzero(np.diff(ELEMENT_PROPERTIES["atomic_mass"][1:84]) < 0) + 1
    assert inverted.tolist() == [18, 27, 52]


@pytest.mark.parametrize(
    "column",
    ["H Li Na K Rb Cs Fr", "Be Mg Ca Sr Ba Ra", "Sc Y Lu", "Ti Zr Hf", "Fe Ru Os", "Cu Ag Au", "Zn Cd Hg",
     "B Al Ga In Tl", "C Si Ge Sn Pb", "N P As Sb Bi", "O S Se Te Po", "F Cl Br I At", "Nd U", "Eu Am"],
)  # fmt: skip
def test_spin_orbit_strength_grows_down_a_group(column):
    assert (np.diff(down("spin_orbit_strength", column)) > 0).all()


@pytest.mark.parametrize(
    ("symbol", "levels"),
    # Energies above the ground level in cm^-1 (NIST) and the Lande interval rule: doublet (l + 1/2) xi.
    [("Al", 112.06 / 1.5), ("Ga", 826.19 / 1.5), ("In", 2212.60 / 1.5), ("Tl", 7792.7 / 1.5),
     ("Cl", 882.35 / 1.5),
     ("Br", 3685.24 / 1.5), ("I", 7602.98 / 1.5), ("Cu", 2042.86 / 2.5), ("Au", 12274.0 / 2.5),
     ("Cs", 554.04 / 1.5)],
)  # fmt: skip
def test_spin_orbit_strength_against_measured_doublets(symbol, levels):
    measured_ev = levels / 8065.54
    assert value("spin_orbit_strength", symbol) == pytest.approx(measured_ev, rel=0.4)

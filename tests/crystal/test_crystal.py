import logging
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.crystal import Crystal, Structure, make_crystal

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
HEXAGONAL = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 1]])

BISMUTH_SELENIDE = Structure(
    [[2.069, 1.194542, 9.546667], [-2.069, 1.194542, 9.546667], [0, -2.389075, 9.546667]],
    [[0.4008] * 3, [0.5992] * 3, [0.2117] * 3, [0.7883] * 3, [0, 0, 0]],
    [83, 83, 34, 34, 34],
)
QUARTZ = Structure(
    HEXAGONAL * [[4.913], [4.913], [5.405]],
    [[0.4697, 0, 2 / 3], [0, 0.4697, 1 / 3], [0.5303, 0.5303, 0],
     [0.4135, 0.2669, 0.7858], [-0.2669, 0.1466, 0.4525], [-0.1466, -0.4135, 0.1191],
     [0.2669, 0.4135, -0.7858], [0.1466, -0.2669, -0.4525], [-0.4135, -0.1466, -0.1191]],
    [14] * 3 + [8] * 6,
)  # fmt: skip
SULFIDE = Structure(  # no symmetry at all
    [[5.1, 0.2, 0.1], [0.4, 6.3, -0.3], [0.7, 0.9, 7.7]],
    [[0.1, 0.2, 0.3], [0.62, 0.55, 0.81], [0.33, 0.74, 0.09]],
    [26, 16, 29],
)
ROCKSALT = Structure(5.64 * FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
# number, site symmetry of each orbit with its multiplicity and element
KNOWN = {
    "rocksalt": (ROCKSALT, 225, {(11, "m-3m", 1), (17, "m-3m", 1)}),
    "diamond": (Structure(5.43 * FCC, [[0, 0, 0], [0.25] * 3], [14, 14]), 227, {(14, "-43m", 2)}),
    "zincblende": (
        Structure(5.65 * FCC, [[0, 0, 0], [0.25] * 3], [31, 33]), 216, {(31, "-43m", 1), (33, "-43m", 1)},
    ),
    "bcc": (Structure(2.87 * np.eye(3), [[0, 0, 0], [0.5] * 3], [26, 26]), 229, {(26, "m-3m", 1)}),
    "hcp": (
        Structure(HEXAGONAL * [[3.2], [3.2], [5.2]], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]], [12, 12]),
        194, {(12, "-6m2", 2)},
    ),
    "wurtzite": (
        Structure(
            HEXAGONAL * [[3.25], [3.25], [5.2]],
            [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.382], [2 / 3, 1 / 3, 0.882]],
            [30, 30, 8, 8],
        ),
        186, {(30, "3m", 2), (8, "3m", 2)},
    ),
    "perovskite": (
        Structure(4.0 * np.eye(3), [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
                  [56, 22, 8, 8, 8]),
        221, {(56, "m-3m", 1), (22, "m-3m", 1), (8, "4/mmm", 3)},
    ),
    "bismuth selenide": (BISMUTH_SELENIDE, 166, {(83, "3m", 2), (34, "3m", 2), (34, "-3m", 1)}),
    "quartz": (QUARTZ, 154, {(14, "2", 3), (8, "1", 6)}),
    "one of a kind": (SULFIDE, 1, {(26, "1", 1), (16, "1", 1), (29, "1", 1)}),
}  # fmt: skip

structures = st.sampled_from([entry[0] for entry in KNOWN.values()])
seeds = st.integers(0, 2**32 - 1)


def sites(crystal: Crystal) -> Counter:
    numbers = crystal.atomic_numbers[crystal.representatives].tolist()
    return Counter(zip(numbers, crystal.site_symmetry, crystal.multiplicities.tolist(), strict=True))


def distances(crystal: Crystal, count: int = 60) -> np.ndarray:
    """The shortest distances of every atom to others, images included, sorted: they do not know of cells."""
    shifts = np.array(list(product(range(-4, 5), repeat=3)))
    offsets = crystal.frac_coords[:, None, None] - crystal.frac_coords[None, :, None] + shifts
    lengths = np.linalg.norm(offsets @ crystal.lattice, axis=-1).reshape(crystal.n_atoms, -1)
    return np.sort(np.sort(lengths, axis=1)[:, 1:count].ravel())


def assert_same_matter(left: Crystal, right: Crystal) -> None:
    assert left.space_group_number == right.space_group_number
    assert left.n_atoms == right.n_atoms
    assert left.formula == right.formula
    assert sites(left) == sites(right)
    assert left.volume == pytest.approx(right.volume, rel=1e-9)
    np.testing.assert_allclose(distances(left), distances(right), atol=1e-6)


def integer_basis(rng: np.random.Generator, factor: int) -> np.ndarray:
    """A random `[3, 3]` integer matrix of determinant `factor`."""
    matrix = np.diag(rng.permutation([factor, 1, 1]))
    for _ in range(3):
        i, j = rng.choice(3, 2, replace=False)
        matrix[i] += rng.integers(-1, 2) * matrix[j]
    return matrix


def other_cell(structure: Structure, matrix: np.ndarray) -> Structure:
    """The same matter listed in the cell `matrix @ lattice`."""
    reach = int(np.abs(matrix).sum()) + 1
    shifts = np.array(list(product(range(-reach, reach + 1), repeat=3)))
    coords = (structure.frac_coords[:, None] + shifts).reshape(-1, 3) @ np.linalg.inv(matrix)
    inside = ((coords > -1e-6) & (coords < 1 - 1e-6)).all(axis=1)
    numbers = np.repeat(structure.atomic_numbers, len(shifts))
    return Structure(matrix @ structure.lattice, coords[inside], numbers[inside])


@pytest.mark.parametrize("name", KNOWN)
def test_known_crystals(name):
    structure, number, expected = KNOWN[name]
    crystal = make_crystal(structure, symprec=0.01)
    assert crystal.space_group_number == number
    assert sites(crystal) == Counter(expected)
    assert crystal.volume * len(structure.atomic_numbers) == pytest.approx(
        abs(np.linalg.det(structure.lattice)) * crystal.n_atoms, rel=1e-5
    )


@pytest.mark.parametrize("name", KNOWN)
def test_operations_map_the_crystal_onto_itself(name):
    crystal = make_crystal(KNOWN[name][0])
    metric = crystal.lattice @ crystal.lattice.T
    products = {(r.tobytes()) for r in crystal.rotations}
    for rotation, translation in zip(crystal.rotations, crystal.translations, strict=True):
        np.testing.assert_allclose(rotation.T @ metric @ rotation, metric, atol=1e-9)
        images = crystal.frac_coords @ rotation.T + translation
        offsets = images[:, None] - crystal.frac_coords
        lengths = np.linalg.norm((offsets - np.rint(offsets)) @ crystal.lattice, axis=-1)
        assert lengths.min(axis=1).max() < 1e-9
        # onto an atom of the same orbit, and every atom is hit once
        hit = lengths.argmin(axis=1)
        assert sorted(hit) == list(range(crystal.n_atoms))
        np.testing.assert_array_equal(crystal.orbits[hit], crystal.orbits)
        assert {(rotation @ r).tobytes() for r in crystal.rotations} == products


@pytest.mark.parametrize("name", KNOWN)
def test_fields_and_derived_figures_agree(name):
    crystal = make_crystal(KNOWN[name][0])
    assert np.linalg.det(crystal.lattice) > 0
    assert ((crystal.frac_coords >= 0) & (crystal.frac_coords < 1)).all()
    assert (np.diff(crystal.atomic_numbers) >= 0).all()
    assert crystal.n_orbits == len(crystal.wyckoff_letters) == len(crystal.site_symmetry)
    first_seen = list(dict.fromkeys(crystal.orbits.tolist()))
    assert first_seen == list(range(crystal.n_orbits))
    assert crystal.orbits[crystal.representatives].tolist() == first_seen
    assert crystal.multiplicities.sum() == crystal.n_atoms
    for name in ("lattice", "frac_coords", "atomic_numbers", "orbits", "rotations", "translations"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(crystal, name)[0] = 0


def test_formulas():
    formulas = {name: make_crystal(entry[0]).formula for name, entry in KNOWN.items()}
    assert formulas["bismuth selenide"] == "Bi2Se3"
    assert formulas["perovskite"] == "BaO3Ti"
    assert formulas["quartz"] == "O2Si"
    assert formulas["diamond"] == "Si"
    assert formulas["one of a kind"] == "CuFeS"


def test_wyckoff_letters():
    crystal = make_crystal(KNOWN["perovskite"][0])
    letters = dict(zip(crystal.atomic_numbers[crystal.representatives].tolist(), crystal.wyckoff_letters, strict=True))
    assert letters in ({8: "c", 22: "b", 56: "a"}, {8: "d", 22: "a", 56: "b"})  # the two choices of origin
    perovskite = KNOWN["perovskite"][0]
    reversed_order = Structure(perovskite.lattice, perovskite.frac_coords[::-1], perovskite.atomic_numbers[::-1])
    supercell = make_crystal(other_cell(reversed_order, np.diag([1, 2, 1])))
    assert supercell.wyckoff_letters in (("c", "b", "a"), ("d", "a", "b"))  # O, Ti, Ba
    assert make_crystal(BISMUTH_SELENIDE).wyckoff_letters in (
        ("a", "c", "c"),
        ("c", "a", "c"),
        ("c", "c", "a"),
    )


@settings(max_examples=40, deadline=None)
@given(structures, seeds, st.integers(1, 3))
def test_another_cell_is_the_same_crystal(structure, seed, factor):
    matrix = integer_basis(np.random.default_rng(seed), factor)
    assert_same_matter(make_crystal(other_cell(structure, matrix)), make_crystal(structure))


@settings(max_examples=40, deadline=None)
@given(structures, seeds)
def test_permutation_rotation_and_origin_do_not_matter(structure, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(structure.atomic_numbers))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    copy = Structure(
        structure.lattice @ rotation,
        structure.frac_coords[order] + rng.uniform(-3, 3, 3),
        structure.atomic_numbers[order],
    )
    assert_same_matter(make_crystal(copy), make_crystal(structure))


@settings(max_examples=20, deadline=None)
@given(structures, seeds)
def test_a_standardised_crystal_stays_what_it_is(structure, seed):
    crystal = make_crystal(structure)
    again = make_crystal(Structure(crystal.lattice, crystal.frac_coords, crystal.atomic_numbers))
    assert_same_matter(again, crystal)


def test_noise_below_the_tolerance_is_taken_out():
    noise = np.random.default_rng(0).normal(size=(2, 3)) * 1e-3
    noisy = Structure(ROCKSALT.lattice, ROCKSALT.frac_coords + noise, ROCKSALT.atomic_numbers)
    assert make_crystal(noisy).space_group_number == 225
    assert make_crystal(noisy, symprec=1e-4).space_group_number != 225


def test_a_different_crystal_is_told_apart():
    with pytest.raises(AssertionError):
        assert_same_matter(make_crystal(ROCKSALT), make_crystal(Structure(5.65 * FCC, ROCKSALT.frac_coords, [11, 17])))


def test_equality_and_hash_follow_the_content():
    crystal, same = make_crystal(BISMUTH_SELENIDE), make_crystal(BISMUTH_SELENIDE)
    assert crystal == same and hash(crystal) == hash(same) and len({crystal, same}) == 1
    assert len(crystal.content_hash) == 64
    other = Structure(BISMUTH_SELENIDE.lattice, BISMUTH_SELENIDE.frac_coords, [83, 83, 52, 52, 52])
    assert make_crystal(other) != crystal
    stretched = Structure(
        BISMUTH_SELENIDE.lattice * 1.001, BISMUTH_SELENIDE.frac_coords, BISMUTH_SELENIDE.atomic_numbers
    )
    assert make_crystal(stretched) != crystal
    assert crystal != "crystal"


def test_rounding_errors_do_not_change_the_hash():
    crystal = make_crystal(ROCKSALT)
    fields = {name: getattr(crystal, name) for name in crystal.__dataclass_fields__}
    fields["frac_coords"] = (crystal.frac_coords - 1e-12) % 1.0
    fields["lattice"] = np.where(crystal.lattice == 0, -0.0, crystal.lattice + 1e-12)
    assert Crystal(**fields) == crystal


def test_limits_on_atoms():
    doubled = other_cell(ROCKSALT, np.diag([2, 2, 2]))
    assert make_crystal(doubled, max_atoms=2).n_atoms == 2
    with pytest.raises(StructureError, match="primitive cell has 2 atoms"):
        make_crystal(doubled, max_atoms=1)
    with pytest.raises(StructureError, match="54 atoms are listed"):
        make_crystal(other_cell(ROCKSALT, np.diag([3, 3, 3])), max_atoms=2)


def test_bad_structures_are_refused_before_symmetry():
    with pytest.raises(StructureError, match="two atoms on one place"):
        make_crystal(Structure(np.eye(3) * 4, [[0, 0, 0], [0.01, 0, 0]], [11, 17]))


def test_one_atom_alone_is_a_crystal():
    crystal = make_crystal(Structure(np.eye(3) * 30, [[0.2, 0.3, 0.4]], [2]))
    assert (crystal.n_atoms, crystal.space_group_number, crystal.site_symmetry) == (1, 221, ("m-3m",))


def test_supercells_are_silent(caplog, capfd):
    with caplog.at_level(logging.DEBUG, logger="root"):
        make_crystal(other_cell(ROCKSALT, np.diag([2, 1, 1])))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")

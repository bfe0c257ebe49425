"""The bands of known crystals: which representations their shells hold, and what filling them means."""

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.modalities import valence_bands as module
from jaxboost.modalities.valence_bands import (
    CRYSTAL_COLUMNS,
    LINE_COLUMNS,
    POINT_COLUMNS,
    joined_points,
    site_representations_of_shell,
    valence_bands,
)
from jaxboost.physics.atomic_limit import fill_shells
from jaxboost.physics.band_representations import induced_multiplicities
from jaxboost.physics.corepresentations import corepresentations
from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.little_groups import operations
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.wyckoff import site_at, site_representations
from tests.crystals import prototype

U = 0.305
RUTILE = Structure(
    np.diag([4.59, 4.59, 2.96]),
    np.array([[0, 0, 0], [0.5, 0.5, 0.5], [U, U, 0], [-U, -U, 0], [0.5 + U, 0.5 - U, 0.5], [0.5 - U, 0.5 + U, 0.5]]),
    np.array([22, 22, 8, 8, 8, 8]),
)
MONOCLINIC = Structure(
    np.array([[5.1, 0, 0], [0, 6.3, 0], [-1.4, 0, 7.2]]),
    np.array([[0.1, 0.2, 0.3], [0.9, 0.7, 0.2], [0.9, 0.8, 0.7], [0.1, 0.3, 0.8]]),
    np.array([20, 20, 20, 20]),
)
HCP = Structure(
    3.2 * np.array([[1, 0, 0], [-0.5, 3**0.5 / 2, 0], [0, 0, (8 / 3) ** 0.5]]),
    np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    np.array([12, 12]),
)
# Space group 189, where K is no time-reversal-invariant point and the phases of lattice vectors are not all real.
TRIANGULAR = Structure(
    np.array([[6.0, 0, 0], [-3.0, 3.0 * 3**0.5, 0], [0, 0, 4.0]]),
    np.array([[0.25, 0, 0], [0, 0.25, 0], [0.75, 0.75, 0], [1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5], [0, 0, 0.5]]),
    np.array([8, 8, 8, 31, 31, 33]),
)
CRYSTALS = {
    "rocksalt": prototype("rocksalt", [12, 8], 4.2),
    "diamond": prototype("diamond", [14], 5.43),
    "perovskite": prototype("perovskite", [38, 22, 8], 3.9),
    "rutile": RUTILE,
    "hcp": HCP,
    "triangular": TRIANGULAR,
    "monoclinic": MONOCLINIC,
}


def _held(structure):
    crystal = make_crystal(structure)
    table, filling = corepresentations(crystal.space_group_number), fill_shells(crystal.atomic_numbers)
    return crystal, table, filling, table.multiplicities(module._shell_characters(crystal, table, filling))


def _row(structure) -> dict[str, float]:
    return dict(zip(CRYSTAL_COLUMNS, valence_bands(make_crystal(structure))[2].tolist(), strict=True))


@pytest.mark.parametrize("name", CRYSTALS)
def test_operations_are_those_of_the_table(name):
    """Characters are multiplied with projectors operation by operation: both must list the same ones."""
    crystal = make_crystal(CRYSTALS[name])
    ops = operations(crystal.space_group_number)
    np.testing.assert_array_equal(ops.rotations, crystal.rotations)
    np.testing.assert_allclose(ops.translations / 24, crystal.translations, atol=1e-9)


@pytest.mark.parametrize("name", CRYSTALS)
def test_every_point_and_line_holds_all_bands(name):
    _, table, filling, held = _held(CRYSTALS[name])
    assert (held >= 0).all()
    for place in range(table.place.max() + 1):
        here = table.place == place
        np.testing.assert_array_equal(table.dims[here] @ held[here], filling.capacities)


@pytest.mark.parametrize("name", ["rocksalt", "diamond", "perovskite", "hcp", "triangular"])
def test_shells_induce_what_their_site_representations_induce(name):
    """Label by label: the elementary rows of the site, as often as the site's representation is in the shell."""
    crystal, table, filling, held = _held(CRYSTALS[name])
    ops = operations(crystal.space_group_number)
    points = maximal_points(ops)
    small = tuple(at_point(ops, p) for p in points)
    at_points = table.place < len(points)
    for shell, found in zip(filling.shells, held[at_points].T, strict=True):
        expected = np.zeros_like(found)
        for orbit, atom in enumerate(crystal.representatives):
            if crystal.atomic_numbers[atom] != shell.atomic_number:
                continue
            site = site_at(ops, np.rint(24 * crystal.frac_coords[atom]).astype(int))
            assert site.multiplicity == crystal.multiplicities[orbit]
            rows, _ = induced_multiplicities(ops, (site,), points, small)
            parts = site_representations(ops, site).multiplicities(table.shells[shell.l][site.members])
            expected += parts @ rows
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CRYSTALS)
def test_lines_stand_where_their_ends_are(name):
    crystal, table, filling, held = _held(CRYSTALS[name])
    points, lines, _ = valence_bands(crystal)
    top = filling.highest
    following = min(top + 1, len(filling.shells) - 1)
    for i, j, index in joined_points(crystal.space_group_number):
        here = table.place == len(points) + index
        a, b = held[here, top].astype(float), held[here, following].astype(float)
        cosine = a @ b / np.sqrt(max(a @ a * (b @ b), 1e-12))
        assert lines[j, i, LINE_COLUMNS.index("frontier_alike")] == pytest.approx(cosine, abs=1e-6)
        assert lines[i, j, LINE_COLUMNS.index("kinds")] == pytest.approx((held[here].sum(1) > 0).mean(), abs=1e-6)


def test_magnesia_is_closed_and_every_point_is_filled_by_whole_representations():
    row = _row(CRYSTALS["rocksalt"])
    assert row["closed"] == 1 and row["highest_p"] == 1 and row["next_s"] == 1 and row["atomic_gap"] > 3
    assert row["excess_1"] == 0 and row["site_distance"] == 0 and row["atomic_insulator"] == 1
    points = valence_bands(make_crystal(CRYSTALS["rocksalt"]))[0]
    assert (points[:, POINT_COLUMNS.index("open_whole")] == 1).all()


def test_silicon_has_no_closed_shells_but_its_filling_is_allowed():
    row = _row(CRYSTALS["diamond"])
    assert row["closed"] == 0 and row["open_per_atom"] == 2 and row["open_share"] == pytest.approx(4 / 12)
    # p with spin in Td is a doublet and a quartet on each of two atoms: 4 + 8 bands, of which 4 electrons fill one.
    assert row["open_site_whole"] == 1 and row["open_site_ways"] == pytest.approx(np.log(2))
    assert row["atomic_insulator"] == 1
    # Two atoms with doublets and quartets: the dimensions are 4, 4 and 8.
    assert row["site_log_gcd"] == 2


def test_an_odd_electron_fills_nothing():
    points, lines, row = valence_bands(make_crystal(prototype("cscl", [11, 11], 4.2)))
    assert row[CRYSTAL_COLUMNS.index("open_site_whole")] == 0
    assert not points[:, POINT_COLUMNS.index("whole")].any()
    assert not lines[..., LINE_COLUMNS.index("open_whole")].any()


@pytest.mark.parametrize(
    ("symmetry", "l", "parts"),
    [
        ("m-3m", 0, [(2, 1)]),
        ("m-3m", 1, [(2, 1), (4, 1)]),
        ("m-3m", 2, [(2, 1), (4, 2)]),
        ("-3m", 1, [(2, 3)]),
        ("1", 2, [(2, 5)]),
        ("4/mmm", 1, [(2, 3)]),
    ],
)
def test_crystal_field_splitting(symmetry, l, parts):  # noqa: E741
    found = sorted(site_representations_of_shell(symmetry, l))
    assert found == parts


def test_crystals_of_one_group_with_other_orbits_or_elements_differ():
    salt = make_crystal(prototype("rocksalt", [12, 8], 4.2))
    other_element = make_crystal(prototype("rocksalt", [22, 8], 4.2))
    other_orbits = make_crystal(prototype("fluorite", [20, 9], 5.5))
    assert {c.space_group_number for c in (salt, other_element, other_orbits)} == {225}
    for other in (other_element, other_orbits):
        for mine, its in zip(valence_bands(salt), valence_bands(other), strict=True):
            assert np.abs(mine - its).max() > 1e-3


@pytest.mark.parametrize("name", CRYSTALS)
def test_origin_cell_order_and_rotation_do_not_matter(name):
    structure = CRYSTALS[name]
    rng = np.random.default_rng(5)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    change = np.array([[1, 1, 0], [0, 1, 0], [-1, 0, 1]])
    order = rng.permutation(len(structure.atomic_numbers))
    other = Structure(
        change @ structure.lattice @ (q * np.sign(np.linalg.det(q))),
        ((structure.frac_coords + rng.random(3)) @ np.linalg.inv(change))[order],
        structure.atomic_numbers[order],
    )
    mine, its = valence_bands(make_crystal(structure)), valence_bands(make_crystal(other))
    # An equivalent origin may swap points, lines with them.
    for a, b in zip(mine, its, strict=True):
        flat = [np.sort(x.reshape(-1, x.shape[-1]), axis=0) for x in (a, b)]
        np.testing.assert_allclose(*flat, atol=1e-5)
    np.testing.assert_allclose(mine[2], its[2], atol=1e-5)


def test_lines_are_symmetric_and_only_where_there_are_lines():
    for structure in CRYSTALS.values():
        crystal = make_crystal(structure)
        lines = valence_bands(crystal)[1]
        np.testing.assert_array_equal(lines, lines.swapaxes(0, 1))
        joined = {(i, j) for i, j, _ in joined_points(crystal.space_group_number)}
        for i in range(len(lines)):
            for j in range(i, len(lines)):
                assert lines[i, j].any() == ((i, j) in joined)


def test_one_line_for_each_joined_pair_in_every_group():
    for number in range(1, 231):
        pairs = joined_points(number)
        assert {(i, j) for i, j, _ in pairs} == {(w.i, w.j) for w in space_group(number).lines}


def test_unknown_electrons_are_not_zero_but_unknown():
    points, lines, row = valence_bands(make_crystal(prototype("cscl", [95, 13], 3.5)))
    assert np.isnan(points).all() and np.isnan(row).all()
    assert np.isnan(lines).any() and not np.isinf(lines).any()

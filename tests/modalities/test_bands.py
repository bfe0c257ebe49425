"""Band features: aligned with the groups' points and lines, and the same for the same matter."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxboost.crystal import Structure, make_crystal
from jaxboost.modalities.band_rows import BAND_COLUMNS, BAND_LINE_COLUMNS, BAND_POINT_COLUMNS
from jaxboost.modalities.bands import BandSettings, band_features
from jaxboost.physics.levels import freeing_neighbours
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import RUTILE, prototype

PARAMETERS = published_parameters()
SETTINGS = BandSettings()
# Beside cubic prototypes: a tetragonal cell with a screw, a rhombohedral one.
BISMUTH = Structure(
    np.array([[2.273, 1.312, 3.954], [-2.273, 1.312, 3.954], [0, -2.624, 3.954]]),
    np.array([[0.234, 0.234, 0.234], [0.766, 0.766, 0.766]]),
    np.array([83, 83]),
)


def _features(structure, settings=SETTINGS):
    return band_features(make_crystal(structure), PARAMETERS, settings)


def _value(features, name):
    return float(features.row[BAND_COLUMNS.index(name)])


def _described_anew(structure: Structure, seed: int) -> Structure:
    """Turned, shifted, with atoms in another order, in a cell twice as large with other vectors."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(rng=rng).as_matrix()
    basis = np.array([[1, 0, 1], [0, 1, 0], [-1, 0, 1]])
    coords = np.concatenate([structure.frac_coords, structure.frac_coords + [1, 0, 0]]) @ np.linalg.inv(basis)
    order = rng.permutation(len(coords))
    return Structure(
        basis @ structure.lattice @ turn.T,
        (coords + rng.random(3))[order],
        np.tile(structure.atomic_numbers, 2)[order],
    )


@pytest.mark.parametrize(
    "structure",
    [RUTILE, BISMUTH, prototype("zincblende", (80, 52), 6.46), prototype("rocksalt", (50, 52), 6.31),
     prototype("diamond", (50,), 6.49), prototype("fluorite", (78, 3), 6.2)],
)  # fmt: skip
def test_another_description_of_the_same_matter_changes_nothing(structure):
    before = _features(structure)
    for seed in range(2):
        after = _features(_described_anew(structure, seed))
        np.testing.assert_allclose(after.row, before.row, rtol=1e-5, atol=2e-5)
        gap = BAND_POINT_COLUMNS.index("gap")
        np.testing.assert_allclose(np.sort(after.points[:, gap]), np.sort(before.points[:, gap]), rtol=1e-5, atol=2e-5)


def test_arrays_are_aligned_with_the_space_group_and_named():
    features = _features(RUTILE)
    group = space_group(136)
    assert features.reason is None
    assert features.row.shape == (len(BAND_COLUMNS),) and features.row.dtype == np.float32
    assert features.points.shape == (len(group.kpoints), len(BAND_POINT_COLUMNS))
    assert features.lines.shape == (len(group.lines), len(BAND_LINE_COLUMNS))
    for columns in (BAND_COLUMNS, BAND_POINT_COLUMNS, BAND_LINE_COLUMNS):
        assert len(set(columns)) == len(columns)
    unknown = {name for name, value in zip(BAND_COLUMNS, features.row, strict=True) if not np.isfinite(value)}
    assert {name.split("_")[-1] for name in unknown} <= {"gap"}  # of a change that no two levels could make


def test_figures_agree_with_each_other():
    features = _features(prototype("rocksalt", (12, 8), 4.21))
    levels = features.points[:, BAND_POINT_COLUMNS.index("level_1")]
    gap = features.points[:, BAND_POINT_COLUMNS.index("gap")]
    np.testing.assert_allclose(2 * levels, gap, rtol=1e-5)
    assert _value(features, "smallest_direct_gap") <= gap.min()
    assert 0 < _value(features, "indirect_gap") <= _value(features, "smallest_direct_gap")
    assert _value(features, "electrons") == 8 and _value(features, "orbitals") == 8
    # Oxygen p below, magnesium s above.
    assert _value(features, "valence_gamma_p") > 0.9
    assert _value(features, "valence_gamma_atomic_number") < 9
    assert _value(features, "conduction_gamma_s") > 0.9
    assert _value(features, "rule_trivial") == 1


def test_edges_of_opposite_parity_at_a_trim_are_told_from_equal_ones():
    features = _features(prototype("rocksalt", (82, 52), 6.46))
    parity = features.points[:, BAND_POINT_COLUMNS.index("edge_parity")]
    gap = features.points[:, BAND_POINT_COLUMNS.index("gap")]
    # At L the edges are anion and cation p, opposite about either site; that gap is the one that can invert.
    at_l = [k.star_size for k in space_group(225).kpoints].index(4)
    assert parity[at_l] == pytest.approx(-1, abs=1e-3)
    assert _value(features, "inverting_gap") == pytest.approx(gap[at_l])
    # W is no TRIM.
    assert np.isnan(parity[[not k.is_trim for k in space_group(225).kpoints]]).all()


def test_a_cut_level_is_freed_by_the_neighbour_that_fits():
    levels = np.repeat([-3.0, -1.0, 0.0, 0.4, 2.0], [2, 2, 4, 2, 6])
    assert min(freeing_neighbours(levels, 6))[0] == pytest.approx(
        0.4
    )  # two of four filled: two states from above or from below
    assert not freeing_neighbours(levels, 7)  # one empty or three filled: no neighbour has so many
    assert freeing_neighbours(np.delete(levels, [8, 9]), 6) == [(pytest.approx(1.0), 3, 4)]


def test_grey_tin_is_cut_at_gamma_until_its_p_level_is_deep():
    tin = make_crystal(prototype("diamond", (50,), 6.49))
    rows = []
    for shift in (0.0, -4.0):
        level = PARAMETERS.level.copy()
        level[50, 1] += shift
        features = band_features(tin, PARAMETERS._replace(level=level), SETTINGS)
        rows.append({name: _value(features, name) for name in ("lifting_gap", "degenerating_gap", "gamma_gap")})
    cut, free = rows
    assert cut["lifting_gap"] > 0 and np.isnan(free["lifting_gap"])
    # Then a level of four is full, below one of two: to change places would cut it again.
    assert free["degenerating_gap"] == pytest.approx(free["gamma_gap"]) and free["gamma_gap"] > 0


def test_a_line_gets_its_crossing_when_the_gap_that_switches_it_has_closed():
    # Raising platinum's d level brings it, along the line from Gamma, through the empty level above.
    crystal = make_crystal(prototype("fluorite", (78, 3), 6.2))
    crossing, switching = (BAND_LINE_COLUMNS.index(name) for name in ("crossing", "switching_gap"))
    found = []
    for shift in (0.0, 1.5, 3.0, 4.5):
        level = PARAMETERS.level.copy()
        level[78, 2] += shift
        found.append(band_features(crystal, PARAMETERS._replace(level=level), SETTINGS))
    assert [features.lines[1, crossing] for features in found] == [0, 0, 0, 1]
    gaps = [features.lines[1, switching] for features in found]
    assert gaps[0] > gaps[1] > gaps[2] > 0 and gaps[2] < 0.2 < gaps[3]
    assert [np.isnan(_value(features, "uncrossing_gap")) for features in found] == [True, True, True, False]


def test_heavy_atoms_have_more_spin_orbit_splitting_and_bismuth_an_index():
    light, heavy = (_features(prototype("zincblende", pair, 6.0)) for pair in ((13, 15), (49, 83)))
    assert _value(heavy, "spin_orbit_change") > 10 * _value(light, "spin_orbit_change")
    bismuth = _features(BISMUTH)
    assert _value(bismuth, "degenerate_points") == 0 and _value(bismuth, "electrons") == 10
    assert np.isnan(_value(light, "z2")) and np.isfinite(_value(bismuth, "z2"))


def test_an_odd_number_of_electrons_is_degenerate_at_every_trim():
    features = _features(prototype("cscl", (13, 28), 2.9))  # 13 electrons
    assert _value(features, "odd_electrons") == 1 and _value(features, "rule_HSPSM") == 1
    trim = [k.is_trim for k in space_group(221).kpoints]
    assert (features.points[trim, BAND_POINT_COLUMNS.index("degenerate")] == 1).all()


def test_a_larger_cell_gets_a_cheaper_set_and_one_beyond_a_mask_with_its_reason():
    cheap = _features(RUTILE, BandSettings(max_orbitals=33))
    assert cheap.reason is None and _value(cheap, "spin_orbit") == 0 and _value(cheap, "orbitals") == 34
    assert np.isfinite(_value(cheap, "smallest_direct_gap")) and np.isnan(_value(cheap, "crossings"))
    assert np.isfinite(_value(cheap, "spinless_z2")) and np.isnan(_value(cheap, "z2"))
    assert np.isnan(_value(cheap, "rule_trivial"))
    masked = _features(RUTILE, BandSettings(max_orbitals=10, max_cheap_orbitals=33))
    assert "34 orbitals" in masked.reason
    assert np.isnan(masked.row).all() and np.isnan(masked.points).all() and np.isnan(masked.lines).all()


@pytest.mark.parametrize(
    "structure, reason",
    [(prototype("cscl", (95, 13), 3.8), "atomic number 95"), (prototype("cscl", (10, 2), 4.0), "all filled")],
)
def test_what_tight_binding_cannot_do_is_masked_with_its_reason(structure, reason):
    features = _features(structure)
    assert reason in features.reason and np.isnan(features.row).all()

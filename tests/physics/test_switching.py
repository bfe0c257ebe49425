"""Distances to other classes: gaps that are known to invert, and what a shift of one level does to them."""

import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.physics.band_rule import rule_class
from jaxboost.physics.band_structure import PathSettings, band_structure
from jaxboost.physics.level_representations import PointLevels
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.switching import SWITCHED_CLASSES, switching
from jaxboost.physics.symmetry_indicators import RULE_CLASSES, symmetry_indicators
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import prototype

PARAMETERS = published_parameters()
TELLURIDE = prototype("rocksalt", (50, 52), 6.318)


def _bands(structure, raised=0.0, element=50, shell=1):
    level = PARAMETERS.level.copy()
    level[element, shell] += raised
    return band_structure(make_crystal(structure), PARAMETERS._replace(level=level), PathSettings(mesh=0))


def _distance(found, name):
    return float(found.distances[SWITCHED_CLASSES.index(name)])


def test_tin_telluride_is_a_crystalline_insulator_until_its_gap_at_l_is_turned_round():
    """T. H. Hsieh et al., Nature Communications 3, 982 (2012); lead telluride is not one."""
    at_l = [k.star_size for k in space_group(225).kpoints].index(4)
    inverted, normal = _bands(TELLURIDE), _bands(TELLURIDE, raised=2.0)
    for bands in (normal, inverted):
        # Four L: the parities' strong index and Z4 see nothing.
        assert (bands.indices.strong, bands.indices.z4, any(bands.indices.weak)) == (0, 0, False)
    assert rule_class(normal) == "trivial" and rule_class(inverted) == "TCI"
    assert inverted.switching.order == 2 and normal.switching.order == 1
    n, at = normal.electrons, normal.points[at_l].levels
    assert _distance(normal.switching, "TCI") == pytest.approx(at[n] - at[n - 1]) == normal.switching.changing[at_l]
    assert _distance(inverted.switching, "trivial") > 0
    assert _distance(normal.switching, "trivial") == 0 == _distance(inverted.switching, "TCI")
    assert rule_class(_bands(prototype("rocksalt", (82, 52), 6.46))) == "trivial"


def test_the_distance_shrinks_with_the_gap_and_is_found_on_the_other_side():
    there = [_distance(_bands(TELLURIDE, raised=x).switching, "TCI") for x in (3.0, 2.5, 2.0, 1.5)]
    back = [_distance(_bands(TELLURIDE, raised=x).switching, "trivial") for x in (2.0, 1.5, 1.0, 0.5)]
    assert there[0] > there[1] > there[2] > 0 == there[3]
    assert 0 == back[0] < back[1] < back[2] < back[3]


def test_a_cut_level_is_a_semimetal_whose_distances_are_those_of_its_release():
    tin = prototype("diamond", (50,), 6.49)
    found = _bands(tin).switching
    assert RULE_CLASSES[found.found] == "HSPSM" and found.order == 0
    assert min(d for d in found.distances if np.isfinite(d)) > 0


def _two(energies, filled):
    """A point of P1 with levels of two states each."""
    n = len(energies)
    held = np.ones((n, 1), dtype=int)
    return PointLevels(np.array(energies), held, np.full(n, 2), np.array(filled), np.array([sum(filled) // 2]))


def test_where_all_levels_are_alike_nothing_can_change():
    points = space_group(1).kpoints
    levels = tuple(_two([-1.0, 0.5, 2.0], [2, 0, 0]) for _ in points)
    found = switching(levels, symmetry_indicators(1))
    assert RULE_CLASSES[found.found] == "trivial" and _distance(found, "trivial") == 0
    assert np.isnan(found.distances[1:]).all() and np.isnan(found.changing).all()


def test_a_filling_that_no_levels_add_up_to_has_no_distances():
    points = space_group(1).kpoints
    levels = tuple(_two([-1.0, 0.5], [2, 1]) for _ in points)
    found = switching(levels, symmetry_indicators(1))
    assert RULE_CLASSES[found.found] == "HSPSM" and np.isnan(found.distances).all()


def test_costs_of_two_points_are_added():
    """P-1, one Kramers pair to switch at every TRIM: one makes it strong, two leave it with another index or none."""
    gaps = np.array([0.3, 0.5, 1.1, 1.3, 1.7, 1.9, 2.3, 2.9])
    levels = tuple(
        PointLevels(np.array([0.0, gap]), np.eye(2, dtype=int), np.full(2, 2), np.array([2, 0]), np.array([1, 0]))
        for gap in gaps
    )
    found = switching(levels, symmetry_indicators(2))
    assert RULE_CLASSES[found.found] == "trivial"
    assert _distance(found, "TI") == pytest.approx(gaps[0])
    assert _distance(found, "TCI") == pytest.approx(gaps[0] + gaps[1])
    np.testing.assert_allclose(found.changing, gaps)

"""The shipped projectors: what their script computes, and co-representations as theory has them."""

import numpy as np
import pytest

from jaxboost.physics import little_groups
from jaxboost.physics.corepresentation_table import compute_corepresentations
from jaxboost.physics.corepresentations import corepresentations
from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.little_groups import operations, phases
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.wyckoff import induced_characters, maximal_sites, site_representations


@pytest.mark.parametrize("number", [1, 2, 14, 62, 82, 143, 166, 199, 220, 227])
def test_computed_anew(number):
    anew, shipped = compute_corepresentations(number), corepresentations(number)
    for name in ("kpoints", "place", "start", "dims"):
        np.testing.assert_array_equal(getattr(anew, name), getattr(shipped, name))
    np.testing.assert_allclose(anew.projectors, shipped.projectors, atol=1e-8)
    np.testing.assert_allclose(anew.shells, shipped.shells, atol=1e-8)


@pytest.mark.parametrize("number", [57, 61, 214, 220])
def test_the_order_in_which_irreps_are_found_changes_nothing(number, monkeypatch):
    """It is the rounding of a machine that decides it, and one of a pair that time reversal joins stands for both."""
    honest = little_groups.get_spacegroup_spinor_irreps_from_primitive_symmetry

    def reversed_irreps(*arguments, **keywords):
        irreps, *others = honest(*arguments, **keywords)
        return irreps[::-1], *others

    monkeypatch.setattr(little_groups, "get_spacegroup_spinor_irreps_from_primitive_symmetry", reversed_irreps)
    anew, shipped = compute_corepresentations(number), corepresentations(number)
    np.testing.assert_array_equal(anew.dims, shipped.dims)
    np.testing.assert_allclose(anew.projectors, shipped.projectors, atol=1e-8)


def test_dimensions_are_those_of_the_table_of_groups():
    for number in range(1, 231):
        group, table = space_group(number), corepresentations(number)
        places = (*group.kpoints, *group.lines)
        assert [tuple(sorted(table.dims[table.place == i])) for i in range(len(places))] == [p.dims for p in places]
        np.testing.assert_allclose(np.abs(table.projectors).max(1) > 0, True)


@pytest.mark.parametrize("number", [14, 62, 136, 167, 194, 220, 225, 227])
def test_elementary_band_representations_have_the_multiplicities_of_induction(number):
    """The whole path from a site's representation, against `Representations.multiplicities`, point by point."""
    ops, table = operations(number), corepresentations(number)
    points = maximal_points(ops)
    everywhere = np.arange(ops.order)
    for site in maximal_sites(ops):
        orbitals = site_representations(ops, site)
        characters = np.array([induced_characters(site, orbitals, everywhere, p.frac) for p in points])
        held = table.multiplicities(characters)
        for i, point in enumerate(points):
            expected = at_point(ops, point).multiplicities(characters[i][:, point.members])
            np.testing.assert_array_equal(held[table.place == i], expected.T)
        assert (
            table.dims[table.place == 0] @ held[table.place == 0] == site.multiplicity * np.array(orbitals.dims)
        ).all()


@pytest.mark.parametrize("number", [14, 62, 176, 194, 216, 227])
def test_a_line_holds_the_same_from_either_end(number):
    """The compatibility relations: a band representation becomes the same on the line from whichever end."""
    ops, table, group = operations(number), corepresentations(number), space_group(number)
    for site in maximal_sites(ops):
        orbitals = site_representations(ops, site)

        def at(k, site=site, orbitals=orbitals):
            return induced_characters(site, orbitals, np.arange(ops.order), np.array(k))

        held = table.multiplicities(np.array([at(k.frac) for k in group.kpoints]))
        bands = site.multiplicity * np.array(orbitals.dims)
        for index, line in enumerate(group.lines):
            rows = table.place == len(group.kpoints) + index
            assert (table.dims[rows] @ held[rows] == bands).all()
            back = phases(np.array(group.kpoints[line.i].frac) - np.array(line.end), ops.translations)
            from_end = at(line.end) @ (table.projectors[rows] * back).T
            np.testing.assert_allclose(from_end.T, held[rows], atol=1e-6)


def test_spin_one_half_at_gamma_is_one_corepresentation():
    table = corepresentations(225)
    s, p = (table.multiplicities(np.tile(table.shells[l], (4, 1, 1)))[table.place == 0, 0] for l in (0, 1))  # noqa: E741
    assert sorted(s) == [0, 0, 0, 0, 0, 1] and sorted(p) == [0, 0, 0, 0, 1, 1]
    assert sorted(table.dims[table.place == 0][p > 0]) == [2, 4]


def test_characters_of_no_representation_are_refused():
    table = corepresentations(225)
    with pytest.raises(ArithmeticError, match="non-negative integers"):
        table.multiplicities(np.tile(table.shells[0] / 2, (4, 1, 1)))
    with pytest.raises(ArithmeticError, match="non-negative integers"):
        table.multiplicities(np.tile(-table.shells[0], (4, 1, 1)))

"""Induced band representations: what they hold at Gamma is known without any table."""

import numpy as np
import pytest

from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.little_groups import operations
from jaxboost.physics.wyckoff import induced_characters, maximal_sites, site_representations


@pytest.mark.parametrize("number", [47, 75, 166, 225])
def test_a_site_with_the_whole_point_group_induces_its_own_representation_at_gamma(number):
    ops = operations(number)
    gamma = maximal_points(ops)[0]
    for site in (s for s in maximal_sites(ops) if s.multiplicity == 1):
        orbitals = site_representations(ops, site)
        found = induced_characters(site, orbitals, gamma.members, np.zeros(3))
        counts = at_point(ops, gamma).multiplicities(found)
        assert (counts.sum(axis=1) == 1).all() and (counts.sum(axis=0) == 1).all()


@pytest.mark.parametrize("number", [19, 62, 138, 199, 220, 227, 230])
def test_bands_are_conserved_and_counts_are_integers(number):
    ops = operations(number)
    for point in maximal_points(ops):
        small = at_point(ops, point)
        for site in maximal_sites(ops):
            orbitals = site_representations(ops, site)
            assert site.multiplicity * len(site.members) == ops.order
            counts = small.multiplicities(induced_characters(site, orbitals, point.members, point.frac))
            assert (counts @ small.dims == site.multiplicity * np.array(orbitals.dims)).all()


def test_the_phase_of_the_lattice_vectors_matters():
    # Two inversion centres of P-1 differ by the parity at the zone boundary, and by nothing at Gamma.
    ops = operations(2)
    gamma, edge = maximal_points(ops)[:2]
    parities = []
    for site in maximal_sites(ops):
        orbitals = site_representations(ops, site)
        order = np.argsort(orbitals.corep_characters()[:, 1].real)
        at = [induced_characters(site, orbitals, p.members, p.frac)[order, 1].real for p in (gamma, edge)]
        assert np.allclose(at[0], [-2, 2])
        parities.append(round(float(at[1][0])))
    assert sorted(parities) == [-2] * 4 + [2] * 4

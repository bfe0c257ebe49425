"""The index of a fourfold rotoinversion: momenta, known insulators, and agreement with parities."""

import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.physics.four_fold import four_fold_index, four_fold_momenta, rotoinversion
from jaxboost.physics.orbital_symmetry import orbital_symmetry
from jaxboost.physics.tight_binding import make_model
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import prototype


def index_of(name, elements, a, spin_orbit=1.0):
    crystal = make_crystal(prototype(name, elements, a))
    parameters = published_parameters()
    parameters = parameters._replace(spin_orbit=parameters.spin_orbit * spin_orbit)
    return four_fold_index(crystal, make_model(crystal, parameters), 12.0)


@pytest.mark.parametrize("name", ["zincblende", "cscl"])
def test_there_are_four_momenta(name):
    crystal = make_crystal(prototype(name, (31, 33), 5.65))
    reciprocal = orbital_symmetry(crystal).reciprocal[rotoinversion(crystal)]
    momenta = four_fold_momenta(reciprocal)
    assert momenta.shape == (4, 3) and not momenta[0].any()
    moved = momenta @ reciprocal.T - momenta
    np.testing.assert_allclose(moved, np.rint(moved), atol=1e-12)


@pytest.mark.parametrize(
    ("description", "odd"),
    [
        (("zincblende", (31, 33), 5.65), False),  # GaAs
        (("zincblende", (30, 16), 5.41), False),  # ZnS
        (("rocksalt", (12, 8), 4.21), False),  # MgO
        (("fluorite", (78, 3), 6.2), True),  # a strong insulator by its parities: tests/physics/test_band_structure.py
    ],
)
def test_known_insulators(description, odd):
    assert index_of(*description) % 2 == odd


def test_there_is_none_in_a_metal_or_without_the_operation():
    assert index_of("cscl", (11, 12), 3.6) is None  # an odd number of electrons
    assert index_of("diamond", (50,), 6.49) is None  # a level at the filling
    crystal = make_crystal(prototype("cscl", (55, 17), 4.1))
    assert rotoinversion(crystal) is not None

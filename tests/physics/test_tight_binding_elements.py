"""The table of valence shells."""

import numpy as np
import pytest

from jaxboost.crystal.elements import VALENCE_ELECTRONS, atomic_number
from jaxboost.errors import InputError
from jaxboost.physics.tight_binding_elements import (
    basis_electrons,
    check_elements,
    published_parameters,
    quantum_numbers,
)


def test_all_elements_to_plutonium_are_there_and_no_other():
    np.testing.assert_array_equal(np.flatnonzero(basis_electrons()), np.arange(1, 95))


def test_electrons_have_the_parity_of_the_valence_count_and_fit_into_the_shells():
    z = np.arange(1, 95)
    np.testing.assert_array_equal(basis_electrons()[z] % 2, VALENCE_ELECTRONS[z] % 2)
    capacity = (quantum_numbers()[z] > 0) @ np.array([2, 6, 10])
    assert (basis_electrons()[z] <= capacity).all()


def test_shells_have_a_node_count_a_level_and_a_reach():
    n, parameters = quantum_numbers(), published_parameters()
    there = n > 0
    assert (n[there] > np.broadcast_to(np.arange(3), n.shape)[there]).all()
    assert (parameters.level[there] < 0.1).all() and (parameters.level[~there] == 0).all()
    assert (parameters.exponent[there] >= 0.7).all() and (parameters.exponent[there] < 4).all()


@pytest.mark.parametrize(
    "symbol, shell, spread_per_cm, share",
    [("Al", 1, 112.06, 1.5), ("Br", 1, 3685.24, 1.5), ("Tl", 1, 7792.7, 1.5), ("Cs", 1, 554.04, 1.5),
     ("Cu", 2, 2042.86, 2.5), ("Au", 2, 12274.0, 2.5), ("La", 2, 1053.16, 2.5)],
)  # fmt: skip
def test_spin_orbit_strengths_are_those_of_measured_doublets(symbol, shell, spread_per_cm, share):
    strength = published_parameters().spin_orbit[atomic_number(symbol), shell]
    assert strength == pytest.approx(spread_per_cm * 1.239842e-4 / share, rel=5e-3)


def test_spin_orbit_strength_grows_down_a_column():
    strength = published_parameters().spin_orbit
    for column in (("C", "Si", "Ge", "Sn", "Pb"), ("N", "P", "As", "Sb", "Bi"), ("O", "S", "Se", "Te", "Po")):
        assert (np.diff(strength[[atomic_number(symbol) for symbol in column], 1]) > 0).all()


@pytest.mark.parametrize("z", [0, 95, 103, 150])
def test_an_element_beyond_the_table_is_named(z):
    with pytest.raises(InputError, match=f"atomic number {z}"):
        check_elements(np.array([8, z]))

"""Indices of models whose phases are known."""

import numpy as np
import pytest

from jaxboost.errors import InputError
from jaxboost.physics.indices import TRIM, has_crossing, inversion_indices, odd_states, parity_indices, star_phases
from jaxboost.physics.orbitals import PAULI


def _cubic(mass):
    """sum_i sin k_i tau_x sigma_i + (m - sum_i cos k_i) tau_z: a lattice Dirac equation; the inversion is tau_z."""
    gammas = [np.kron(PAULI[0], sigma) for sigma in PAULI]
    inversion = np.kron(PAULI[2], np.eye(2))

    def hamiltonian(k):
        kinetic = sum(np.sin(2 * np.pi * k_i) * gamma for k_i, gamma in zip(k, gammas, strict=True))
        return kinetic + (mass - np.cos(2 * np.pi * k).sum()) * inversion

    return hamiltonian, lambda k: inversion


@pytest.mark.parametrize(
    "mass, strong, weak",
    [(2.0, 1, (0, 0, 0)), (-2.0, 1, (1, 1, 1)), (0.5, 0, (1, 1, 1)), (-0.5, 0, (1, 1, 1)), (3.5, 0, (0, 0, 0)),
     (-3.5, 0, (0, 0, 0))],
)  # fmt: skip
def test_the_cubic_model_is_strong_weak_or_trivial_by_its_mass(mass, strong, weak):
    indices = parity_indices(*_cubic(mass), 2)
    assert (indices.strong, indices.weak) == (strong, weak)
    assert indices.z4 % 2 == strong


def test_at_the_transition_of_the_cubic_model_there_is_no_index():
    assert parity_indices(*_cubic(3.0), 2) is None


def _fu_kane_mele(ratio):
    """Electrons on the diamond lattice with spin-orbit coupling, one of the four bonds `ratio` times as strong.

    Fu, Kane, Mele, Phys. Rev. Lett. 98, 106803 (2007); sites A at 0 and B at a quarter of the diagonal, the special
    bond within the cell, inversion about its middle.
    """
    lattice = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    offset = np.ones(3) / 4
    cells = np.array([[0, 0, 0], [-1, 0, 0], [0, -1, 0], [0, 0, -1]])
    bonds = cells @ lattice + offset
    strengths = np.array([ratio, 1, 1, 1])

    def hamiltonian(k):
        phase = np.exp(2j * np.pi * cells @ k)
        result = np.zeros((2, 2, 2, 2), complex)  # site, spin, site, spin
        result[0, :, 1, :] = (strengths @ phase) * np.eye(2)
        result[1, :, 0, :] = result[0, :, 1, :].conj().T
        for i in range(4):
            for j in range(4):
                if i != j:  # A to B along bond i, back to another A against bond j
                    spin = np.einsum("i,ist->st", np.cross(bonds[i], -bonds[j]), PAULI)
                    hop = 1j * 0.5 * spin * np.exp(2j * np.pi * (cells[i] - cells[j]) @ k)
                    result[0, :, 0, :] += hop
                    result[1, :, 1, :] -= hop
        return result.reshape(4, 4)

    return hamiltonian, lambda k: np.kron(PAULI[0], np.eye(2))


@pytest.mark.parametrize("ratio, strong", [(1.4, 1), (0.6, 0)])
def test_the_diamond_model_is_strong_with_one_bond_stronger_and_weak_with_it_weaker(ratio, strong):
    hamiltonian, inversion = _fu_kane_mele(ratio)
    indices = parity_indices(hamiltonian, inversion, 2)
    assert indices.strong == strong
    assert indices.weak == (1, 1, 1)  # (1; 1 1 1) and (0; 1 1 1) in the paper
    k = np.array([0.21, 0.34, 0.05])
    np.testing.assert_allclose(hamiltonian(k), hamiltonian(k).conj().T)


def test_the_diamond_model_with_equal_bonds_is_a_semimetal():
    assert parity_indices(*_fu_kane_mele(1.0), 2) is None


def test_an_inversion_that_is_none_and_an_absurd_filling_are_refused():
    hamiltonian, _ = _cubic(2.0)
    with pytest.raises(InputError, match="does not commute"):
        parity_indices(hamiltonian, lambda k: np.kron(PAULI[0], np.eye(2)), 2)
    with pytest.raises(InputError, match="4 electrons in 4 states"):
        parity_indices(*_cubic(2.0), 4)


def test_another_inversion_centre_changes_no_index():
    rng = np.random.default_rng(0)
    for _ in range(50):
        odd, pairs = rng.integers(0, 7, 8), 6
        centre = rng.integers(0, 2, 3)
        moved = np.where(np.rint(2 * TRIM @ centre) % 2 == 0, odd, pairs - odd)
        assert inversion_indices(odd, pairs) == inversion_indices(moved, pairs)


def test_a_count_that_is_not_whole_has_no_index():
    assert inversion_indices(np.array([1, 1, 1, 1, 1, 1, 1, 1.5]), 2) is None
    assert inversion_indices(np.full(8, np.nan), 2) is None


def test_odd_states_from_the_trace():
    assert odd_states(2 + 0j, 8) == 3  # five even, three odd


def test_parities_at_the_arms_of_a_star_follow_the_translations():
    # A screw axis along z with half a translation, k and its image in the plane k_z = 1/2 (a, b swapped, c up).
    rotations = np.array([np.eye(3), -np.eye(3), [[0, -1, 0], [1, 0, 0], [0, 0, 1]]]).astype(int)
    translations = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0.5]])
    reciprocal = np.rint(np.linalg.inv(rotations)).astype(int).transpose(0, 2, 1)
    signs = star_phases(reciprocal, rotations, translations, 1, np.array([0.5, 0, 0.5]))
    # g I g^-1 is I and a whole translation along z, which is -1 at k_z = 1/2.
    assert signs == {5: 1, 3: -1}


def test_a_crossing_is_a_change_of_character_beside_that_of_the_phase():
    translations = np.array([[0, 0, 0], [0, 0, 0.5]])
    ends = (np.array([0, 0, 0.05]), np.array([0, 0, 0.45]))
    phases = [np.exp(-2j * np.pi * (translations @ k)) for k in ends]
    same = np.array([2.0, 1.0])
    assert not has_crossing(same * phases[0], same * phases[1], ends, translations)
    assert has_crossing(same * phases[0], np.array([2.0, -1.0]) * phases[1], ends, translations)

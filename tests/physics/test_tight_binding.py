"""Bloch matrices and their levels: what no choice of description may change, and what is known."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.transform import Rotation

from jaxboost.crystal import Crystal, Structure, make_crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.errors import InputError
from jaxboost.physics.band_states import ABSENT, add_spin_orbit, solve
from jaxboost.physics.bonds import find_bonds
from jaxboost.physics.overlaps import BOHR, two_centre_overlaps
from jaxboost.physics.tight_binding import Model, atom_levels, hopping_ratios, make_model
from jaxboost.physics.tight_binding_elements import published_parameters, quantum_numbers
from tests.crystals import prototype
from tests.parameters import moved_parameters

PARAMETERS = published_parameters()
MOVED = moved_parameters()  # with levels and factors that depend on the neighbours, and hoppings on the distance
K_POINTS = np.array([[0, 0, 0], [0.5, 0, 0.5], [0.11, 0.27, 0.41], [1 / 3, 1 / 3, 0]])


def _crystal(name="perovskite", elements=(38, 22, 8), a=3.9) -> Crystal:
    return make_crystal(prototype(name, elements, a))


def _levels(model: Model, kpoints: np.ndarray) -> np.ndarray:
    return np.array([solve(h, s).energies for h, s in zip(*model.bloch(kpoints), strict=True)])


def _full_levels(model: Model, kpoints: np.ndarray) -> np.ndarray:
    """With spin-orbit coupling among all bands."""
    states = [solve(h, s) for h, s in zip(*model.bloch(kpoints), strict=True)]
    return np.array([add_spin_orbit(model, one, 1e5, vectors=False).energies for one in states])


def test_matrices_are_hermitian_and_the_overlap_is_positive():
    hamiltonian, overlap = make_model(_crystal(), MOVED).bloch(K_POINTS)
    np.testing.assert_allclose(hamiltonian, hamiltonian.conj().swapaxes(1, 2))
    np.testing.assert_allclose(overlap, overlap.conj().swapaxes(1, 2))
    assert np.linalg.eigvalsh(overlap).min() > 1e-4


def test_the_lattice_sum_is_complete():
    bonds = find_bonds(_crystal(), PARAMETERS)
    pairs = {tuple(sorted(pair)) for pair in bonds.kind_elements.tolist()}
    assert pairs == {(8, 8), (8, 22), (8, 38), (22, 22), (22, 38), (38, 38)}
    n = quantum_numbers()
    for one, other in pairs:
        here = (np.sort(bonds.kind_elements, axis=1) == [one, other]).all(axis=1)
        # The next shell of neighbours is at most 1.5 Angstrom farther here; nothing from there on is left to add.
        beyond = (bonds.kind_distance[here].max() + np.array([1.5, 2.0, 3.0])) / BOHR
        shells = (np.tile(values, (3, 1)) for z in (one, other) for values in (n[z], PARAMETERS.exponent[z]))
        assert np.abs(two_centre_overlaps(*shells, beyond)).max() < 1e-6


def test_each_bond_is_listed_once():
    bonds = find_bonds(_crystal("diamond", (6,), 3.57), PARAMETERS)
    assert np.isin(bonds.kind, np.flatnonzero(bonds.kind_distance < 1.6)).sum() == 4


@pytest.mark.parametrize("at_trim", [True, False])
def test_matrices_at_the_trim_are_real_and_the_same(at_trim):
    model = make_model(_crystal(), MOVED)
    trim = np.array([[0.5, 0, 0.5], [0, 0, 0]])
    alone = model.bloch(trim)
    with_others = model.bloch(np.concatenate([trim, K_POINTS[2:]]))
    assert not np.iscomplexobj(alone[0]) and np.iscomplexobj(with_others[0])
    np.testing.assert_allclose(alone[0], with_others[0][:2], atol=1e-9)


def test_levels_are_periodic_in_k_and_the_same_at_minus_k():
    model = make_model(_crystal("zincblende", (31, 33), 5.65), MOVED)
    k = K_POINTS[2:3]
    np.testing.assert_allclose(_full_levels(model, k), _full_levels(model, k - [[1, 0, 1]]), atol=1e-8)
    np.testing.assert_allclose(_full_levels(model, k), _full_levels(model, -k), atol=1e-8)


def test_every_level_at_a_trim_is_twofold():
    model = make_model(_crystal("zincblende", (80, 52), 6.46), PARAMETERS)
    trim = np.array([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5]])
    levels = _full_levels(model, trim)
    np.testing.assert_allclose(levels[:, ::2], levels[:, 1::2], atol=1e-8)
    # Without inversion it is the time reversal that does it: elsewhere levels split.
    elsewhere = _full_levels(model, K_POINTS[2:3])
    assert np.abs(elsewhere[:, ::2] - elsewhere[:, 1::2]).max() > 1e-3


def test_a_turn_a_shift_and_a_permutation_change_no_level():
    crystal = _crystal()
    turn = Rotation.random(rng=np.random.default_rng(3)).as_matrix()
    order = np.array([2, 4, 0, 3, 1])
    moved = replace(
        crystal,
        lattice=crystal.lattice @ turn.T,
        frac_coords=(crystal.frac_coords + [0.13, 0.27, 0.4])[order],
        atomic_numbers=crystal.atomic_numbers[order],
    )
    before, after = (make_model(c, MOVED) for c in (crystal, moved))
    np.testing.assert_allclose(_full_levels(before, K_POINTS), _full_levels(after, K_POINTS), atol=1e-7)


def test_another_choice_of_cell_changes_no_level():
    crystal = _crystal("zincblende", (31, 33), 5.65)
    basis = np.array([[1, 2, 0], [0, 1, 0], [1, 0, 1]])  # new vectors in terms of the old
    other = replace(
        crystal, lattice=basis @ crystal.lattice, frac_coords=crystal.frac_coords @ np.linalg.inv(basis)
    )  # fmt: skip
    k = K_POINTS @ basis.T
    k -= np.rint(k)
    before, after = (make_model(c, MOVED) for c in (crystal, other))
    np.testing.assert_allclose(_full_levels(before, K_POINTS), _full_levels(after, k), atol=1e-7)


def test_a_supercell_folds_the_levels():
    crystal = _crystal("zincblende", (31, 33), 5.65)
    doubled = replace(
        crystal,
        lattice=crystal.lattice * [[2], [1], [1]],
        frac_coords=np.concatenate([crystal.frac_coords, crystal.frac_coords + [1, 0, 0]]) / [2, 1, 1],
        atomic_numbers=np.tile(crystal.atomic_numbers, 2),
    )
    k = np.array([[0.2, 0.1, 0.3]])
    small = _levels(make_model(crystal, MOVED), np.array([[0.1, 0.1, 0.3], [0.6, 0.1, 0.3]]))
    np.testing.assert_allclose(np.sort(small.ravel()), _levels(make_model(doubled, MOVED), k)[0], atol=1e-7)


def test_levels_know_which_elements_the_neighbours_are():
    levels = {}
    for z in (9, 17):
        bonds = find_bonds(_crystal("rocksalt", (11, z), 5.0), MOVED)
        np.testing.assert_allclose(bonds.neighbours, bonds.neighbours.T)
        alone = replace(bonds, neighbours=np.zeros_like(bonds.neighbours))
        np.testing.assert_allclose(atom_levels(MOVED, alone), MOVED.level[bonds.atomic_numbers])
        levels[z] = atom_levels(MOVED, bonds)[0]
        np.testing.assert_array_equal(atom_levels(PARAMETERS, bonds), PARAMETERS.level[bonds.atomic_numbers])
    assert np.abs(levels[9] - levels[17])[:2].min() > 1e-3


def test_hoppings_fall_by_a_power_of_the_distance():
    bonds = find_bonds(_crystal("rocksalt", (12, 8), 4.2), PARAMETERS)
    steeper = PARAMETERS._replace(decay=np.array([1.0, 2.0, 3.0]) * np.ones_like(PARAMETERS.decay))
    radius = np.array(ELEMENT_PROPERTIES["covalent_radius"])[bonds.kind_elements].sum(axis=1)
    length = (bonds.kind_distance / radius)[bonds.kind]
    ratios = hopping_ratios(steeper, bonds)
    np.testing.assert_allclose(ratios[:, 0, 3], length**-1.5)
    np.testing.assert_allclose(ratios[:, 8, 8], length**-3)
    np.testing.assert_array_equal(hopping_ratios(PARAMETERS, bonds), 1)


def test_graphene_has_its_dirac_point_at_the_filling():
    a = 2.46
    lattice = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 16.0]])
    crystal = make_crystal(Structure(lattice, np.array([[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]), np.array([6, 6])))
    model = make_model(crystal, PARAMETERS)
    corner, away = np.array([1 / 3, 1 / 3, 0]), np.array([0.01, 0, 0])
    levels = _levels(model, np.array([corner, corner + away, corner + 2 * away, [0, 0, 0]]))
    gap = levels[:, 4] - levels[:, 3]
    assert gap[0] < 1e-7
    assert gap[2] / gap[1] == pytest.approx(2, rel=0.03)  # a cone
    assert gap[3] > 5
    # Spin-orbit coupling opens it by microelectronvolt.
    with_spin = _full_levels(model, corner[None])[0]
    assert 0 < with_spin[8] - with_spin[7] < 1e-3


def test_the_window_of_spin_orbit_coupling_leaves_out_little():
    model = make_model(_crystal("rocksalt", (82, 52), 6.46), PARAMETERS)
    for states in (solve(h, s) for h, s in zip(*model.bloch(K_POINTS), strict=True)):
        some, every = add_spin_orbit(model, states, 12.0), add_spin_orbit(model, states, 1e5)
        n = model.electrons
        near = every.energies[n - 2 : n + 2]
        np.testing.assert_allclose(some.energies[some.electrons - 2 : some.electrons + 2], near, atol=0.1)
        assert (some.stop - some.start) < (every.stop - every.start) or len(states.energies) == some.stop


def test_dependent_orbitals_are_left_out_and_counted():
    overlap = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    states = solve(np.diag([-1.0, -1.0, -2.0]), overlap)
    assert states.dropped == 1
    np.testing.assert_allclose(states.energies, [-2, -0.5, ABSENT])
    np.testing.assert_allclose(states.coefficients[:, :2].T @ states.dual[:, :2], np.eye(2), atol=1e-12)


def test_solutions_solve_the_generalised_problem():
    hamiltonian, overlap = make_model(_crystal(), PARAMETERS).bloch(K_POINTS[2:3])
    states = solve(hamiltonian[0], overlap[0])
    np.testing.assert_allclose(hamiltonian[0] @ states.coefficients, states.dual * states.energies, atol=1e-6)
    np.testing.assert_allclose(states.energies, scipy.linalg.eigvalsh(hamiltonian[0], overlap[0]), atol=1e-8)


def test_what_is_not_finite_is_refused():
    with pytest.raises(InputError, match="not finite"):
        solve(np.full((2, 2), np.nan), np.eye(2))


@pytest.mark.parametrize("kpoints", [[[0, 0, 2.3]], [[np.nan, 0, 0]], [0, 0, 0]])
def test_a_k_point_outside_the_zone_is_refused(kpoints):
    with pytest.raises(InputError, match="k-points"):
        make_model(_crystal(), PARAMETERS).bloch(np.array(kpoints, float))


def test_an_element_beyond_the_table_is_refused():
    with pytest.raises(InputError, match="atomic number 95"):
        make_model(_crystal("cscl", (95, 17), 3.8), PARAMETERS)

"""Co-representations of levels: whole, as many states as there are, and the same from another side."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxboost.crystal import Structure, make_crystal
from jaxboost.physics.band_path import band_path
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.corepresentations import corepresentations
from jaxboost.physics.level_representations import density_characters, level_representations, spin_signs
from jaxboost.physics.little_groups import operations
from jaxboost.physics.orbital_symmetry import occupied_characters, orbital_symmetry
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.symmetry_indicators import symmetry_indicators
from jaxboost.physics.tight_binding import make_model
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import RUTILE, prototype

WURTZITE = Structure(
    np.array([[3.25, 0, 0], [-1.625, 1.625 * 3**0.5, 0], [0, 0, 5.2]]),
    np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.38], [2 / 3, 1 / 3, 0.88]]),
    np.array([30, 30, 8, 8]),
)
SELENIUM = Structure(
    np.array([[4.37, 0, 0], [-2.185, 2.185 * 3**0.5, 0], [0, 0, 4.95]]),
    np.array([[0.22, 0, 1 / 3], [0, 0.22, 2 / 3], [0.78, 0.78, 0]]),
    np.array([34, 34, 34]),
)
STRUCTURES = {
    "rutile": RUTILE,
    "wurtzite": WURTZITE,
    "trigonal selenium": SELENIUM,
    "diamond": prototype("diamond", (14,), 5.43),
    "zincblende": prototype("zincblende", (31, 33), 5.65),
    "fluorite": prototype("fluorite", (78, 3), 6.2),
}


def _at_points(structure):
    crystal = make_crystal(structure)
    model = make_model(crystal, published_parameters())
    solver = BandSolver(crystal, model, 12.0)
    number = crystal.space_group_number
    path = band_path(number, solver.symmetry)
    states = solver.states(path.kpoints[: path.points])
    return number, solver, path, states, [solver.spinors(here, vectors=True) for here in states]


@pytest.mark.parametrize("name", STRUCTURES)
def test_levels_hold_as_many_states_as_their_representations(name):
    number, solver, path, states, spinors = _at_points(STRUCTURES[name])
    signs, table = spin_signs(number, solver.symmetry.spin), corepresentations(number)
    for k in range(path.points):
        found = level_representations(number, solver.symmetry, signs, k, solver.model, states[k], spinors[k])
        dims = table.dims[table.place == k]
        np.testing.assert_array_equal(found.held @ dims, found.sizes)
        assert (np.diff(found.energies) > 0).all()
        full = found.filled == found.sizes
        cut = found.filled[~full].sum()
        assert found.occupied @ dims + cut == solver.model.electrons
        assert (found.occupied >= found.held[full].sum(axis=0)).all()


@pytest.mark.parametrize("name", STRUCTURES)
def test_all_states_together_are_the_band_representation_of_the_orbitals(name):
    number, solver, path, states, spinors = _at_points(STRUCTURES[name])
    table, signs = corepresentations(number), spin_signs(number, solver.symmetry.spin)
    held = []
    for k in range(path.points):
        rows = np.flatnonzero(table.place == k)
        here = states[k].coefficients @ states[k].dual.conj().T
        density = np.einsum("st,mn->smtn", np.eye(2), here)[None]
        members = np.array(solver.symmetry.little_group(path.kpoints[k]))
        characters = density_characters(solver.symmetry, signs, members, path.kpoints[k], solver.model, density)[0]
        exact = table.projectors[np.ix_(rows, members)] @ characters
        held.append(np.rint(exact.real).astype(int))
        np.testing.assert_allclose(exact, held[-1], atol=1e-6)
    # An atomic limit has no indicator.
    assert symmetry_indicators(number).classes(np.concatenate(held)) == 0


@pytest.mark.parametrize("name", ["rutile", "zincblende", "fluorite"])
def test_characters_are_those_found_state_by_state(name):
    _, solver, path, states, spinors = _at_points(STRUCTURES[name])
    symmetry, model = solver.symmetry, solver.model
    for k in range(path.points):
        here = spinors[k]
        window = slice(here.start, here.stop)
        occupied = here.vectors[:, : here.electrons].reshape(2, here.stop - here.start, -1)
        size = len(states[k].energies)
        images, duals = (
            (part[:, window] @ occupied).reshape(2 * size, -1) for part in (states[k].coefficients, states[k].dual)
        )
        density = (images @ duals.conj().T).reshape(2, size, 2, size)
        deep = states[k].coefficients[:, : here.start] @ states[k].dual[:, : here.start].conj().T
        density += np.einsum("st,mn->smtn", np.eye(2), deep)
        members = symmetry.little_group(path.kpoints[k])
        ones = np.ones(len(symmetry.rotations))
        found = density_characters(symmetry, ones, np.array(members), path.kpoints[k], model, density[None])[0]
        expected = occupied_characters(symmetry, members, path.kpoints[k], model, states[k], here)
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("name", STRUCTURES)
def test_spin_matrices_multiply_as_the_tables_from_whatever_side_they_are_seen(name):
    structure = STRUCTURES[name]
    for seed in range(3):
        turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
        crystal = make_crystal(replace(structure, lattice=structure.lattice @ turn.T))
        number, spin = crystal.space_group_number, orbital_symmetry(crystal).spin
        signed = spin_signs(number, spin)[:, None, None] * spin
        ops = operations(number)
        products = signed[:, None] @ signed[None]
        np.testing.assert_allclose(products, ops.spin_sign[..., None, None] * signed[ops.table], atol=1e-9)


def test_operations_of_another_group_are_refused():
    crystal = make_crystal(STRUCTURES["rutile"])
    spin = orbital_symmetry(crystal).spin
    with pytest.raises(ArithmeticError, match="not those of space group 136"):
        spin_signs(136, np.roll(spin, 1, axis=0))


def test_a_level_that_is_cut_in_two_has_no_representation():
    number, solver, path, states, spinors = _at_points(STRUCTURES["zincblende"])
    signs = spin_signs(number, solver.symmetry.spin)
    point = space_group(number).kpoints[0]
    assert point.order == 24
    # As if the filling's window had ended within the fourfold level.
    broken = replace(spinors[0], vectors=np.roll(spinors[0].vectors, 1, axis=1))
    assert level_representations(number, solver.symmetry, signs, 0, solver.model, states[0], broken) is None

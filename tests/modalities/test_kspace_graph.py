"""What orbitals induce at the high-symmetry points, against representations known by heart."""

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.modalities.kspace_graph import CRYSTAL_COLUMNS, crystal_points, space_group_arrays
from jaxboost.physics.space_groups import space_group

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def _points(lattice, coords, numbers):
    crystal = make_crystal(Structure(np.array(lattice, float), np.array(coords, float), np.array(numbers)))
    gamma = [i for i, k in enumerate(space_group(crystal.space_group_number).kpoints) if not any(k.frac)]
    return crystal, crystal_points(crystal), gamma[0]


def _column(name: str) -> int:
    return CRYSTAL_COLUMNS.index(name)


def test_shells_of_one_atom_at_gamma_of_a_cubic_crystal():
    """With spin: s is one representation (j = 1/2), p is two (j = 1/2 and 3/2), so the norms are 1 and 2."""
    _, points, gamma = _points(3.3 * np.eye(3), [[0, 0, 0]], [84])
    assert np.expm1(points[gamma, _column("norm_s")]) == pytest.approx(1, abs=1e-4)
    assert np.expm1(points[gamma, _column("norm_p")]) == pytest.approx(2, abs=1e-4)


def test_diamond_has_bonding_and_antibonding_s_states_at_gamma():
    _, points, gamma = _points(5.43 * FCC, [[0, 0, 0], [0.25, 0.25, 0.25]], [14, 14])
    assert np.expm1(points[gamma, _column("norm_s")]) == pytest.approx(2, abs=1e-4)


def test_norms_are_whole_numbers_and_do_not_depend_on_the_origin():
    """A sum of squared multiplicities is a whole number, at every point, also of a non-symmorphic group."""
    lattice = np.diag([4.59, 4.59, 2.96])
    u = 0.305
    coords = np.array(
        [[0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]]
    )
    numbers = [22, 22, 8, 8, 8, 8]
    crystal, points, _ = _points(lattice, coords, numbers)
    assert crystal.space_group_number == 136
    norms = np.expm1(points[:, :4].astype(float))
    np.testing.assert_allclose(norms, np.rint(norms), atol=1e-3)
    _, shifted, _ = _points(lattice, coords + [0.13, 0.41, 0.27], numbers)
    np.testing.assert_allclose(np.sort(shifted, 0), np.sort(points, 0), atol=1e-4)


def test_every_space_group_has_points_and_finite_features():
    arrays = space_group_arrays()
    assert arrays.present[1:].any(1).all() and not arrays.present[0].any()
    assert np.isfinite(arrays.point).all() and np.isfinite(arrays.line).all()
    np.testing.assert_array_equal(arrays.line, arrays.line.swapaxes(1, 2))

"""Characters of shells against those known by heart."""

import numpy as np

from jaxboost.physics.shell_characters import orbital_characters, spin_characters

C4 = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
MIRROR = np.diag([1, 1, -1])
ROTATIONS = np.array([np.eye(3, dtype=int), -np.eye(3, dtype=int), C4, MIRROR])


def test_dimensions_parities_and_known_characters():
    characters = orbital_characters(ROTATIONS)
    np.testing.assert_allclose(characters[:, 0], [1, 3, 5, 7], atol=1e-12)
    np.testing.assert_allclose(characters[:, 1], [1, -3, 5, -7], atol=1e-12)
    np.testing.assert_allclose(characters[:, 2], [1, 1, -1, -1], atol=1e-12)
    np.testing.assert_allclose(characters[:, 3], [1, 1, 1, 1], atol=1e-12)
    np.testing.assert_allclose(spin_characters(ROTATIONS), [2, 2, 2**0.5, 0], atol=1e-12)


def test_p_is_the_vector():
    np.testing.assert_allclose(orbital_characters(ROTATIONS)[1], np.trace(ROTATIONS, axis1=1, axis2=2), atol=1e-12)

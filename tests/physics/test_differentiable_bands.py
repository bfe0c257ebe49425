"""The differentiable levels agree with those of the host, and their gradients with finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.errors import InputError
from jaxboost.physics.band_states import ABSENT, add_spin_orbit, solve
from jaxboost.physics.bonds import find_bonds
from jaxboost.physics.differentiable_bands import band_levels, pad_bonds
from jaxboost.physics.tight_binding import make_model
from tests.crystals import prototype
from tests.parameters import moved_parameters

PARAMETERS = moved_parameters()
K_POINTS = np.array([[0, 0, 0], [0.1, 0.2, 0.3]])


@pytest.fixture(scope="module")
def crystal():
    return make_crystal(prototype("zincblende", (31, 33), 5.65))


@pytest.mark.parametrize("spin_orbit", [False, True])
def test_levels_are_those_of_the_host_also_when_padded(crystal, spin_orbit):
    model = make_model(crystal, PARAMETERS)
    host = [solve(h, s) for h, s in zip(*model.bloch(K_POINTS), strict=True)]
    wanted = [add_spin_orbit(model, one, 1e5).energies if spin_orbit else one.energies for one in host]
    bonds = find_bonds(crystal, PARAMETERS)
    padded = pad_bonds(bonds, atoms=3, bonds_size=len(bonds.first) + 5, kinds=len(bonds.kind_distance) + 4)
    with jax.enable_x64(True):
        for some in (bonds, padded):
            # Compiled as a whole, which is quicker than one operation after the other.
            levels = jax.jit(partial(band_levels, spin_orbit=spin_orbit))(PARAMETERS, some, jnp.asarray(K_POINTS))
            size = len(wanted[0])
            np.testing.assert_allclose(levels[:, :size], wanted, atol=1e-8)
            np.testing.assert_allclose(levels[:, size:], ABSENT)


def test_gradients_agree_with_finite_differences_and_are_finite_at_degeneracies(crystal):
    bonds = find_bonds(crystal, PARAMETERS)
    n, z = make_model(crystal, PARAMETERS).electrons, 33

    with jax.enable_x64(True):

        @jax.jit
        def gap(parameters):
            levels = band_levels(parameters, bonds, jnp.asarray(K_POINTS), spin_orbit=True)
            return (levels[:, n] - levels[:, n - 1]).sum()

        gradient = jax.jit(jax.grad(gap))(PARAMETERS)
        assert all(np.isfinite(leaf).all() for leaf in gradient)
        step = 1e-5
        for name, place in (("level", (z, 1)), ("exponent", (z, 1)), ("spin_orbit", (z, 1)), ("shell_factor", (0, 0)),
                            ("decay", (z, 1)), ("traits", (z, 0)), ("bond_response", (z, 1, 2))):  # fmt: skip
            values = []
            for sign in (1, -1):
                moved = np.array(getattr(PARAMETERS, name))
                moved[place] += sign * step
                values.append(float(gap(PARAMETERS._replace(**{name: moved}))))
            numeric = (values[0] - values[1]) / (2 * step)
            assert abs(numeric) > 1e-3
            assert float(getattr(gradient, name)[place]) == pytest.approx(numeric, rel=1e-4), name


def test_x64_stays_off_outside(crystal):
    assert jnp.ones(1).dtype == jnp.float32


def test_a_crystal_that_does_not_fit_is_refused(crystal):
    bonds = find_bonds(crystal, PARAMETERS)
    with pytest.raises(InputError, match="do not fit"):
        pad_bonds(bonds, atoms=2, bonds_size=len(bonds.first), kinds=len(bonds.kind_distance))

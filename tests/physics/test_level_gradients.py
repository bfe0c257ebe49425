"""The derivatives of levels agree with those that JAX finds and with finite differences, degenerate levels included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.bonds import find_bonds
from jaxboost.physics.differentiable_bands import band_levels
from jaxboost.physics.level_gradients import LevelWeight, parameter_gradient
from jaxboost.physics.tight_binding import model_of_bonds
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import prototype
from tests.parameters import moved_parameters

PARAMETERS = published_parameters()
MOVED = moved_parameters()
K_POINTS = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.1, 0.2, 0.3]])


def _gradient(crystal, terms, window=1e5, parameters=PARAMETERS):
    bonds = find_bonds(crystal, parameters)
    model = model_of_bonds(bonds, parameters)
    solver = BandSolver(crystal, model, window)
    states = solver.states(K_POINTS)
    spinors = [solver.spinors(here, vectors=True) for here in states]
    return parameter_gradient(parameters, bonds, model, K_POINTS, states, spinors, terms), bonds


@pytest.mark.parametrize("spin_orbit", [False, True])
def test_gradients_are_those_of_jax(spin_orbit):
    # Without inversion, with a d shell, and with levels that are degenerate at Gamma: all of each with one weight.
    crystal = make_crystal(prototype("zincblende", (29, 53), 6.05))
    size = 26 if spin_orbit else 13
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, size))
    with jax.enable_x64(True):
        bonds = find_bonds(crystal, MOVED)
        levels = jax.jit(lambda p: band_levels(p, bonds, jnp.asarray(K_POINTS), spin_orbit=spin_orbit)[:, :size])
        found = np.array(levels(MOVED))
        for here, row in zip(found, weights, strict=True):
            groups = np.cumsum(np.diff(here, prepend=here[0]) > 1e-6)
            row[:] = (np.bincount(groups, row) / np.bincount(groups))[groups]
        wanted = jax.jit(jax.grad(lambda p: (weights * levels(p)).sum()))(MOVED)
    terms = [LevelWeight(k, n, spin_orbit, float(weights[k, n])) for k in range(3) for n in range(size)]
    gradient, _ = _gradient(crystal, terms, parameters=MOVED)
    for name in PARAMETERS._fields:
        one, other = np.asarray(getattr(gradient, name)), np.asarray(getattr(wanted, name))
        assert np.abs(other).max() > 1e-3 or (name == "spin_orbit" and not spin_orbit), name
        np.testing.assert_allclose(one, other, atol=1e-7 * (1 + np.abs(other).max()), err_msg=name)


def test_levels_outside_the_window_count_as_spinless():
    crystal = make_crystal(prototype("zincblende", (31, 33), 5.65))
    one, _ = _gradient(crystal, [LevelWeight(1, 0, True, 1.0), LevelWeight(1, 1, True, 1.0)], window=0.5)
    other, _ = _gradient(crystal, [LevelWeight(1, 0, False, 2.0)], window=0.5)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_of_the_outermost_shell_the_exponent_still_has_a_derivative():
    crystal = make_crystal(prototype("cscl", (87, 17), 4.3))  # francium's 7s
    gradient, bonds = _gradient(crystal, [LevelWeight(0, 4, False, 1.0)])
    step, values = 1e-5, []
    for sign in (1, -1):
        exponent = PARAMETERS.exponent.copy()
        exponent[87, 0] += sign * step
        model = model_of_bonds(bonds, PARAMETERS._replace(exponent=exponent))
        values.append(BandSolver(crystal, model, 0.0).states(K_POINTS[:1])[0].energies[4])
    assert abs(gradient.exponent[87, 0]) > 1e-3
    assert gradient.exponent[87, 0] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)

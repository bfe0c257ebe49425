"""Two-centre overlaps against closed forms, a brute-force integral, and their limits."""

import numpy as np
import pytest

from jaxboost.physics.overlaps import INTEGRALS, bond_blocks, two_centre_overlaps

ROW = {integral: i for i, integral in enumerate(INTEGRALS)}


def _overlaps(n_a, zeta_a, n_b, zeta_b, distance):
    repeated = [np.repeat([values], len(distance), axis=0) for values in (n_a, zeta_a, n_b, zeta_b)]
    return two_centre_overlaps(*repeated, distance)


# R. S. Mulliken et al., J. Chem. Phys. 17, 1248 (1949), table for equal exponents, p = zeta R.
CLOSED_FORMS = [
    (1, (0, 0, 0), lambda p: 1 + p + p**2 / 3),
    (2, (0, 0, 0), lambda p: 1 + p + 4 * p**2 / 9 + p**3 / 9 + p**4 / 45),
    (2, (1, 1, 0), lambda p: 1 + p + p**2 / 5 - 2 * p**3 / 15 - p**4 / 15),
    (2, (1, 1, 1), lambda p: 1 + p + 2 * p**2 / 5 + p**3 / 15),
]


@pytest.mark.parametrize("n, integral, polynomial", CLOSED_FORMS)
def test_equal_exponents_give_the_closed_forms(n, integral, polynomial):
    zeta, distance = 1.3, np.linspace(0.05, 20, 60)
    found = _overlaps([n] * 3, [zeta] * 3, [n] * 3, [zeta] * 3, distance)[:, ROW[integral]]
    p = zeta * distance
    np.testing.assert_allclose(found, np.exp(-p) * polynomial(p), rtol=1e-9, atol=1e-14)


def test_two_hydrogenlike_shells_of_unlike_exponent_give_the_closed_form():
    a, b, distance = 1.7, 0.9, np.linspace(0.5, 12, 20)
    found = _overlaps([1, 0, 0], [a, 1, 1], [1, 0, 0], [b, 1, 1], distance)[:, 0]
    # 1s-1s by partial fractions of the product of the Fourier transforms.
    gap = a**2 - b**2
    shape_a = np.exp(-a * distance) * (4 * a * b / gap + b * distance)
    shape_b = np.exp(-b * distance) * (a * distance - 4 * a * b / gap)
    np.testing.assert_allclose(found, 8 * (a * b) ** 1.5 / (gap**2 * distance) * (shape_a + shape_b), rtol=1e-9)


def _orbital(n, zeta, shell, m, x, z):
    """Slater orbital in the plane that holds the axis, without its dependence on the angle about it."""
    r = np.hypot(x, z)
    sine, cosine = x / r, z / r
    angular = {
        (0, 0): np.sqrt(1 / 2) + 0 * sine,
        (1, 0): np.sqrt(3 / 2) * cosine,
        (1, 1): np.sqrt(3 / 4) * sine,
        (2, 0): np.sqrt(5 / 8) * (3 * cosine**2 - 1),
        (2, 1): np.sqrt(15 / 4) * sine * cosine,
        (2, 2): np.sqrt(15 / 16) * sine**2,
    }[shell, m]
    norm = (2 * zeta) ** (n + 0.5) / np.sqrt(float(np.prod(np.arange(1, 2 * n + 1))))
    return norm * r ** (n - 1) * np.exp(-zeta * r) * angular


def test_every_integral_agrees_with_brute_force_integration():
    n_a, zeta_a, n_b, zeta_b, distance = [4, 4, 3], [1.1, 0.9, 1.6], [5, 5, 4], [1.4, 1.2, 1.9], 4.2
    found = _overlaps(n_a, zeta_a, n_b, zeta_b, np.array([distance]))[0]
    nodes, weights = np.polynomial.legendre.leggauss(120)
    r, cosine = np.meshgrid((nodes + 1) * 16, nodes, indexing="ij")
    weight = np.outer(weights * 16, weights) * r**2
    x, z = r * np.sqrt(1 - cosine**2), r * cosine
    for (a, b, m), value in zip(INTEGRALS, found, strict=True):
        one = _orbital(n_a[a], zeta_a[a], a, m, x, z)
        other = _orbital(n_b[b], zeta_b[b], b, m, x, z - distance)
        assert value == pytest.approx((weight * one * other).sum(), abs=2e-5), (a, b, m)


def test_at_no_distance_an_atom_meets_itself():
    n, zeta = [5, 5, 4], [2.1, 1.6, 1.3]
    block = bond_blocks(_overlaps(n, zeta, n, zeta, np.array([1e-5])))[0]
    np.testing.assert_allclose(block, np.eye(9), atol=1e-4)


def test_seen_from_the_other_end_the_odd_integrals_change_sign():
    distance = np.array([1.0, 3.0, 9.0])
    one, other = ([6, 6, 5], [2.3, 1.4, 2.8]), ([3, 3, 3], [1.5, 0.95, 1.1])
    forth, back = _overlaps(*one, *other, distance), _overlaps(*other, *one, distance)
    for a, b, m in INTEGRALS:
        np.testing.assert_allclose(forth[:, ROW[a, b, m]], (-1) ** (a + b) * back[:, ROW[b, a, m]], atol=1e-12)


def test_a_missing_shell_overlaps_with_nothing():
    found = _overlaps([2, 2, 0], [1.0, 1.0, 1.0], [1, 0, 0], [1.0, 1.0, 1.0], np.array([2.0]))[0]
    assert {integral for integral, value in zip(INTEGRALS, found, strict=True) if value} == {(0, 0, 0), (1, 0, 0)}

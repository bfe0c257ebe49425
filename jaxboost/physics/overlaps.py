"""Two-centre overlaps of Slater orbitals, as a differentiable function of exponents and distance.

In prolate spheroidal coordinates `mu = (r_a + r_b) / R`, `nu = (r_a - r_b) / R` the product of two Slater orbitals is
a polynomial times `exp(-p mu - q nu)`, so an overlap is `sum_ij c_ij A_i(p) B_j(q)` with

    A_i(p) = int_1^inf mu^i exp(-p mu) dmu,    B_j(q) = int_-1^1 nu^j exp(-q nu) dnu,

`p = (zeta_a + zeta_b) R / 2`, `q = (zeta_a - zeta_b) R / 2`: R. S. Mulliken, C. A. Rieke, D. Orloff, H. Orloff,
J. Chem. Phys. 17, 1248 (1949). A has a recursion without cancellation; B, whose closed form cancels at small q, is a
Gauss-Legendre sum.
"""

from functools import lru_cache
from itertools import product
from math import factorial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.polynomial import Legendre, Polynomial
from scipy.signal import convolve2d

BOHR = 0.529177210903
"""Angstrom (CODATA 2018)."""

MAX_N = 8
"""Largest principal quantum number: one more than any shell has, for derivatives by the exponent."""

# (l, l', m) of the two-centre integrals of s, p and d shells, and where each stands in the block of nine orbitals by
# nine with z along the bond.
INTEGRALS = tuple((a, b, m) for a, b in product(range(3), repeat=2) for m in range(min(a, b) + 1))
_ORBITALS_OF_M = {(0, 0): (0,), (1, 0): (3,), (1, 1): (1, 2), (2, 0): (8,), (2, 1): (6, 5), (2, 2): (7, 4)}

_DEGREE = 2 * MAX_N
# exp(-q nu) with |q| up to 40 to 1e-9 of the largest overlap that such a q can go with.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_NU_POWERS = _WEIGHTS[:, None] * _NODES[:, None] ** np.arange(_DEGREE + 1)


def _power(base: np.ndarray, exponent: int) -> np.ndarray:
    result = np.ones((1, 1))
    for _ in range(exponent):
        result = convolve2d(result, base)
    return result


def _add(terms: list[np.ndarray]) -> np.ndarray:
    total = np.zeros(np.max([term.shape for term in terms], axis=0))
    for term in terms:
        total[: term.shape[0], : term.shape[1]] += term
    return total


def _one_centre(n: int, shell: int, m: int, sign: int) -> np.ndarray:
    """Coefficients `[mu, nu]` of r^n Theta_lm / sin^m / (R/2)^n for centre a (sign 1) or b (sign -1).

    `r = R (mu + sign nu) / 2`, `cos = sign (1 + sign mu nu) / (mu + sign nu)`, with z from a to b at both.
    """
    legendre = Legendre.basis(shell).convert(kind=Polynomial)
    angular = legendre.deriv(m).coef if m else legendre.coef
    norm = np.sqrt((2 * shell + 1) / 2 * factorial(shell - m) / factorial(shell + m))
    distance = np.array([[0.0, sign], [1.0, 0.0]])
    height = sign * np.array([[1.0, 0.0], [0.0, sign]])
    terms = [
        norm * c * convolve2d(_power(height, j), _power(distance, n - m - j)) for j, c in enumerate(angular) if c != 0
    ]
    return _add(terms)


@lru_cache(maxsize=1)
def _coefficients() -> np.ndarray:
    """`[integral, n_a, n_b, mu power, nu power]`, zero where n <= l."""
    table = np.zeros((len(INTEGRALS), MAX_N + 1, MAX_N + 1, _DEGREE + 1, _DEGREE + 1))
    sines = convolve2d(np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0, 0.0, -1.0]]))
    for row, (a, b, m) in enumerate(INTEGRALS):
        for n_a, n_b in product(range(a + 1, MAX_N + 1), range(b + 1, MAX_N + 1)):
            both = convolve2d(_one_centre(n_a, a, m, 1), _one_centre(n_b, b, m, -1))
            both = convolve2d(both, _power(sines, m))
            table[row, n_a, n_b, : both.shape[0], : both.shape[1]] = both
    return table


_ROOT_FACTORIAL = np.sqrt([float(factorial(2 * n)) for n in range(MAX_N + 1)])


def two_centre_overlaps(n_a: Any, zeta_a: Any, n_b: Any, zeta_b: Any, distance: Any, xp: ModuleType = np) -> Any:
    """Overlaps of the shells of two atoms at each of several distances, z from a to b.

    Float64 is needed: in float32 the sum over powers loses its digits.

    Args:
      n_a, n_b: `[t, 3]` principal quantum numbers of the s, p and d shells, 0 where there is none.
      zeta_a, zeta_b: `[t, 3]` exponents, 1/bohr, positive (any number where there is no shell).
      distance: `[t]`, bohr, above 0.
      xp: `numpy`, or `jax.numpy` to differentiate with respect to exponents and distance.

    Returns:
      `[t, len(INTEGRALS)]`, zero where a shell is missing.
    """
    coefficients, factorials = xp.asarray(_coefficients()), xp.asarray(_ROOT_FACTORIAL)
    half = (distance / 2)[:, None, None]
    n, other_n = n_a[:, :, None], n_b[:, None, :]
    zeta, other_zeta = zeta_a[:, :, None], zeta_b[:, None, :]
    p, q = ((zeta + other_zeta) * half)[..., None], ((zeta - other_zeta) * half)[..., None]
    powers = [1 / p]
    for i in range(1, _DEGREE + 1):
        powers.append((1 + i * powers[-1]) / p)
    a_integrals = xp.concatenate(powers, axis=-1)
    # A's factor exp(-p) is kept with B, where it meets exp(-q nu) before either can overflow.
    b_integrals = xp.exp(-p - q * _NODES) @ _NU_POWERS
    norm = (2 * zeta) ** (n + 0.5) * (2 * other_zeta) ** (other_n + 0.5) * half ** (n + other_n + 1)
    norm = norm / (factorials[n] * factorials[other_n])
    columns = []
    for row, (a, b, _) in enumerate(INTEGRALS):
        table = coefficients[row][n_a[:, a], n_b[:, b]]
        columns.append(xp.einsum("ti,tij,tj->t", a_integrals[:, a, b], table, b_integrals[:, a, b]) * norm[:, a, b])
    return xp.stack(columns, axis=1)


@lru_cache(maxsize=1)
def _placement() -> np.ndarray:
    place = np.zeros((len(INTEGRALS), 9, 9))
    for row, (a, b, m) in enumerate(INTEGRALS):
        for i, j in zip(_ORBITALS_OF_M[a, m], _ORBITALS_OF_M[b, m], strict=True):
            place[row, i, j] = 1
    return place


def bond_blocks(integrals: Any, xp: ModuleType = np) -> Any:
    """`[t, len(INTEGRALS)]` to `[t, 9, 9]`: overlaps of the nine orbitals of either atom, z along the bond."""
    return (integrals @ xp.asarray(_placement().reshape(len(INTEGRALS), 81))).reshape(-1, 9, 9)


def block_integrals(blocks: np.ndarray) -> np.ndarray:
    """`[t, 9, 9]` to `[t, len(INTEGRALS)]`, the transpose of `bond_blocks`: derivatives go back this way."""
    return blocks.reshape(-1, 81) @ _placement().reshape(len(INTEGRALS), 81).T

"""Symmetry indicators: the shipped table, atomic limits, and band inversions whose index is known."""

import numpy as np
import pytest

from jaxboost.physics.band_representations import induced_multiplicities
from jaxboost.physics.corepresentations import corepresentations
from jaxboost.physics.high_symmetry import at_point, maximal_points
from jaxboost.physics.indicator_table import compute_indicators
from jaxboost.physics.little_groups import operations
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.symmetry_indicators import symmetry_indicators
from jaxboost.physics.wyckoff import maximal_sites

TRIVIAL, STRONG, OTHER, CROSSING = 0, 1, 2, 4


@pytest.mark.parametrize("number", [1, 2, 14, 62, 82, 143, 166, 174, 199, 220, 227])
def test_computed_anew(number):
    anew, shipped = compute_indicators(number), symmetry_indicators(number)
    for name in ("orders", "indicator", "relations", "strong"):
        np.testing.assert_array_equal(getattr(anew, name), getattr(shipped, name))


def test_all_groups_have_the_indicators_and_relations_of_their_table():
    for number in range(1, 231):
        group, found, table = space_group(number), symmetry_indicators(number), corepresentations(number)
        at_points = int((table.place < len(group.kpoints)).sum())
        assert tuple(found.orders) == group.indicator_group
        assert found.indicator.shape == (at_points, len(group.indicator_group))
        assert found.relations.shape == (at_points, at_points - group.d_bs)
        assert not found.strong.any() or group.has_inversion or group.indicator_group == (2,)


@pytest.mark.parametrize("number", [2, 14, 62, 82, 123, 166, 187, 191, 194, 216, 225, 227])
def test_sums_and_differences_of_atomic_limits_are_trivial(number):
    ops = operations(number)
    points = maximal_points(ops)
    limits, _ = induced_multiplicities(ops, maximal_sites(ops), points, tuple(at_point(ops, p) for p in points))
    found = symmetry_indicators(number)
    assert (found.classes(limits) == TRIVIAL).all()
    rng = np.random.default_rng(number)
    sums = rng.integers(-3, 4, (20, len(limits))) @ limits
    assert (found.classes(sums) == TRIVIAL).all() and (found.order(sums) == 1).all()


def _inverted(number: int, names: list[np.ndarray]) -> tuple[int, int]:
    """Class and order after one Kramers pair has changed its parity at each of some k-points of a trivial insulator."""
    ops = operations(number)
    points = maximal_points(ops)
    small = [at_point(ops, p) for p in points]
    first = np.cumsum([0, *(len(s.dims) for s in small)])
    inversion = np.flatnonzero((ops.rotations == -np.eye(3)).all(axis=(1, 2)))[0]
    move = np.zeros(first[-1], dtype=int)
    for kpoint in names:
        k = next(i for i, p in enumerate(points) if np.allclose(p.frac, kpoint))
        character = small[k].corep_characters()[:, np.flatnonzero(points[k].members == inversion)[0]].real
        # The partner of other parity that is alike under all proper operations, so that no line crosses.
        proper = np.linalg.det(ops.rotations[points[k].members]) > 0
        even = int(np.argmax((character > 0) & (np.array(small[k].dims) == 2)))
        alike = np.abs(small[k].corep_characters()[:, proper] - small[k].corep_characters()[even, proper]).max(1) < 1e-6
        odd = int(np.flatnonzero(alike & (character < 0))[0])
        move[first[k] + even] -= 1
        move[first[k] + odd] += 1
    found = symmetry_indicators(number)
    return int(found.classes(move)), int(found.order(move))


HALF = np.full(3, 0.5)


@pytest.mark.parametrize(
    ("number", "inverted", "expected"),
    [
        # P-1: one inversion is a strong insulator of Z4 = 1, at Gamma and a corner Z4 = 2, an element of order 2.
        (2, [np.zeros(3)], (STRONG, 4)),
        (2, [np.zeros(3), HALF], (OTHER, 2)),
        # R-3m: Bi2Se3 at Gamma (H. Zhang et al., Nature Physics 5, 438, 2009).
        (166, [np.zeros(3)], (STRONG, 4)),
        # Fm-3m: at Gamma strong; at the four L, where Z4 sees nothing, SnTe (T. Hsieh et al., Nature Communications 3,
        # 982, 2012): Z8 = 4, an element of order 2.
        (225, [np.zeros(3)], (STRONG, 8)),
        (225, [np.array([0.5, 0, 0])], (OTHER, 2)),
    ],
)
def test_known_band_inversions(number, inverted, expected):
    points = [np.array(p.frac) for p in space_group(number).kpoints]
    inverted = [min(points, key=lambda p, k=k: (np.abs(p - k).max(), abs(p.sum() - k.sum()))) for k in inverted]
    assert _inverted(number, inverted) == expected


def test_an_exchange_that_lines_forbid_is_a_crossing():
    # Gamma of Fm-3m: a doublet for a doublet of the same parity, which the fourfold axis tells apart.
    found, table = symmetry_indicators(225), corepresentations(225)
    at_gamma = np.flatnonzero(table.place == 0)
    move = np.zeros(len(found.strong), dtype=int)
    doublets = at_gamma[table.dims[at_gamma] == 2]
    classes = set()
    for other in doublets[1:]:
        move[:] = 0
        move[doublets[0]], move[other] = -1, 1
        classes.add(int(found.classes(move)))
    assert CROSSING in classes


def test_several_sets_at_once_are_judged_one_by_one():
    found = symmetry_indicators(166)
    sets = np.random.default_rng(0).integers(0, 3, (4, 5, len(found.strong)))
    assert found.classes(sets).shape == (4, 5) and found.element(sets).shape == (4, 5, len(found.orders))
    for i, j in np.ndindex(4, 5):
        assert found.classes(sets[i, j]) == found.classes(sets)[i, j]
        assert found.order(sets[i, j]) == found.order(sets)[i, j]

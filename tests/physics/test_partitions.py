"""Sums of whole pieces, against listing them all."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxboost.physics.partitions import distance_to_reachable, log_ways, reachable

PIECES = st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 6, 8]), st.integers(0, 5)), min_size=1, max_size=4)


def _ways(pieces):
    ways = {}
    for numbers in product(*(range(count + 1) for _, count in pieces)):
        total = sum(n * size for n, (size, _) in zip(numbers, pieces, strict=True))
        number = np.prod([comb(count, n) for n, (_, count) in zip(numbers, pieces, strict=True)], dtype=float)
        ways[total] = ways.get(total, 0) + number
    return ways


@given(PIECES, st.integers(0, 60))
def test_against_enumeration(pieces, total):
    ways = _ways(pieces)
    sums = reachable(pieces, 200)
    assert {n for n in range(201) if sums >> n & 1} == set(ways)
    assert reachable(pieces, total) == sums & ((1 << (total + 1)) - 1)
    assert distance_to_reachable(sums, total) == min(abs(total - n) for n in ways)
    if total:
        assert log_ways(pieces, total) == pytest.approx(np.log1p(ways.get(total, 0)), abs=1e-9)


def test_numbers_beyond_floating_point():
    # 400 choose 200 four times over, summed along the diagonal: 1600 choose 800.
    expected = float(np.log(2.0) * 1600 - 0.5 * np.log(np.pi * 800))
    assert log_ways([(2, 400)] * 4, 1600) == pytest.approx(expected, rel=1e-5)

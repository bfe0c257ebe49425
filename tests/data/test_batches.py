"""Packing: every batch fits its budget, every row comes as often as it should, nothing depends on when it is asked."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxboost.data.batches import deal, node_budget, scoring_batches, strata, training_batches


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 80), min_size=1, max_size=200), st.sampled_from([4, 8, 16]), st.integers(0, 9))
def test_every_batch_fits_the_budget(sizes, batch, seed):
    sizes = np.array(sizes)
    budget = node_budget(sizes, batch)
    rows = np.arange(len(sizes))
    for plan in (strata(rows, sizes, batch, np.random.default_rng(seed)), scoring_batches(rows, sizes, batch)):
        totals = np.where(plan >= 0, sizes[plan], 0).sum(1)
        assert totals.max() <= budget
    half = deal(scoring_batches(rows, sizes, batch), 2)[:, : batch // 2]
    assert np.where(half >= 0, sizes[half], 0).sum(1).max() <= node_budget(sizes, batch // 2)


def test_a_pass_takes_no_row_twice_and_only_own_rows():
    rows = np.arange(100, 203)
    plan = strata(rows, np.arange(103) % 7 + 1, 8, np.random.default_rng(0))
    assert plan.shape == (12, 8)
    assert len(np.unique(plan)) == plan.size and np.isin(plan, rows).all()


def test_the_stream_is_a_function_of_the_step():
    rows, sizes = np.arange(50), np.arange(50) % 5 + 1
    whole = training_batches(rows, sizes, 8, first=0, count=20, seed=(3, 1))
    for first, count in ((0, 6), (5, 9), (13, 7)):
        part = training_batches(rows, sizes, 8, first=first, count=count, seed=(3, 1))
        np.testing.assert_array_equal(part, whole[first : first + count])
    assert (training_batches(rows, sizes, 8, first=0, count=20, seed=(4, 1)) != whole).any()


def test_scoring_takes_every_row_once():
    rows = np.array([7, 3, 11, 5, 2])
    plan = scoring_batches(rows, np.array([4, 1, 9, 2, 2]), 4)
    assert plan.shape == (2, 4)
    assert sorted(plan[plan >= 0]) == sorted(rows)

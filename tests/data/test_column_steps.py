"""Columns as steps, against ranges that are cut by hand."""

import numpy as np

from jaxboost.data.column_steps import climbed, quantile_edges

NAN = np.nan


def test_steps_end_at_quantiles_of_the_known_values():
    column = np.array([NAN, 8, 0, 1, 4, 2, 3, NAN, 5, 7, 6], np.float32)[:, None]
    np.testing.assert_array_equal(quantile_edges(column, 4), [[0, 2, 4, 6, 8]])
    np.testing.assert_array_equal(quantile_edges(column, 1), [[0, 8]])


def test_quantiles_that_fall_together_are_one_end():
    yes_or_no = np.repeat([0.0, 1.0], [70, 30])
    mostly_zero = np.concatenate([np.zeros(90), np.arange(1.0, 11)])
    edges = quantile_edges(np.stack([yes_or_no, mostly_zero], 1), 5)
    np.testing.assert_array_equal(edges, [[0, 1, 1, 1, 1, 1], [0, 10, 10, 10, 10, 10]])


def test_rounding_makes_no_step():
    """Two cells of one crystal differ in the last digits: they must not lie at two ends of a step."""
    rng = np.random.default_rng(0)
    column = np.repeat([0.1, 0.5, 0.9], 40) + 1e-7 * rng.normal(size=120)
    edges = quantile_edges(column[:, None], 8)
    assert (np.diff(edges) > 0).sum() == 2
    one, other = (np.asarray(climbed(np.float32([[0.5 + off]]), edges)) for off in (0, 3e-7))
    assert np.abs(one - other).max() < 1e-5


def test_a_column_without_two_values_has_no_step():
    values = np.array([[3, NAN], [3, NAN]], np.float32)
    edges = quantile_edges(values, 3)
    assert (np.diff(edges) == 0).all() and np.isfinite(edges).all()
    np.testing.assert_array_equal(climbed(values, edges), np.zeros((2, 2, 3)))
    np.testing.assert_array_equal(climbed(np.float32([[7, 7]]), edges), np.zeros((1, 2, 3)))


def test_a_value_has_climbed_what_lies_below_it():
    edges = np.float32([[0, 1, 3, 3]])
    values = np.float32([[-5], [0], [0.25], [1], [2.5], [3], [50], [NAN]])
    expected = [[-1, -1], [-1, -1], [-0.5, -1], [1, -1], [1, 0.5], [1, 1], [1, 1], [0, 0]]
    found = np.asarray(climbed(values, edges))[:, 0]
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-6)
    assert not found[:, 2].any()


def test_steps_take_the_place_of_the_value():
    """They add up to where in its range it is, whatever the steps: nothing is lost in them."""
    values = np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32)
    edges = quantile_edges(values, 6)
    shares = (np.asarray(climbed(values, edges)) + 1) / 2
    np.testing.assert_allclose((shares * np.diff(edges)).sum(-1) + edges[:, 0], values, rtol=1e-5, atol=1e-5)

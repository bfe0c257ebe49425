import math

import numpy as np
import pytest

from jaxboost.reporting.reliability import accuracy_interval, calibration_bins, calibration_error


def drawn(n, gap, seed=0):
    """Confidences in 0.6..1 and outcomes that are right with probability confidence - gap."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.6, 1.0, n)
    return confidence, rng.random(n) < confidence - gap


def test_calibrated_predictions_have_an_error_near_zero():
    assert calibration_error(*drawn(100_000, 0.0)) < 0.005


def test_the_estimate_of_the_square_has_no_bias_on_few_rows():
    # Without the variance term the mean of the squares here is (bins / n) * E[p (1 - p)] = 0.011 too large.
    gaps = [0.0, 0.2]
    for gap in gaps:
        squares = []
        for seed in range(400):
            rows, confidence, accuracy = calibration_bins(*drawn(200, gap, seed)).T
            terms = (confidence - accuracy) ** 2 - accuracy * (1 - accuracy) / (rows - 1)
            squares.append((rows * terms).sum() / 200)
            assert calibration_error(*drawn(200, gap, seed)) == pytest.approx(math.sqrt(max(0, squares[-1])))
        assert np.mean(squares) == pytest.approx(gap**2, abs=0.002)


def test_over_confidence_is_measured():
    assert calibration_error(*drawn(50_000, 0.15)) == pytest.approx(0.15, abs=0.006)
    assert calibration_error(*drawn(1_000, 0.15)) == pytest.approx(0.15, abs=0.03)


def test_bins_have_equal_mass():
    confidence, correct = drawn(150, 0.0)
    rows, means, accuracy = calibration_bins(confidence, correct).T
    np.testing.assert_array_equal(rows, np.full(15, 10))
    np.testing.assert_allclose(means, np.sort(confidence).reshape(15, 10).mean(axis=1))
    assert (rows * accuracy).sum() == pytest.approx(correct.sum())


def test_equal_confidences_share_a_bin_whatever_their_order():
    confidence, correct = np.full(100, 0.7), np.arange(100) < 70
    np.testing.assert_allclose(calibration_bins(confidence, correct), [[100, 0.7, 0.7]])
    assert calibration_error(confidence, correct) == 0.0


@pytest.mark.parametrize("n", range(2, 40))
def test_no_bin_has_a_single_row(n):
    confidence, correct = drawn(n, 0.0)
    bins = calibration_bins(confidence, correct)
    assert bins[:, 0].min() >= 2
    assert bins[:, 0].sum() == n
    assert np.all(np.diff(bins[:, 1]) > 0)


def test_a_single_row_has_no_error():
    assert calibration_error(np.array([0.7]), np.array([True])) is None


def test_accuracy_interval():
    # Wilson's interval of 8 of 10, as in Agresti and Coull (1998).
    low, high = accuracy_interval(np.array([0.8, 1.0, 0.0]), np.array([10.0, 10.0, 10.0]))
    np.testing.assert_allclose([low[0], high[0]], [0.4902, 0.9433], atol=1e-4)
    assert low[1] == pytest.approx(10 / (10 + 1.959964**2)) and high[1] == 1.0
    assert low[2] == 0.0 and high[2] == pytest.approx(1 - low[1])

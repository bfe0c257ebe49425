"""Losses against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxboost.training.objective import (
    cross_entropy,
    focal_loss,
    mixed_cross_entropy,
    mixup_share,
    smoothed_targets,
    taught_targets,
)

LOGITS = jnp.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
LABELS = jnp.array([0, 2])


def test_smoothing_spreads_evenly_and_keeps_the_sum():
    targets = smoothed_targets(LABELS, 3, 0.3)
    np.testing.assert_allclose(targets, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], atol=1e-6)


def test_a_teacher_has_its_share_of_the_targets():
    said = jnp.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    targets = taught_targets(smoothed_targets(LABELS, 3, 0.0), said, 0.5)
    np.testing.assert_allclose(targets, [[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(taught_targets(said, targets, 0.0), said)


def test_cross_entropy_of_even_logits_is_log_of_the_number_of_classes():
    assert cross_entropy(LOGITS, smoothed_targets(LABELS, 3, 0.0))[1] == pytest.approx(np.log(3))


def test_focal_loss_is_cross_entropy_at_gamma_zero_and_scales_by_the_miss():
    targets = smoothed_targets(LABELS, 3, 0.0)
    plain = cross_entropy(LOGITS, targets)
    np.testing.assert_allclose(focal_loss(LOGITS, LABELS, targets, gamma=0.0), plain, rtol=1e-6)
    p_true = np.exp(-np.asarray(plain))
    np.testing.assert_allclose(focal_loss(LOGITS, LABELS, targets, gamma=2.0), (1 - p_true) ** 2 * plain, rtol=1e-5)


def test_mixed_loss_lies_between_its_ends():
    first, second = (smoothed_targets(labels, 3, 0.1) for labels in (LABELS, LABELS[::-1]))
    ends = [mixed_cross_entropy(LOGITS, first, second, jnp.float32(s)) for s in (1.0, 0.0)]
    middle = mixed_cross_entropy(LOGITS, first, second, jnp.float32(0.25))
    np.testing.assert_allclose(middle, 0.25 * ends[0] + 0.75 * ends[1], rtol=1e-6)


def test_mixup_share_is_one_without_mixup_and_symmetric_with_it():
    keys = jax.random.split(jax.random.key(0), 2000)
    shares = jax.vmap(lambda key: mixup_share(key, jnp.float32(0.4)))(keys)
    assert mixup_share(keys[0], jnp.float32(0.0)) == 1.0
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(shares.var()) == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.02)

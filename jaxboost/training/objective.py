"""The objective: focal loss over smoothed cross-entropy, and smoothed cross-entropy on mixed fused features."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxboost.models.batch import Array


def smoothed_targets(labels: jax.Array, classes: int, smoothing: jax.Array | float) -> jax.Array:
    """One-hot targets [b, class] with `smoothing` spread evenly over all classes (Szegedy et al. 2016, eq. 7)."""
    return jax.nn.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """[b] cross-entropy of logits [b, class] with target distributions [b, class]."""
    return -(targets * jax.nn.log_softmax(logits)).sum(-1)


def focal_loss(logits: jax.Array, labels: jax.Array, *, gamma: float, smoothing: float) -> jax.Array:
    """[b] `(1 - p_t)^gamma` times smoothed cross-entropy, `p_t` the probability of the true class.

    Lin et al., Focal Loss for Dense Object Detection (2017), eq. 4; the factor is differentiated too.
    """
    targets = smoothed_targets(labels, logits.shape[-1], smoothing)
    p_true = jnp.take_along_axis(jax.nn.softmax(logits), labels[:, None], -1)[:, 0]
    # Clamped, because the derivative of x^gamma at 0 is not finite for gamma below 1.
    return jnp.maximum(1 - p_true, 1e-6) ** gamma * cross_entropy(logits, targets)


def mixup_share(key: jax.Array, alpha: Array | float) -> jax.Array:
    """Share of the first crystal, Beta(alpha, alpha) (Zhang et al. 2018); 1 where alpha is 0."""
    safe = jnp.maximum(alpha, 1e-3)
    return jnp.where(alpha > 0, jax.random.beta(key, safe, safe), 1.0)


def mixed_cross_entropy(
    logits: jax.Array, first: jax.Array, second: jax.Array, share: jax.Array, *, smoothing: float
) -> jax.Array:
    """[b] smoothed cross-entropy with labels mixed `share : 1 - share`."""
    classes = logits.shape[-1]
    targets = share * smoothed_targets(first, classes, smoothing)
    targets += (1 - share) * smoothed_targets(second, classes, smoothing)
    return cross_entropy(logits, targets)

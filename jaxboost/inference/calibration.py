"""Calibration: one temperature, fitted on rows that no member saw."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax


def log_loss(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log-probability of the labels."""
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T between 0.05 and 20 that minimises the log loss of `softmax(logits / T)` (Guo et al. 2017).

    Args:
      logits: [n, class]; labels: [n].
    """

    def loss(log_t: float) -> float:
        return log_loss(log_softmax(logits / np.exp(log_t), axis=-1), labels)

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))

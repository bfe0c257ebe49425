"""The vote: who takes part in which candidate, how their logits become one, and how far they disagree."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

CANDIDATES = ("kfold_best", "kfold_vote", "ensemble", "full", "super_ensemble")


def electorates(names: list[str], best_fold: str, *, members: str) -> dict[str, list[str]]:
    """The members of each candidate.

    Args:
      names: all trained members, as `kfold_0`, `ensemble_1`, `full`.
      best_fold: the fold model with the best validation accuracy.
      members: of the super ensemble's fold models: 'best' takes that one, 'all' every one.

    Returns:
      A name list for each of `CANDIDATES` that has a member.
    """
    folds = [name for name in names if name.startswith("kfold_")]
    ensemble = [name for name in names if name.startswith("ensemble_")]
    full = [name for name in names if name == "full"]
    chosen = folds if members == "all" else [name for name in folds if name == best_fold]
    found = {
        "kfold_best": [name for name in folds if name == best_fold],
        "kfold_vote": folds,
        "ensemble": ensemble,
        "full": full,
        "super_ensemble": [*ensemble, *chosen, *full],
    }
    return {name: voters for name, voters in found.items() if voters}


def vote(logits: np.ndarray, *, average: str) -> np.ndarray:
    """One set of log-probabilities [n, class] from the members' logits [member, n, class].

    `average` is 'logits' (mean of logits, then softmax) or 'probabilities' (mean of probabilities).
    """
    if average == "logits":
        return log_softmax(logits.mean(0), axis=-1)
    return np.log(np.maximum(softmax(logits, axis=-1).mean(0), 1e-12))


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy in nats over the last axis."""
    p = np.clip(probabilities, 1e-12, 1)
    return -(p * np.log(p)).sum(-1)


def uncertainty(logits: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Total and epistemic uncertainty [n] in nats, from logits [member, n, class].

    Total is the entropy of the mean distribution; epistemic is that less the members' mean entropy, their mutual
    information (Depeweg et al. 2018, eq. 10), zero for one member.
    """
    p = softmax(logits / temperature, axis=-1)
    total = entropy(p.mean(0))
    return total, np.maximum(total - entropy(p).mean(0), 0.0)

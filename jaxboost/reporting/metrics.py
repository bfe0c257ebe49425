"""Scores of class probabilities: plain numbers that `metrics.json` can hold, with intervals by formula.

Axes: n rows, c classes, g groups of classes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from jaxboost.errors import InputError
from jaxboost.reporting.reliability import calibration_error

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# A class given probability 0 that turns out true costs -log(1e-12) = 27.6 nats, not infinity (no JSON).
SMALLEST_PROBABILITY = 1e-12
ROW_SUM_TOLERANCE = 1e-4


def score(
    probabilities: ArrayLike,
    labels: ArrayLike,
    formulas: Sequence[str] | NDArray[Any],
    classes: tuple[str, ...],
    groupings: Mapping[str, Mapping[str, str]],
    *,
    members: list[str],
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything `metrics.json` says of one set of predictions (the schema S), as plain Python numbers.

    Args:
        probabilities: [n, c], each row sums to 1 within 1e-4 (then divided by its sum).
        labels: [n] integers in 0..c-1.
        formulas: [n] the reduced formula of each row; rows of one formula are resampled together.
        classes: the c class names, in the order of the columns.
        groupings: name -> {class: group}. The identity, named "<c>-class", is always added.
        members: names of the networks that voted; passed on.
        bootstrap: number of resamples for the 95% interval of the accuracy.
        seed: of the resamples.

    Returns:
        n, accuracy, accuracy_ci95 [low, high], macro_f1 (over classes that occur in labels or predictions),
        balanced_accuracy (mean recall over classes that occur in labels), roc_auc (one against the rest,
        mean over classes with both outcomes; None where there is none), log_loss (nats a row), brier (sum
        over classes of squared differences, mean over rows; 0 to 2), ece (`calibration_error`), confusion
        (rows are true), by_grouping {name: {accuracy, macro_f1, roc_auc, log_loss}} of probabilities summed
        over each group, members. A tie for the largest probability goes to the first class.

    Raises:
        InputError: shapes that disagree, no rows, values not finite or negative, rows that do not sum
            to 1, labels out of range, groupings that do not fit the classes.
    """
    probabilities, labels = _checked(probabilities, labels, formulas, classes)
    if bootstrap < 1:
        raise InputError(f"score: bootstrap is {bootstrap}; give a number of resamples of at least 1")
    predicted = probabilities.argmax(axis=1)
    correct = predicted == labels
    confusion = _confusion(labels, predicted, len(classes))
    support = confusion.sum(axis=1)
    occurs = support > 0
    truth = np.eye(len(classes))[labels]
    return {
        "n": len(labels),
        "accuracy": float(correct.mean()),
        "accuracy_ci95": _accuracy_interval(correct, formulas, bootstrap, seed),
        "macro_f1": _macro_f1(confusion),
        "balanced_accuracy": float(np.mean(np.diag(confusion)[occurs] / support[occurs])),
        "roc_auc": _roc_auc(probabilities, labels),
        "log_loss": float(log_losses(probabilities, labels).mean()),
        "brier": float(np.square(probabilities - truth).sum(axis=1).mean()),
        "ece": calibration_error(probabilities.max(axis=1), correct),
        "confusion": confusion.tolist(),
        "by_grouping": {
            name: _grouped_scores(probabilities, labels, classes, grouping)
            for name, grouping in _with_identity(classes, groupings).items()
        },
        "members": [str(member) for member in members],
    }


def log_losses(probabilities: Floats, labels: Integers) -> Floats:
    """-log of the probability of the true class, [n] nats; probabilities below 1e-12 count as 1e-12."""
    true_class = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    # Clipped above: a sum of several classes may be 1 + 1e-16. "+ 0.0" makes 0.0 of -0.0.
    return -np.log(np.clip(true_class, SMALLEST_PROBABILITY, 1.0)) + 0.0


def grouping_matrix(classes: Sequence[str], grouping: Mapping[str, str]) -> tuple[tuple[str, ...], Floats]:
    """The groups of a coarser classification and the matrix that sums class probabilities into them.

    Args:
        classes: c class names.
        grouping: class -> group.

    Returns:
        (names, matrix): g group names in the order in which the classes first reach them; [c, g] of 0 and 1,
            one 1 a row, so that `probabilities @ matrix` is [n, g].

    Raises:
        InputError: a class without a group, or a grouped class that is not among `classes`.
    """
    lacking = [name for name in classes if name not in grouping]
    unknown = [name for name in grouping if name not in classes]
    if lacking or unknown:
        wrong = [f"it lacks {lacking}"] * bool(lacking) + [f"it names {unknown}, which are no classes"] * bool(unknown)
        raise InputError(
            f"the grouping {dict(grouping)} does not fit the classes {list(classes)}: {' and '.join(wrong)}; "
            "give each class exactly one group"
        )
    names = tuple(dict.fromkeys(grouping[name] for name in classes))
    matrix = np.zeros((len(classes), len(names)))
    matrix[np.arange(len(classes)), [names.index(grouping[name]) for name in classes]] = 1.0
    return names, matrix


def paired_difference(a: ArrayLike, b: ArrayLike, formulas: Sequence[str] | NDArray[Any]) -> tuple[float, float]:
    """Mean of a - b over rows and its standard error, rows of one formula counted as one draw.

    With d = a - b, its mean m and G formulas: SE = sqrt(G / (G - 1) * sum_g (sum_{i in g} (d_i - m))^2) / n,
    the cluster-robust error of a mean (Liang and Zeger 1986).

    Args:
        a: [n] a quantity of each row (log loss, correctness) under one model.
        b: [n] the same under another.
        formulas: [n] the formula of each row.

    Returns:
        (mean, standard error); the error is infinite where there is one formula only: nothing bounds it.

    Raises:
        InputError: lengths that disagree, no rows, or values not finite.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape or len(first) != len(formulas) or len(first) == 0:
        raise InputError(
            f"paired_difference: a is {first.shape}, b is {second.shape}, formulas has {len(formulas)}; "
            "give three lists of one length, at least 1"
        )
    difference = first - second
    if not np.isfinite(difference).all():
        raise InputError(f"paired_difference: row {_first(~np.isfinite(difference))} is not finite; score it again")
    mean = difference.mean()
    names, group = np.unique(np.asarray(formulas, dtype=str), return_inverse=True)
    if len(names) == 1:
        return float(mean), math.inf
    sums = np.bincount(group, weights=difference - mean)
    variance = len(names) / (len(names) - 1) * np.square(sums).sum() / len(difference) ** 2
    return float(mean), math.sqrt(variance)


def _checked(
    probabilities: ArrayLike,
    labels: ArrayLike,
    formulas: Sequence[str] | NDArray[Any],
    classes: tuple[str, ...],
) -> tuple[Floats, Integers]:
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or p.shape[1] != len(classes) or y.shape != p.shape[:1] or len(formulas) != len(p):
        raise InputError(
            f"score: probabilities are {p.shape}, labels {y.shape}, formulas {len(formulas)}, "
            f"classes {len(classes)}; give [n, c], [n], n and c"
        )
    if len(p) == 0:
        raise InputError("score: there are no rows; give at least one labelled row")
    if len(set(classes)) != len(classes):
        raise InputError(f"score: the classes {list(classes)} are not distinct; name each once")
    if y.dtype.kind not in "iu":
        raise InputError(f"score: labels are {y.dtype}; give integers, the column of the true class")
    not_finite = ~np.isfinite(p).all(axis=1)
    if not_finite.any():
        raise InputError(f"score: probabilities of row {_first(not_finite)} are not finite; look for a diverged member")
    total = p.sum(axis=1)
    bad = (p < 0).any(axis=1) | (np.abs(total - 1) > ROW_SUM_TOLERANCE)
    if bad.any():
        row = _first(bad)
        raise InputError(
            f"score: row {row} is no distribution, it sums to {total[row]:.6g} with least value "
            f"{p[row].min():.6g}; give probabilities, not logits"
        )
    outside = (y < 0) | (y >= len(classes))
    if outside.any():
        row = _first(outside)
        raise InputError(f"score: the label of row {row} is {y[row]}, outside 0..{len(classes) - 1}")
    return p / total[:, None], y.astype(np.int64)


def _first(mask: ArrayLike) -> int:
    return int(np.flatnonzero(mask)[0])


def _confusion(labels: Integers, predicted: Integers, size: int) -> Integers:
    return np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)


def _macro_f1(confusion: Integers) -> float:
    # 2 tp + fp + fn is row sum + column sum, and 0 exactly for a class that neither occurs nor is predicted.
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * np.diag(confusion)[both > 0] / both[both > 0]))


def _roc_auc(probabilities: Floats, labels: Integers) -> float | None:
    present = np.bincount(labels, minlength=probabilities.shape[1])
    areas = [
        roc_auc_score(labels == k, probabilities[:, k])
        for k in range(probabilities.shape[1])
        if 0 < present[k] < len(labels)
    ]
    return float(np.mean(areas)) if areas else None


def _accuracy_interval(
    correct: NDArray[np.bool_], formulas: Sequence[str] | NDArray[Any], bootstrap: int, seed: int
) -> list[float]:
    """Percentile bootstrap (2.5%, 97.5%) over formulas; [0, 1] for one formula, which bounds nothing."""
    names, group = np.unique(np.asarray(formulas, dtype=str), return_inverse=True)
    if len(names) == 1:
        return [0.0, 1.0]
    groups = np.stack([np.bincount(group), np.bincount(group, weights=correct)], axis=1)
    # Formulas with the same (rows, correct) are interchangeable, so one multinomial over the few distinct
    # pairs has exactly the distribution of one over all formulas, at a thousandth of the draws.
    kinds, count = np.unique(groups, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(names), count / len(names), size=bootstrap) @ kinds
    low, high = np.quantile(drawn[:, 1] / drawn[:, 0], [0.025, 0.975])
    return [float(low), float(high)]


def _with_identity(
    classes: tuple[str, ...], groupings: Mapping[str, Mapping[str, str]]
) -> dict[str, Mapping[str, str]]:
    identity = f"{len(classes)}-class"
    if identity in groupings and len(set(groupings[identity].values())) != len(classes):
        raise InputError(
            f"the grouping {identity!r} merges classes, but that name is kept for the {len(classes)} classes "
            "themselves; give it another name"
        )
    return {**groupings, identity: {name: name for name in classes}}


def _grouped_scores(
    probabilities: Floats, labels: Integers, classes: tuple[str, ...], grouping: Mapping[str, str]
) -> dict[str, float | None]:
    names, matrix = grouping_matrix(classes, grouping)
    grouped, truth = probabilities @ matrix, matrix.argmax(axis=1)[labels]
    predicted = grouped.argmax(axis=1)
    return {
        "accuracy": float(np.mean(predicted == truth)),
        "macro_f1": _macro_f1(_confusion(truth, predicted, len(names))),
        "roc_auc": _roc_auc(grouped, truth),
        "log_loss": float(log_losses(grouped, truth).mean()),
    }

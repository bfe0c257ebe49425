"""Tables of candidates that predicted the same rows: scores with intervals, differences, accuracy by coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.grouped_scores import SCORES, grouped_scores, print_difference, print_header
from jaxboost.data.topomat import GROUPINGS
from jaxboost.errors import InputError
from jaxboost.inference.vote import entropy
from jaxboost.reporting.metrics import grouping_matrix, paired_difference, score

COVERAGES = (0.8, 0.9, 0.95, 1.0)
DOUBTS = {"entropy": entropy, "1 - max p": lambda p: 1 - p.max(-1)}
"""Name -> doubt [n] of probabilities [n, class]."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """What one model says of the rows that are compared.

    Attributes:
      probabilities: [n, class].
      train_seconds, predict_seconds: of all its models; None where it was not measured.
    """

    probabilities: np.ndarray
    train_seconds: float | None
    predict_seconds: float | None


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that are compared: labels [n], formulas [n], and the names of the classes."""

    labels: np.ndarray
    formulas: np.ndarray
    classes: tuple[str, ...]


def candidate_scores(candidate: Candidate, rows: Rows) -> dict[str, Any]:
    """What `jaxboost.reporting.metrics.score` gives, an interval for each grouping, and the seconds."""
    found = score(candidate.probabilities, rows.labels, rows.formulas, rows.classes, GROUPINGS, members=[])
    del found["members"]
    for name, grouping in GROUPINGS.items():
        groups, matrix = grouping_matrix(rows.classes, grouping)
        grouped = score(
            candidate.probabilities @ matrix, matrix.argmax(1)[rows.labels], rows.formulas, groups, {}, members=[]
        )
        found["by_grouping"][name]["accuracy_ci95"] = grouped["accuracy_ci95"]
    found["by_grouping"][f"{len(rows.classes)}-class"]["accuracy_ci95"] = found["accuracy_ci95"]
    return found | {"train_seconds": candidate.train_seconds, "predict_seconds": candidate.predict_seconds}


def accuracy_at_coverage(correct: np.ndarray, doubt: np.ndarray, coverage: float) -> float:
    """Accuracy on the share `coverage` of the rows [n] with the least doubt.

    Rows of equal doubt at the edge count with their mean, so the order of the rows does not matter.
    """
    if len(correct) == 0 or not 0 < coverage <= 1:
        raise InputError(f"accuracy_at_coverage: {len(correct)} rows, coverage {coverage}; give rows and a share")
    kept = max(1, round(coverage * len(correct)))
    edge = np.sort(doubt)[kept - 1]
    surer = doubt < edge
    right = correct[surer].sum() + (kept - surer.sum()) * correct[doubt == edge].mean()
    return float(right / kept)


def compare(
    title: str, candidates: Mapping[str, Candidate], rows: Rows, reference: str, selective: Sequence[str]
) -> dict[str, Any]:
    """Prints the tables of one part; returns all that stands in them as plain numbers.

    Args:
      title: of the part.
      candidates: by name.
      rows: what they predicted.
      reference: the candidate that the others are compared with.
      selective: candidates whose accuracy by coverage is shown.
    """
    print(f"\n== {title}: {len(rows.labels)} rows, {len(np.unique(rows.formulas))} formulas")
    scores = {name: candidate_scores(candidate, rows) for name, candidate in candidates.items()}
    _print_scores(scores)
    by_row = {name: grouped_scores(c.probabilities, rows.labels, rows.classes) for name, c in candidates.items()}
    print_header(f"- {reference}")
    for name, result in by_row.items():
        if name != reference:
            print_difference(name, result, by_row[reference], rows.formulas)
            differences = [
                paired_difference(result[:, i], by_row[reference][:, i], rows.formulas) for i in range(len(SCORES))
            ]
            scores[name][f"minus {reference}"] = dict(zip(SCORES, differences, strict=True))
    coverage = {name: _coverages(candidates[name].probabilities, rows.labels) for name in selective}
    _print_coverages(coverage)
    return {"rows": len(rows.labels), "reference": reference, "candidates": scores, "coverage": coverage}


def _print_scores(scores: Mapping[str, dict[str, Any]]) -> None:
    groupings = list(next(iter(scores.values()))["by_grouping"])
    print(f"\n{'accuracy, %':14}" + "".join(f"{name:>21}" for name in groupings))
    for name, found in scores.items():
        print(f"{name:14}" + "".join(f"{_accuracy(found['by_grouping'][grouping]):>21}" for grouping in groupings))
    losses = "".join(f"{name:>8}" for name in groupings)
    print(f"\n{'':14}{'macro F1':>9}{'log loss:':>10}{losses}{'ECE':>6}{'train, s':>9}{'predict':>8}")
    for name, found in scores.items():
        losses = "".join(f"{found['by_grouping'][grouping]['log_loss']:8.4f}" for grouping in groupings)
        error = "-" if found["ece"] is None else f"{found['ece']:.3f}"
        seconds = f"{_seconds(found['train_seconds']):>9}{_seconds(found['predict_seconds']):>8}"
        print(f"{name:14}{found['macro_f1']:9.3f}{'':10}{losses}{error:>6}{seconds}")


def _accuracy(found: Mapping[str, Any]) -> str:
    low, high = found["accuracy_ci95"]
    return f"{100 * found['accuracy']:.2f} ({100 * low:.1f} to {100 * high:.1f})"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _coverages(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Doubt -> coverage -> accuracy."""
    correct = probabilities.argmax(-1) == labels
    return {
        name: {f"{share:.0%}": accuracy_at_coverage(correct, doubt(probabilities), share) for share in COVERAGES}
        for name, doubt in DOUBTS.items()
    }


def _print_coverages(coverage: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    print(f"\n{'accuracy, % of the surest':28}" + "".join(f"{share:>9.0%}" for share in COVERAGES))
    for name, by_doubt in coverage.items():
        for doubt, found in by_doubt.items():
            print(f"{name + ', by ' + doubt:28}" + "".join(f"{100 * value:9.2f}" for value in found.values()))

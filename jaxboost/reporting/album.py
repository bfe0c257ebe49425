"""The figures and the report of one evaluation, from arrays to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxboost.reporting import figures
from jaxboost.reporting.report import write_report
from jaxboost.reporting.training_curves import learning_curves


def draw(
    folder: Path,
    metrics: Mapping[str, Any],
    probabilities: np.ndarray,
    uncertainty: np.ndarray,
    attention: np.ndarray,
    labels: np.ndarray,
    log: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> Path:
    """Draws `folder/figures/*.png` of the test rows and writes `folder/report.html`.

    Args:
      folder: of the evaluation.
      metrics: as in `metrics.json`.
      probabilities: [n, class]; uncertainty: [n]; attention: [n, 4]; labels: [n]: test rows, best candidate.
      log: rows of `log.jsonl`; empty for a table that the run did not train on.
      notes: sentences at the top of the report.
    """
    classes = metrics["task"]["classes"]
    to = folder / "figures"
    drawn = [
        ("Confusion of the test rows", figures.confusion_matrix(
            metrics["test"][metrics["best"]]["confusion"], classes, to / "confusion.png")),
        ("ROC, one class against the rest", figures.roc_curves(probabilities, labels, classes, to / "roc.png")),
        ("Reliability", figures.reliability_diagram(probabilities, labels, to / "reliability.png")),
        ("Accuracy when the least certain are refused", figures.coverage_accuracy(
            probabilities.argmax(-1) == labels, uncertainty, to / "coverage.png")),
        ("Attention by modality", figures.modality_attention(attention, labels, classes, to / "attention.png")),
    ]  # fmt: skip
    if log:
        drawn.insert(0, ("Learning curves", learning_curves(log, to / "learning_curves.png")))
    return write_report(folder, metrics, drawn, notes)

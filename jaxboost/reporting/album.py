"""The figures and the report of one evaluation, from arrays to files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxboost.reporting import figures, groups, listening
from jaxboost.reporting.cases import HELD_OUT, Cases, hardest, surest
from jaxboost.reporting.group_figures import group_dots, periodic_table
from jaxboost.reporting.metrics import grouping_matrix
from jaxboost.reporting.report import Contents, Picture, Section, write_report
from jaxboost.reporting.training_curves import learning_curves, member_curves

SHOWN_CASES = 15
_GROUPS = {
    "crystal system": groups.by_crystal_system,
    "atoms of the primitive cell": groups.by_size,
    "space group": groups.by_space_group,
}


def draw(
    folder: Path,
    metrics: Mapping[str, Any],
    cases: Cases,
    *,
    log: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    environment: Mapping[str, Any],
) -> Path:
    """Draws `folder/figures/*.png` and `*.svg`, and writes `folder/report.html`.

    Args:
      folder: of the evaluation.
      metrics: as in `metrics.json`.
      cases: all scored rows.
      log: rows of `log.jsonl`; empty for a table that the run did not train on.
      notes: sentences at the top of the report.
      environment: as in `environment.json`, of the training; may be empty.
    """
    to, classes = folder / "figures", tuple(metrics["task"]["classes"])
    held_out = {word: cases.of(split) for split, word in HELD_OUT.items() if (cases.split == split).any()}
    sections = [
        *([_training(log, to)] if log else []),
        _errors(metrics, held_out, to),
        _confidence(held_out["test"], to),
        _kinds(held_out, to),
        _listening(metrics, held_out["test"], classes, to),
    ]
    contents = Contents(
        sections=sections,
        groups={
            name: {word: by(own) for word, own in held_out.items()}
            for name, by in (*_GROUPS.items(), ("element", groups.by_element))
        },
        hardest=hardest(cases, classes, SHOWN_CASES),
        surest=surest(cases, classes, SHOWN_CASES),
        class_rows={
            split: [int((cases.of(split).labels == k).sum()) for k in range(len(classes))]
            for split in ("train", "vote", "test")
            if (cases.split == split).any()
        },
        environment=environment,
        notes=notes,
    )
    return write_report(folder, metrics, contents)


def _training(log: Sequence[Mapping[str, Any]], to: Path) -> Section:
    members = sorted({str(row["member"]) for row in log})
    epochs = max(row["epoch"] for row in log)
    last = f"{len(members)} members, at most {epochs} epochs"
    return Section(
        "Training",
        "Loss, validation accuracy and the learning rate's schedule. The full model has no validation rows.",
        [
            Picture(
                "Learning curves and schedule",
                learning_curves(log, to / "learning_curves.png"),
                f"Line chart: loss, validation accuracy and learning rate against the epoch; {last}.",
            ),
            Picture(
                "Every member",
                member_curves(log, to / "members.png"),
                f"A panel a member with training and validation loss against the epoch: {', '.join(members)}.",
            ),
        ],
    )


def _errors(metrics: Mapping[str, Any], held_out: Mapping[str, Cases], to: Path) -> Section:
    classes, test = tuple(metrics["task"]["classes"]), held_out["test"]
    best = metrics["test"][metrics["best"]]
    pictures = [
        Picture(
            f"Confusion of the test rows, {len(classes)} classes",
            figures.confusion_matrix(best["confusion"], classes, to / "confusion.png"),
            _matrix_in_words(best["accuracy"], len(test), classes),
        )
    ]
    for name, grouping in metrics["task"]["groupings"].items():
        names, matrix = grouping_matrix(classes, grouping)
        if len(names) == len(classes):
            continue
        grouped, truth = test.probabilities @ matrix, matrix.argmax(axis=1)[test.labels]
        predicted = grouped.argmax(axis=1)
        counts = [[int(((truth == i) & (predicted == j)).sum()) for j in range(len(names))] for i in range(len(names))]
        file = f"confusion_{re.sub(r'[^A-Za-z0-9-]', '_', name)}.png"
        pictures.append(
            Picture(
                f"Confusion of the test rows, {name}",
                figures.confusion_matrix(counts, names, to / file),
                _matrix_in_words(float((predicted == truth).mean()), len(test), names),
            )
        )
    if metrics.get("out_of_fold"):
        scores = metrics["out_of_fold"]
        pictures.append(
            Picture(
                "Confusion of the training rows, out of fold",
                figures.confusion_matrix(scores["confusion"], classes, to / "confusion_out_of_fold.png"),
                _matrix_in_words(scores["accuracy"], scores["n"], classes),
            )
        )
    area = "not defined" if best["roc_auc"] is None else f"{best['roc_auc']:.3f}"
    pictures.append(
        Picture(
            "ROC, one class against the rest",
            figures.roc_curves(test.probabilities, test.labels, classes, to / "roc.png"),
            f"ROC curves of the test rows, one for each class; the mean area under them is {area}.",
        )
    )
    return Section(
        "Errors",
        "Which classes are taken for which: a row of a matrix is a true class, its shares are of that class.",
        pictures,
    )


def _matrix_in_words(accuracy: float, rows: int, classes: Sequence[str]) -> str:
    return f"Confusion matrix of {rows:,} rows over {', '.join(classes)}: {accuracy:.1%} stand on the diagonal."


def _confidence(test: Cases, to: Path) -> Section:
    mean = test.probabilities.max(axis=1).mean()
    return Section(
        "Confidence",
        "Whether a probability is to be trusted, on the test rows, and what is gained by leaving doubtful ones out.",
        [
            Picture(
                "Reliability",
                figures.reliability_diagram(test.probabilities, test.labels, to / "reliability.png"),
                f"Reliability diagram: accuracy against confidence, whose mean is {mean:.1%} on rows of which "
                f"{test.correct.mean():.1%} are right.",
            ),
            Picture(
                "Accuracy when the least certain are refused",
                figures.coverage_accuracy(test.correct, test.uncertainty, to / "coverage.png"),
                "Line chart: accuracy on the rows that are answered against their share, the least uncertain first.",
            ),
        ],
    )


def _kinds(held_out: Mapping[str, Cases], to: Path) -> Section:
    pictures, most = [], 20
    for name, by in _GROUPS.items():
        series = {word: by(own) for word, own in held_out.items()}
        # Rows out of fold are several times as many: they say which space groups are common.
        series = dict(reversed(series.items())) if name == "space group" else series
        file = to / f"by_{name.replace(' ', '_')}.png"
        pictures.append(
            Picture(
                f"By {name}" + (f", the {most} most common" if name == "space group" else ""),
                group_dots(series, file, name, most),
                f"Accuracy with its interval by {name}; the figures are in the table 'By {name}' below.",
            )
        )
    for word, own in held_out.items():
        pictures.append(
            Picture(
                f"By element, {word} rows",
                periodic_table(groups.by_element(own), to / f"elements_{word.replace(' ', '_')}.png"),
                f"Periodic table: accuracy on the {word} rows that hold each element; the figures are in the table "
                "'By element' below.",
                is_wide=True,
            )
        )
    return Section(
        "Kinds of crystals",
        "Test rows by the best candidate, and training rows by the one fold model that did not see them. Intervals "
        "take rows as independent, which those of one formula are not.",
        pictures,
    )


def _listening(metrics: Mapping[str, Any], test: Cases, classes: tuple[str, ...], to: Path) -> Section:
    means = ", ".join(
        f"{name} {weight:.2f}" for name, weight in zip(listening.MODALITIES, test.attention.mean(axis=0), strict=True)
    )
    pictures = [
        Picture(
            "Attention by modality",
            listening.modality_attention(test.attention, test.labels, classes, to / "attention.png"),
            f"Mean attention weight of each modality by class of the test rows; over all rows: {means}.",
        ),
        Picture(
            "Attention between modalities",
            listening.cross_attention(test.cross_attention, to / "cross_attention.png"),
            "Heat map: the mean weight that each modality gives to each other one, on the test rows.",
        ),
    ]
    importance = metrics.get("importance")
    if importance:
        losses = {listening.PARTS[name]: found["log_loss"] for name, found in importance["parts"].items()}
        said = ", ".join(f"{name} {loss:+.3f}" for name, loss in sorted(losses.items(), key=lambda one: -one[1]))
        pictures.append(
            Picture(
                "Permutation importance",
                listening.importance_bars(importance, to / "importance.png"),
                f"Bars: log loss added on {importance['rows']:,} vote rows when a part is another crystal's: {said}.",
            )
        )
    return Section(
        "What it listens to",
        "Attention says where a vote looks; permutation importance what it would lose: each part in turn is dealt out "
        "anew among the crystals of a batch of vote rows, and they are scored again (95% intervals, over formulas).",
        pictures,
    )

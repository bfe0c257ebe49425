"""What benchmarks compare row by row: whether each grouping of the classes is right, and the log loss."""

import numpy as np

from jaxboost.data.topomat import GROUPINGS
from jaxboost.reporting.metrics import grouping_matrix, paired_difference

SCORES = (*GROUPINGS, "5-class", "log loss")


def grouped_scores(probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """`[n, len(SCORES)]` from probabilities `[n, class]` and labels `[n]`."""
    right = []
    for grouping in (*GROUPINGS.values(), {name: name for name in classes}):
        _, matrix = grouping_matrix(classes, grouping)
        right.append((probabilities @ matrix).argmax(axis=1) == matrix.argmax(axis=1)[labels])
    log_loss = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12))
    return np.stack([*right, log_loss], axis=1).astype(float)


def print_header(title: str) -> None:
    """The names of the scores."""
    print(f"\n{title:14}" + _aligned(list(SCORES)))


def _aligned(values: list[str]) -> str:
    return "".join(f"{value:>16}" for value in values[:-1]) + f"{values[-1]:>18}"


def print_means(name: str, result: np.ndarray) -> None:
    """One line of accuracies in percent and the log loss."""
    values = [f"{100 * value:.2f}" for value in result[:, :-1].mean(axis=0)] + [f"{result[:, -1].mean():.4f}"]
    print(f"{name:14}" + _aligned(values))


def print_means_with_errors(name: str, result: np.ndarray, formulas: np.ndarray) -> None:
    """`print_means`, each with its standard error by formula."""
    found = [paired_difference(column, np.zeros(len(column)), formulas) for column in result.T]
    values = [f"{100 * mean:.2f} +- {100 * error:.2f}" for mean, error in found[:-1]]
    values.append(f"{found[-1][0]:.4f} +- {found[-1][1]:.4f}")
    print(f"{name:14}" + _aligned(values))


def print_difference(name: str, result: np.ndarray, base: np.ndarray, formulas: np.ndarray) -> None:
    """One line of differences in points and of the log loss, each with its standard error by formula."""
    found = [paired_difference(result[:, i], base[:, i], formulas) for i in range(len(SCORES))]
    values = [f"{100 * d:+.2f} +- {100 * e:.2f}" for d, e in found[:-1]]
    values.append(f"{found[-1][0]:+.4f} +- {found[-1][1]:.4f}")
    print(f"{name:14}" + _aligned(values))

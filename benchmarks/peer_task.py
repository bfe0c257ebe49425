"""What every peer is given, and how each chooses its settings: on formulas held out of its own training rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from jaxboost.data.dataset import Dataset
from jaxboost.data.isopointal import relative_columns

HELD_OUT = 0.15  # of the formulas of the training rows, to choose settings and rounds on

Setting = TypeVar("Setting")


@dataclass(frozen=True, eq=False)
class Task:
    """The rows and what may be read of them.

    Attributes:
      dataset: crystals, labels, formulas.
      columns: [n, columns] float32, what the network reads as a row of fixed length, NaN where unknown.
      relatives: how many of them the network hears (`config.data.relatives`), so do the peers (`hearing`).
      cutoff: Angstrom, that of the stored crystal graph.
      threads: of libraries that take a number of them.
      seed: of draws and initial weights.
    """

    dataset: Dataset
    columns: np.ndarray
    relatives: int
    cutoff: float
    threads: int
    seed: int


def hearing(task: Task, train: np.ndarray) -> Task:
    """The task with what the isopointal relatives among the training rows [m] are labelled as further columns."""
    if not task.relatives:
        return task
    dataset = task.dataset
    heard = relative_columns(dataset.features, dataset.labels, train, task.relatives, len(dataset.classes))
    return replace(task, columns=np.concatenate([task.columns, heard], axis=1))


@dataclass(frozen=True)
class Fitted:
    """A peer after training.

    Attributes:
      predict: rows [m] of the task -> probabilities [m, class].
      setting: what was chosen, in words.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    setting: str


def inner_split(task: Task, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training rows [m] as rows to fit on and rows to choose on; a formula is on one side."""
    shuffle = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=task.seed)
    seen, held = next(shuffle.split(train, groups=task.dataset.formulas[train]))
    return train[seen], train[held]


def best_setting(
    task: Task,
    train: np.ndarray,
    settings: Sequence[Setting],
    losses: Callable[[Setting, np.ndarray, np.ndarray], Sequence[float]],
) -> tuple[Setting, int]:
    """The setting and the number of rounds with the least log loss on the inner held-out rows.

    Args:
      task, train: all rows, and those that may be used [m].
      settings: what is tried.
      losses: (setting, rows to fit on, rows to score) -> log loss after each round; one figure where there are none.
    """
    seen, held = inner_split(task, train)
    found = [np.asarray(losses(setting, seen, held)) for setting in settings]
    best = min(range(len(settings)), key=lambda i: found[i].min())
    return settings[best], int(found[best].argmin()) + 1

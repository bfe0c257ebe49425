"""Scored rows as the report looks at them, and which of them are the hardest and the surest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxboost.reporting.metrics import log_losses

# What `predictions.csv` and the report call the rows of each split.
HELD_OUT = {"test": "test", "train": "out of fold"}


@dataclass(frozen=True)
class Cases:
    """n rows and what the best candidate says of them, or of a training row the one fold model that did not see it.

    Attributes:
      ids, split, formulas: [n] text; split is 'test', 'vote' or 'train'.
      space_group: [n] international number.
      atoms: [n] of the primitive cell.
      elements: n sets of symbols.
      labels: [n] index of the class.
      probabilities: [n, class]; uncertainty: [n] nats.
      attention: [n, 4]; cross_attention: [n, 4, 4].
    """

    ids: np.ndarray
    split: np.ndarray
    formulas: np.ndarray
    space_group: np.ndarray
    atoms: np.ndarray
    elements: tuple[frozenset[str], ...]
    labels: np.ndarray
    probabilities: np.ndarray
    uncertainty: np.ndarray
    attention: np.ndarray
    cross_attention: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def correct(self) -> np.ndarray:
        """[n] bool, whether the largest probability is that of the label."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def losses(self) -> np.ndarray:
        """[n] minus the logarithm of the label's probability, nats."""
        return log_losses(self.probabilities, self.labels)

    def of(self, split: str) -> Cases:
        """The rows of one split."""
        rows = np.flatnonzero(self.split == split)
        return Cases(
            elements=tuple(self.elements[row] for row in rows),
            **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__ if name != "elements"},
        )


@dataclass(frozen=True)
class Case:
    """One row, to be read: `split` is a word of `HELD_OUT`, `probabilities` is by class."""

    id: str
    split: str
    formula: str
    space_group: int
    atoms: int
    label: str
    prediction: str
    probabilities: dict[str, float]

    @property
    def is_right(self) -> bool:
        """Whether what is predicted is what the row is labelled."""
        return self.prediction == self.label


def hardest(cases: Cases, classes: tuple[str, ...], count: int) -> list[Case]:
    """The held-out rows whose label was given the least probability, first; one of a formula and space group."""
    return _cases(cases, classes, cases.losses, count)


def surest(cases: Cases, classes: tuple[str, ...], count: int) -> list[Case]:
    """Those with the largest probability of any class, whether that is right or wrong; else as `hardest`."""
    return _cases(cases, classes, cases.probabilities.max(axis=1), count)


def _cases(cases: Cases, classes: tuple[str, ...], order: np.ndarray, count: int) -> list[Case]:
    held_out = np.flatnonzero(np.isin(cases.split, list(HELD_OUT)))
    ranked = held_out[np.argsort(-order[held_out], kind="stable")]
    # A polymorph once: the same crystal in several sizes would fill the table.
    kinds: dict[tuple[str, int], int] = {}
    for row in ranked:
        kinds.setdefault((str(cases.formulas[row]), int(cases.space_group[row])), int(row))
    rows = list(kinds.values())[:count]
    return [
        Case(
            id=str(cases.ids[row]),
            split=HELD_OUT[str(cases.split[row])],
            formula=str(cases.formulas[row]),
            space_group=int(cases.space_group[row]),
            atoms=int(cases.atoms[row]),
            label=classes[cases.labels[row]],
            prediction=classes[cases.probabilities[row].argmax()],
            probabilities={name: float(p) for name, p in zip(classes, cases.probabilities[row], strict=True)},
        )
        for row in rows
    ]

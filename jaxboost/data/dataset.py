"""A labelled table ready for a run: features, labels and splits of the rows that could be used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxboost.data.batches import Materials, make_materials
from jaxboost.data.isopointal import Reference, find_relatives, no_relatives
from jaxboost.data.materials import Table
from jaxboost.errors import InputError
from jaxboost.modalities.features import Features
from jaxboost.modalities.featurize import FeaturizerSettings, featurize

# The order of `Features.allowed`.
RULES = ("trivial", "insulator", "semimetal")


@dataclass(frozen=True, eq=False)
class Dataset:
    """The rows of a table whose structure could be used.

    Attributes:
      ids: [n] text; formulas: [n] reduced; labels: [n] index into `classes`, -1 unknown.
      classes: names.
      features: of the n rows.
      kept: [n] their row in the table.
      rejected: (input, reason) of every other row.
      source, sha256: of the table.
    """

    ids: np.ndarray
    formulas: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    features: Features
    kept: np.ndarray
    rejected: tuple[tuple[str, str], ...]
    source: str
    sha256: str

    def __len__(self) -> int:
        return len(self.ids)


class NothingUsable(InputError):
    """No structure of a table can be used; `rejected` holds (input, reason) of each."""

    def __init__(self, source: str, rejected: tuple[tuple[str, str], ...]) -> None:
        self.rejected = rejected
        first = f"; the first: {rejected[0][0]}: {rejected[0][1]}" if rejected else ""
        super().__init__(f"{source}: none of its structures can be used{first}")


def featurize_table(
    table: Table,
    settings: FeaturizerSettings,
    *,
    cache_dir: str,
    workers: int,
    progress: Callable[[int], None],
) -> Dataset:
    """Features of every row that can be used; the others are listed with their reason.

    Raises:
      NothingUsable: none is left.
    """
    features, kept, refused = featurize(
        table.structures, settings, cache_dir=Path(cache_dir).expanduser(), workers=workers, progress=progress
    )
    rejected = (*table.rejected, *((str(table.ids[row]), reason) for row, reason in refused))
    if features is None:
        raise NothingUsable(table.source, rejected)
    return Dataset(
        ids=np.asarray(table.ids)[kept],
        formulas=features.formula,
        labels=table.labels[kept],
        classes=table.classes,
        features=features,
        kept=kept,
        rejected=rejected,
        source=table.source,
        sha256=table.sha256,
    )


def possible_classes(allowed: np.ndarray, classes: tuple[str, ...], rules: Mapping[str, str]) -> np.ndarray:
    """[n, class] which classes symmetry and filling allow; a class without a rule is always possible.

    Args:
      allowed: [n, 3] as in `Features`.
      classes: names.
      rules: class -> one of `RULES`.

    Raises:
      InputError: a rule for a class that is not there, or of another name.
    """
    for name, rule in rules.items():
        if name not in classes or rule not in RULES:
            raise InputError(
                f"config.data.rules: {name!r} -> {rule!r}: the classes are {', '.join(classes)} "
                f"and the rules {', '.join(RULES)}"
            )
    columns = [allowed[:, RULES.index(rules[c])] if c in rules else np.ones(len(allowed), bool) for c in classes]
    return np.stack(columns, 1)


def resident(dataset: Dataset, rules: Mapping[str, str], reference: Reference, count: int) -> Materials:
    """The dataset as the arrays that live on the device, with `count` relatives of each crystal in the reference."""
    possible = possible_classes(dataset.features.allowed, dataset.classes, rules)
    features = dataset.features
    relatives = find_relatives(features, reference, count) if count else no_relatives(len(features))
    return make_materials(features, possible, dataset.labels, relatives)

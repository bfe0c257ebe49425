"""The rows of a run: a table read and split before any compute, then its features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.console import bar, say
from jaxboost.crystal import reduced_formula
from jaxboost.data.dataset import Dataset, featurize_table
from jaxboost.data.embedded import EmbeddedSettings, embedded_table
from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits, make_splits, splits_from_json
from jaxboost.data.topomat import CLASSES
from jaxboost.errors import InputError
from jaxboost.limits import check_classes
from jaxboost.run_folder import read_json


def split_table(config: ConfigDict, workdir: Path) -> tuple[Table, Splits]:
    """Everything that can be wrong with a table or its splits is found here, before any compute.

    But for the embedded table that an empty path makes: it is computed, once.
    """
    table = _table(config)
    return table, splits_of_table(config, workdir, table, config.data.test_fraction)


def splits_of_table(config: ConfigDict, workdir: Path, table: Table, test_fraction: float) -> Splits:
    """The splits that `workdir` has stored, else new ones; `test_fraction` counts where the table names no split.

    Raises:
      InputError: rules, groupings or stored splits do not fit the table, or it cannot be split.
    """
    check_classes(config, table.classes)
    stored = workdir / "splits.json"
    if stored.exists():
        return splits_from_json(read_json(stored), list(table.ids))
    formulas = [reduced_formula(structure.atomic_numbers) for structure in table.structures]
    return make_splits(
        formulas,
        table.labels,
        split=table.split,
        folds=config.kfold.folds,
        ensemble_members=config.ensemble.members,
        vote_fraction=config.data.vote_fraction,
        test_fraction=test_fraction,
        validation_fraction=config.ensemble.validation_fraction,
        seed=config.seed,
        classes=table.classes,
    )


def split_identity(sha256: str, config: ConfigDict) -> dict[str, Any]:
    """What decides which rows of a table (by the SHA-256 of its bytes) no figure may be fitted to."""
    return {
        "sha256": sha256,
        "seed": config.seed,
        "folds": config.kfold.folds,
        "vote_fraction": config.data.vote_fraction,
    }


def _table(config: ConfigDict) -> Table:
    if config.data.path:
        return read_table(config.data.path, label_column=config.data.label_column, classes=tuple(config.data.classes))
    if tuple(config.data.classes) not in ((), CLASSES):
        raise InputError(
            f"config.data.path is empty, and the embedded table has the classes {', '.join(CLASSES)}, not "
            f"{', '.join(config.data.classes)}: give a labelled table, as --config.data.path=materials.parquet, or a "
            "folder with id_prop.csv and structure files"
        )
    embedded = EmbeddedSettings(config.data.embedded_crystals, config.seed)
    say(f"config.data.path is empty: {embedded.crystals} embedded crystals, whose labels are a model's, not nature's")
    with bar("making crystals", embedded.crystals) as progress:
        return embedded_table(
            embedded,
            cache_dir=Path(config.data.cache_dir).expanduser(),
            workers=of.workers(config),
            progress=progress,
        )


def features_of(config: ConfigDict, table: Table, should_stop: Callable[[], bool] = lambda: False) -> Dataset:
    """Features of a table's rows, from the cache where they are there, with a bar on a terminal.

    Raises:
      KeyboardInterrupt: `should_stop`, asked as it goes, said so; what is there is in the cache.
    """
    with bar("featurising", len(table)) as show:

        def progress(done: int) -> None:
            show(done)
            if should_stop():
                raise KeyboardInterrupt

        return featurize_table(
            table,
            of.featurizer_settings(config),
            cache_dir=config.data.cache_dir,
            workers=of.workers(config),
            progress=progress,
        )


def splits_of_rows(splits: Splits, dataset: Dataset) -> Splits:
    """The splits of the rows that could be used. Raises `InputError` where a part has none."""
    kept = dataset.kept
    found = Splits(splits.test[kept], splits.vote[kept], splits.fold[kept], splits.ensemble_validation[:, kept])
    parts = {"test": (splits.test, found.test), "vote": (splits.vote, found.vote)}
    parts |= {f"fold {k}": (splits.fold == k, found.fold == k) for k in range(splits.fold.max() + 1)}
    empty = [name for name, (before, after) in parts.items() if before.any() and not after.any()]
    if empty:
        raise InputError(
            f"{dataset.source}: every row of {', '.join(empty)} is rejected ({len(dataset.rejected)} rows are in all); "
            "correct the rows that rejected.csv lists, or leave them out"
        )
    return found

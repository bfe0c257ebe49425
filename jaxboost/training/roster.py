"""The roster: which members a run trains, on which rows, with which figures."""

from __future__ import annotations

import numpy as np
from ml_collections import ConfigDict

from jaxboost.data.batches import fit_normalizer
from jaxboost.data.splits import Splits
from jaxboost.modalities.features import MODALITIES, Features
from jaxboost.training.member import Hyperparameters, Member
from jaxboost.training.schedule import cycles_to_fill

# Seeds of the three kinds lie apart, so that more folds or members change no other.
_SEEDS = {"kfold": 0, "ensemble": 1000, "full": 2000}


def make_roster(config: ConfigDict, splits: Splits, features: Features) -> list[Member]:
    """K folds, ensemble and full model, in this order.

    Every normalizer is fitted on the member's own training rows, and it knows the labels of those alone; vote and test
    rows stand in no member.
    """
    usable = splits.fold >= 0
    reference = reference_rows(splits) if config.data.relatives else None
    fitted = (features, reference, reader_steps(config))
    members = []
    for k in range(config.kfold.folds):
        validation = splits.fold == k
        figures = figures_of(config, config.kfold, _SEEDS["kfold"] + k)
        members.append(_member(f"kfold_{k}", usable & ~validation, validation, figures, *fitted))
    for i in range(config.ensemble.members):
        validation = splits.ensemble_validation[i]
        figures = figures_of(config, config.ensemble, _SEEDS["ensemble"] + i)._replace(
            dropout=config.ensemble.dropout + i * config.ensemble.dropout_step,
            weight_decay=config.optimizer.weight_decay * (1 + i * config.ensemble.weight_decay_step),
            mixup_alpha=config.ensemble.mixup_alpha + i * config.ensemble.mixup_alpha_step,
        )
        members.append(_member(f"ensemble_{i}", usable & ~validation, validation, figures, *fitted))
    figures = figures_of(config, config.full, _SEEDS["full"])
    members.append(_member("full", usable, np.zeros_like(usable), figures, *fitted))
    return members


def reference_rows(splits: Splits) -> np.ndarray:
    """Rows that the reference of a run is made of: those that some member sees."""
    return np.flatnonzero(splits.fold >= 0)


def reader_steps(config: ConfigDict) -> int:
    """In how many steps columns are cut: 0 where no reader reads them."""
    return config.network.reader_steps if config.network.reader_width else 0


def figures_of(config: ConfigDict, kind: ConfigDict, seed: int) -> Hyperparameters:
    """Those of a member of `config.kfold`, `ensemble` or `full`; `seed` is added to that of the config."""
    warmup = config.optimizer.warmup_epochs
    return Hyperparameters(
        seed=config.seed * 10_000 + seed,
        dropout=kind.dropout,
        column_dropout=config.objective.column_dropout,
        weight_decay=config.optimizer.weight_decay,
        mixup_alpha=kind.mixup_alpha,
        min_lr=config.optimizer.min_lr,
        max_lr=config.optimizer.max_lr,
        warmup_epochs=warmup,
        cycle_epochs=kind.cycle_epochs,
        cycles=kind.cycles or cycles_to_fill(kind.epochs, warmup, kind.cycle_epochs),
        epochs=kind.epochs,
        # The full model has no validation rows, so nothing can stop it early.
        patience=kind.patience if "patience" in kind else kind.epochs,
        modalities=np.ones(len(MODALITIES), bool),
    )


def _member(
    name: str,
    train: np.ndarray,
    validation: np.ndarray,
    figures: Hyperparameters,
    features: Features,
    reference: np.ndarray | None,
    steps: int,
) -> Member:
    rows = np.flatnonzero(train)
    known = np.zeros(1, bool) if reference is None else train[reference]
    normalizer = fit_normalizer(features, rows, known, steps)
    return Member(name, rows, np.flatnonzero(validation), normalizer, figures)

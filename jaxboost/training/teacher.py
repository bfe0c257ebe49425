"""What boosted trees say of a member's own training rows, and which columns they hear: a network learns from both.

Trees leave columns alone that say nothing; a network hears them all, and half of what it is behind is that
(docs/results.md). So its targets are softer than the labels, a share of them what trees say: Hinton et al.,
Distilling the Knowledge in a Neural Network (2015); and its columns count by what they gained the trees
(`column_weights`).

The trees are fitted inside the member: what they say of a row comes from trees fitted to other rows of other formulas,
and to none that the member holds out. The labels of relatives they hear from all training rows of the member, as the
network does, so a row's label does stand among the columns of its relatives. A trained member votes without trees.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from jaxboost.array_file import UnreadableArrays, open_arrays
from jaxboost.data.batches import Materials
from jaxboost.data.isopointal import column_count, columns
from jaxboost.errors import InputError
from jaxboost.modalities.pooled_columns import PooledColumns
from jaxboost.training.column_weights import weighted
from jaxboost.training.member import Member


class _Opinion(NamedTuple):
    """Probabilities [row, class] of some rows of a member, and what each column [c] gained the trees."""

    member: str
    part: int
    rows: np.ndarray
    probabilities: np.ndarray
    gains: np.ndarray


class Lesson(NamedTuple):
    """What all trees of a member say.

    Attributes:
      probabilities: [n, class] of its training rows, 0 of others.
      gains: [part, c] by how much splits on each column lowered the losses of the trees that speak of a part of the
        rows, the columns that relatives say at the end.
    """

    probabilities: np.ndarray
    gains: np.ndarray


def taught(
    members: Sequence[Member],
    pooled: PooledColumns,
    materials: Materials,
    *,
    gain_power: float,
    folds: int,
    workers: int,
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Member] | None:
    """The members with what trees say of their training rows and columns; None where it was stopped.

    Args:
      members: in any order; one changes nothing for another.
      pooled: a row of fixed length a crystal, n of them.
      materials: labels, formulas and relatives of the n rows.
      gain_power: of the members' columns, see `column_weights.weighted`.
      folds: parts that a member's training rows are cut into by formula; trees fitted on the others speak of each.
      workers: processes.
      folder: what is found is kept here, a file a member, and read again by a later start.
      progress: is told how many of `folds * len(members)` fits are done.
      should_stop: asked after each fit.

    Raises:
      InputError: a member has fewer formulas than `folds`, or a file cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {member.name: folder / f"{member.name}.npz" for member in members}
    left = [member for member in members if not paths[member.name].exists()]
    blank = _blank(pooled, materials, folds)
    found = {member.name: Lesson(*(array.copy() for array in blank)) for member in left}
    unsaid = dict.fromkeys(found, folds)
    fits = [fit for member in left for fit in _fits(member, pooled.table, materials, folds)]
    done = folds * (len(members) - len(left))
    progress(done)
    opinions = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(fits)
    for opinion in opinions:
        name = opinion.member
        found[name].probabilities[opinion.rows] = opinion.probabilities
        found[name].gains[opinion.part] = opinion.gains  # summed in one order, whoever is done first
        unsaid[name] -= 1
        if not unsaid[name]:
            _write(paths[name], found.pop(name))
        done += 1
        progress(done)
        if should_stop():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # joblib's, that some fits are for nothing
                opinions.close()
            return None
    lessons = [_read(paths[member.name], blank) for member in members]
    return [_told(member, lesson, pooled, gain_power) for member, lesson in zip(members, lessons, strict=True)]


def outlined(
    members: Sequence[Member], pooled: PooledColumns, materials: Materials, *, gain_power: float, folds: int
) -> list[Member]:
    """The members in the shapes that `taught` gives them, before anything is said; arguments and errors as there."""
    for member in members:
        _formulas(member, materials, folds)
    blank = _blank(pooled, materials, folds)
    return [_told(member, blank, pooled, gain_power) for member in members]


def _blank(pooled: PooledColumns, materials: Materials, folds: int) -> Lesson:
    n, classes = materials.possible.shape
    columns_read = pooled.table.shape[1] + column_count(classes)
    return Lesson(np.zeros((n, classes), np.float32), np.zeros((folds, columns_read), np.float32))


def _told(member: Member, lesson: Lesson, pooled: PooledColumns, gain_power: float) -> Member:
    weights = weighted(member.normalizer, pooled, lesson.gains.sum(0), gain_power, len(member.train))
    return replace(member, taught=lesson.probabilities, normalizer=weights)


def _fits(member: Member, pooled: np.ndarray, materials: Materials, folds: int) -> Iterator[Any]:
    """For each part of the member's rows, by formula, the call that fits trees on the others and asks them."""
    formula = _formulas(member, materials, folds)
    classes = materials.possible.shape[1]
    related = (materials.relative, materials.relative_distance, materials.relative_label)
    heard = columns(*related, member.normalizer.known, classes)
    seed = int(member.hyperparameters.seed)
    for part, (fit, rows) in enumerate(GroupKFold(folds).split(formula, groups=formula)):
        own = (member.train[fit], member.train[rows])
        yield joblib.delayed(_opinion)(member.name, part, pooled, heard, materials.label, *own, classes, seed)


def _formulas(member: Member, materials: Materials, folds: int) -> np.ndarray:
    """Of its training rows, of which there must be `folds` at least."""
    formula = np.asarray(materials.formula)[member.train]
    if (count := len(np.unique(formula))) < folds:
        raise InputError(
            f"{member.name} has {count} formulas to train on, too few for trees to teach it in "
            f"config.objective.taught_folds = {folds} parts: set config.objective.taught and gain_power to 0, or give "
            "more crystals"
        )
    return formula


def _opinion(
    member: str,
    part: int,
    pooled: np.ndarray,
    heard: np.ndarray,
    label: np.ndarray,
    fit: np.ndarray,
    rows: np.ndarray,
    classes: int,
    seed: int,
) -> _Opinion:
    """Of trees fitted on the rows `fit` on the rows `rows`."""
    known, asked = (np.concatenate([pooled[some], heard[some]], axis=1) for some in (fit, rows))
    told = _differ(known)
    shares = np.bincount(label[fit], minlength=classes) / len(fit)
    probabilities = np.tile(shares.astype(np.float32), (len(rows), 1))
    if shares.max() == 1 or not told.any():  # there is nothing to fit
        return _Opinion(member, part, rows, probabilities, np.zeros(len(told), np.float32))
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=16,
        min_samples_leaf=20,
        max_features=0.3,
        max_bins=48,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    # Other processes use the cores: threads that wait actively for each other would only get in the way.
    with threadpool_limits(limits=1):
        trees.fit(known[:, told], label[fit])
        probabilities[:, trees.classes_] = trees.predict_proba(asked[:, told])
    gains = np.zeros(len(told), np.float32)
    gains[told] = _gains(trees, int(told.sum()))
    return _Opinion(member, part, rows, probabilities, gains)


def _gains(trees: HistGradientBoostingClassifier, columns: int) -> np.ndarray:
    """[columns] the sum of what the splits on each column lower the loss by.

    scikit-learn gives these trees no importances; what they would be is in the trees' nodes.
    """
    nodes = np.concatenate([tree.nodes for of_round in trees._predictors for tree in of_round])
    nodes = nodes[nodes["is_leaf"] == 0]
    return np.bincount(nodes["feature_idx"], nodes["gain"], minlength=columns)


def _differ(table: np.ndarray) -> np.ndarray:
    """[column] whether it has two known values; scikit-learn's trees refuse a column that is unknown everywhere."""
    there = np.isfinite(table)
    return np.where(there, table, np.inf).min(axis=0) < np.where(there, table, -np.inf).max(axis=0)


def _write(path: Path, lesson: Lesson) -> None:
    """A reader sees no file or the whole one."""
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **lesson._asdict())
    part.replace(path)


def _read(path: Path, blank: Lesson) -> Lesson:
    """A member's, of the shapes of `blank`."""
    anew = "delete the file and start again: it is made anew"
    try:
        with open_arrays(path) as arrays:
            found = Lesson(*(arrays[name] for name in Lesson._fields))
    except UnreadableArrays as error:
        raise InputError(f"{error}; {anew}") from error
    there, wanted = ((lesson.probabilities.shape, lesson.gains.shape) for lesson in (found, blank))
    if there != wanted:
        raise InputError(
            f"{path}: it is of {there[0]} rows and classes and {there[1]} columns, and the table has {wanted[0]} and "
            f"{wanted[1]}; {anew}"
        )
    return found

"""Who trains on what: every split goes by reduced formula and keeps the shares of the classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxboost.errors import InputError

# One stream of random numbers a purpose, so that another number of folds or members changes no other split.
_TEST, _VOTE, _FOLDS, _ENSEMBLE = range(4)
_LISTED = 10  # of many offenders an error names this many


@dataclass(frozen=True, eq=False)
class Splits:
    """The rows of a table by what they are for. Rows of one formula are always together.

    Attributes:
      test: `[n]` bool, scored at the end.
      vote: `[n]` bool, training rows that no member sees: temperature and the best are chosen on them.
      fold: `[n]` int64, the fold (0 .. k-1) whose model is validated on the row; -1 on test and vote rows.
      ensemble_validation: `[members, n]` bool, the rows an ensemble member is validated on; it trains on the
        others with `fold >= 0`.
    """

    test: np.ndarray
    vote: np.ndarray
    fold: np.ndarray
    ensemble_validation: np.ndarray


def make_splits(
    formulas: Sequence[str],
    labels: np.ndarray,
    *,
    split: np.ndarray | None = None,
    folds: int = 5,
    ensemble_members: int = 3,
    vote_fraction: float = 0.06,
    test_fraction: float = 0.15,
    validation_fraction: float = 0.2,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> Splits:
    """Draws the splits; a pure function of its arguments.

    Args:
      formulas: `[n]`, the reduced formula of each row.
      labels: `[n]` integers from 0.
      split: `[n]` 'train' or 'test', the table's own; None: `test_fraction` of the rows are drawn as test.
      folds: folds of the cross-validation, at least 2.
      ensemble_members: how many own validation sets to draw, 0 or more.
      vote_fraction: share of the training rows that become vote rows.
      test_fraction: share of all rows; 0 for no test row.
      validation_fraction: share of the training rows left, for each ensemble member.
      seed: of all draws.
      classes: names for the labels, for messages; a named class without a row is an error too.

    Raises:
      InputError: a formula on both sides of `split`, one class only, a class with fewer rows left to train on
        than folds or whose rows all stand in one fold, a part that would be empty.
    """
    _check_settings(folds, ensemble_members, vote_fraction, test_fraction, validation_fraction)
    labels = np.asarray(labels)
    if labels.size == 0 or labels.min() < 0 or len(formulas) != len(labels):
        raise ValueError(f"{len(formulas)} formulas, {len(labels)} labels: expected n of both, none below 0")
    names = list(classes) or [str(label) for label in range(labels.max() + 1)]
    if labels.max() >= len(names):
        raise ValueError(f"label {labels.max()} with {len(names)} classes")
    present = np.unique(labels)
    if len(present) < 2:
        raise InputError(
            f"one class only: all {len(labels)} rows are {names[present[0]]!r}; "
            "give rows of at least two classes (config.data.path)"
        )
    unique_formulas, group = np.unique(np.asarray(formulas), return_inverse=True)

    def draw(rows: np.ndarray, shares: Sequence[float], *stream: int) -> np.ndarray:
        return _deal(group, labels, rows, shares, np.random.default_rng([seed, *stream]))

    everything = np.ones(len(labels), dtype=bool)
    if split is None and test_fraction == 0:
        test = ~everything
    elif split is None:
        test = draw(everything, (1 - test_fraction, test_fraction), _TEST, 0) == 1
    else:
        test = _given_test(split, group, unique_formulas)
    vote = draw(~test, (1 - vote_fraction, vote_fraction), _VOTE, 0) == 1
    rest = ~test & ~vote
    no_test = split is None and test_fraction == 0
    for part, count, field in (("test", test.sum(), "test_fraction"), ("vote", vote.sum(), "vote_fraction")):
        if count == 0 and not (no_test and part == "test"):
            raise InputError(f"no {part} row among {len(labels)}: give more rows, or raise config.data.{field}")
    _check_counts(np.bincount(labels[rest], minlength=len(names)), names, folds)
    fold = draw(rest, (1 / folds,) * folds, _FOLDS, 0)
    shares = (1 - validation_fraction, validation_fraction)
    members = [draw(rest, shares, _ENSEMBLE, member) == 1 for member in range(ensemble_members)]
    validation = np.array(members, dtype=bool).reshape(ensemble_members, len(labels))
    held_out = {f"fold {k}": fold == k for k in range(folds)}
    held_out |= {f"ensemble member {k}": validation[k] for k in range(ensemble_members)}
    for member, held in held_out.items():
        _check_trainable(member, rest, held, labels, names)
    return Splits(test=test, vote=vote, fold=fold, ensemble_validation=validation)


def _deal(
    group: np.ndarray, labels: np.ndarray, rows: np.ndarray, shares: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Deals the groups of `rows` to parts of given shares; returns the part of each row, -1 outside `rows`.

    Greedy: groups in random order, the largest first; each goes to the part that it would leave the least
    filled, by class and in all. A group counts half (Webster's rule of apportionment), so that a class of few
    rows is rounded to the nearest.
    """
    part_of_group = np.full(int(group.max()) + 1, -1)
    columns = int(labels.max()) + 1
    total = np.bincount(labels[rows], minlength=columns).tolist() + [int(rows.sum())]
    pairs, counts = np.unique(np.stack([group[rows], labels[rows]], axis=1), axis=0, return_counts=True)
    of_group: dict[int, list[tuple[int, int]]] = {}
    for (owner, label), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        of_group.setdefault(owner, []).append((label, count))
    shuffled = rng.permutation(np.unique(group[rows]))
    sizes = np.bincount(group[rows], minlength=len(part_of_group))[shuffled]
    filled = [[0.0] * (columns + 1) for _ in shares]
    # Plain lists: 20,000 groups by 5 parts take 0.1 s, array operations on five numbers ten times that.
    for owner in shuffled[np.argsort(-sizes, kind="stable")].tolist():
        content = of_group[owner]
        content = [*content, (columns, sum(count for _, count in content))]
        best, least = 0, float("inf")
        for part, share in enumerate(shares):
            have = filled[part]
            score = sum(count * (have[label] + count / 2) / total[label] for label, count in content) / share
            if score < least:
                best, least = part, score
        for label, count in content:
            filled[best][label] += count
        part_of_group[owner] = best
    return np.where(rows, part_of_group[group], -1)


def _given_test(split: np.ndarray, group: np.ndarray, formulas: np.ndarray) -> np.ndarray:
    test = np.asarray(split) == "test"
    torn = formulas[np.intersect1d(group[test], group[~test])]
    if len(torn):
        listed = ", ".join(torn[:_LISTED])
        more = f" and {len(torn) - _LISTED} more" if len(torn) > _LISTED else ""
        raise InputError(
            f"column 'split' puts {len(torn)} formulas on both sides: {listed}{more}; put all rows of a "
            "formula on one side, or drop the column and the test rows are drawn by formula"
        )
    if test.all() or not test.any():
        raise InputError(
            f"column 'split' says {'test' if test.all() else 'train'!r} in every row; "
            "mark rows of both kinds, or drop the column"
        )
    return test


def _check_settings(folds: int, ensemble_members: int, vote: float, test: float, validation: float) -> None:
    if folds < 2 or ensemble_members < 0:
        raise InputError(f"config.kfold.folds is {folds}, config.ensemble.members {ensemble_members}: at least 2 and 0")
    fractions = {"data.vote_fraction": vote, "ensemble.validation_fraction": validation}
    if test:
        fractions["data.test_fraction"] = test
    for name, value in fractions.items():
        if not 0 < value < 1:
            raise InputError(f"config.{name} is {value}: give a share of the rows above 0 and below 1")


def _check_counts(counts: np.ndarray, names: Sequence[str], folds: int) -> None:
    named = zip(names, counts.tolist(), strict=True)
    few = [f"{name!r} has {count}" for name, count in named if count < folds]
    if few:
        raise InputError(
            f"too few rows for {folds} folds once test and vote rows are set aside: class {', '.join(few)}. "
            f"Each class needs at least {folds}: give more rows, merge or leave out the class "
            "(config.data.classes), or use fewer folds"
        )


def _check_trainable(member: str, rest: np.ndarray, held: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    if not held.any():
        other = "use fewer folds" if member.startswith("fold") else "raise config.ensemble.validation_fraction"
        raise InputError(f"{member} would be validated on no row: give more formulas, or {other}")
    missing = np.setdiff1d(labels[rest], labels[rest & ~held])
    if len(missing):
        count = int((labels[rest] == missing[0]).sum())
        raise InputError(
            f"{member} would have no row of class {names[missing[0]]!r} to train on: its {count} rows stand "
            "under too few formulas; give rows of other formulas, or merge or leave out the class "
            "(config.data.classes)"
        )


def splits_to_json(splits: Splits, ids: Sequence[str]) -> dict[str, list]:
    """Returns the splits by material id, for `splits.json`: `test`, `vote`, `folds`, `ensemble_validation`.

    Args:
      splits: of n rows.
      ids: `[n]`, unique.
    """
    names = np.asarray(ids)
    return {
        "test": names[splits.test].tolist(),
        "vote": names[splits.vote].tolist(),
        "folds": [names[splits.fold == fold].tolist() for fold in range(splits.fold.max() + 1)],
        "ensemble_validation": [names[held].tolist() for held in splits.ensemble_validation],
    }


def splits_from_json(stored: dict[str, list], ids: Sequence[str]) -> Splits:
    """Returns what `splits_to_json` stored, for the rows in the order of `ids`.

    Raises:
      InputError: the stored ids are not exactly `ids`, each in one place: the table is not the run's.
    """
    row = {name: place for place, name in enumerate(np.asarray(ids).tolist())}
    if set(stored) != {"test", "vote", "folds", "ensemble_validation"}:
        raise InputError(
            f"splits.json is damaged: it holds {sorted(stored)}, expected test, vote, folds, "
            "ensemble_validation; use another --workdir"
        )
    placed = [name for part in (stored["test"], stored["vote"], *stored["folds"]) for name in part]
    trained = {name for part in stored["folds"] for name in part}
    strays = {name for part in stored["ensemble_validation"] for name in part} - trained
    if sorted(placed) != sorted(row) or strays:
        missing, unknown = sorted(set(row) - set(placed)), sorted(set(placed) - set(row))
        raise InputError(
            f"splits.json does not fit the table: {len(missing)} ids of the table are not in it "
            f"{missing[:_LISTED]}, {len(unknown)} of its ids are not in the table {unknown[:_LISTED]}, "
            f"{len(placed) - len(set(placed))} stand twice, {len(strays)} validation rows are no training "
            "rows; use the table that the run was started with, or another --workdir"
        )

    def mask(part: Sequence[str]) -> np.ndarray:
        found = np.zeros(len(row), dtype=bool)
        found[[row[name] for name in part]] = True
        return found

    fold = np.full(len(row), -1)
    for number, part in enumerate(stored["folds"]):
        fold[mask(part)] = number
    members = [mask(part) for part in stored["ensemble_validation"]]
    validation = np.array(members, dtype=bool).reshape(len(members), len(row))
    return Splits(test=mask(stored["test"]), vote=mask(stored["vote"]), fold=fold, ensemble_validation=validation)

"""jaxboost beside other models: same rows, same folds, same columns, in one command.

    python -m benchmarks.peers --config=configs/quick.py --config.data.path=TABLE --run=RUN --folds=5
    ... --test --output=peers.json        # the test rows as well; they choose nothing

majority    the shares of the classes          histogram  scikit-learn's histogram boosting
logistic    logistic regression                lightgbm   LightGBM    } pip install -r
forest      random forest                      xgboost    XGBoost     } requirements-bench.txt
mlp         two hidden layers of 256           cgcnn      crystal graph alone (Xie and Grossman 2018)

All but CGCNN read `jaxboost.modalities.pooled_columns` and what relatives among their training rows are labelled, as
the network does; what each searches on inner held-out formulas of its own training rows is in
`benchmarks/peer_models.py` and `benchmarks/cgcnn.py`. The folds and predictions of jaxboost are read from the finished
run; it is not trained again.

What is alike and what is not. Out of fold each row is predicted by one model that did not see its formula. Peers
give raw probabilities; jaxboost's have a temperature fitted on the vote rows, which no peer reads, and its fold models
choose their epoch on the very fold that is scored. On the test rows `NAME` is fitted to all training rows and
`NAME vote` is the mean of the fold models; jaxboost's candidates are votes too, restored from the run.
`jaxboost+trees` is half jaxboost, half the boosted libraries (mean over them; on the test rows of their votes): it
holds trees and is no result of jaxboost alone. Differences are peer - jaxboost, with errors by formula. Seconds to
train count the search and compiling; those of jaxboost out of fold are its whole run, all of its members, and those
of a candidate on the test rows the share of its members in that.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags
from threadpoolctl import threadpool_limits

from benchmarks import peer_models
from benchmarks.cgcnn import cgcnn
from benchmarks.peer_candidates import (
    Fit,
    measure,
    on_test_rows,
    some_formulas,
    stored_predictions,
    training_seconds,
    with_trees,
)
from benchmarks.peer_scores import Candidate, Rows, compare
from benchmarks.peer_task import Task
from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.data.dataset import Dataset
from jaxboost.errors import InputError
from jaxboost.modalities.pooled_columns import pooled_columns
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import read_json, write_json

PEERS: dict[str, Fit] = {
    "majority": peer_models.majority,
    "logistic": peer_models.logistic,
    "forest": peer_models.forest,
    "histogram": peer_models.histogram,
    "lightgbm": peer_models.lightgbm,
    "xgboost": peer_models.xgboost,
    "mlp": peer_models.mlp,
    "cgcnn": cgcnn,
}
BOOSTED = ("histogram", "lightgbm", "xgboost")
OPTIONAL = ("lightgbm", "xgboost")  # packages of the same names

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_RUN = flags.DEFINE_string("run", None, "folder of a finished jaxboost run on the same table", required=True)
_FOLDS = flags.DEFINE_integer("folds", 5, "how many of the folds are held out in turn", lower_bound=1)
_PEERS = flags.DEFINE_list("peers", list(PEERS), "which of them")
_TEST = flags.DEFINE_bool("test", False, "score the test rows as well")
_ROWS = flags.DEFINE_integer("rows", 0, "use about so many training rows, whole formulas, to try it; 0: all")
_THREADS = flags.DEFINE_integer(
    "threads", 2, "of trees and linear algebra; more than there are free cores is slow (JAX takes what it finds)"
)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file with all figures")


def main(_: list[str]) -> None:
    """Fits, scores, prints, writes."""
    config, run, chosen = _CONFIG.value, Path(_RUN.value), _chosen_peers()
    of.start_jax()
    of.compilation_cache(config)
    table, splits = split_table(config, run)
    dataset = features_of(config, table)
    splits = splits_of_rows(splits, dataset)
    _say_differences(config, run)
    fold = splits.fold
    if _ROWS.value:
        fold = some_formulas(fold, dataset.formulas, _ROWS.value, config.seed)
    seen, test = np.flatnonzero(fold >= 0), np.flatnonzero(splits.test) if _TEST.value else None
    held = [np.flatnonzero(fold == k) for k in range(_FOLDS.value)]
    if not all(len(rows) for rows in held):
        raise InputError(f"--folds={_FOLDS.value}: a fold has no rows; give fewer folds, or more --rows")
    rows = np.concatenate(held)
    stored = stored_predictions(run, "train", dataset.ids[rows], dataset.classes)
    spent = read_json(run / "metrics.json")["timing_s"]
    jaxboost = Candidate(stored, training_seconds(run), spent["evaluate"])

    task = Task(
        dataset,
        pooled_columns(dataset.features).table,
        config.data.relatives,
        config.crystal.cutoff,
        _THREADS.value,
        config.seed,
    )
    say(f"{len(seen)} training rows, {len(rows)} held out in {len(held)} folds, {task.columns.shape[1]} columns")
    with threadpool_limits(limits=_THREADS.value):
        peers = {name: measure(name, PEERS[name], task, seen, held, test) for name in chosen}

    written: dict[str, Any] = {"run": str(run), "settings": {name: peer.settings for name, peer in peers.items()}}
    candidates = {"jaxboost": jaxboost, **{name: peer.out_of_fold for name, peer in peers.items()}}
    boosted = [name for name in BOOSTED if name in peers]
    if boosted:
        candidates["jaxboost+trees"] = with_trees(jaxboost, [candidates[name] for name in boosted])
    selective = ["jaxboost", *boosted]
    written["out_of_fold"] = compare("out of fold", candidates, _rows(dataset, rows), "jaxboost", selective)
    if test is not None:
        candidates = on_test_rows(run, dataset, test)
        reference = next(iter(candidates))
        for peer in peers.values():
            candidates |= peer.on_test
        if boosted:
            votes = [candidates[f"{name} vote"] for name in boosted]
            candidates["jaxboost+trees"] = with_trees(candidates[reference], votes)
        selective = [reference, *(name + vote for name in boosted for vote in ("", " vote"))]
        written["test"] = compare("test", candidates, _rows(dataset, test), reference, selective)
    if boosted:
        print(f"\njaxboost+trees: half jaxboost, half the mean of {', '.join(boosted)}. It holds trees.")
    if _OUTPUT.value:
        write_json(Path(_OUTPUT.value), written)


def _rows(dataset: Dataset, rows: np.ndarray) -> Rows:
    return Rows(dataset.labels[rows], dataset.formulas[rows], dataset.classes)


def _chosen_peers() -> list[str]:
    """The peers asked for whose packages are there; says which are not."""
    unknown = [name for name in _PEERS.value if name not in PEERS]
    if unknown:
        raise InputError(f"--peers: {', '.join(unknown)} is unknown; there are {', '.join(PEERS)}")
    missing = [name for name in _PEERS.value if name in OPTIONAL and find_spec(name) is None]
    for name in missing:
        say(f"{name}: not installed: pip install -r requirements-bench.txt")
    return [name for name in _PEERS.value if name not in missing]


def _say_differences(config: ConfigDict, run: Path) -> None:
    changed = of.differences(read_json(run / "config.json"), of.plain(config))
    if changed:
        say("The run has another config than the columns of the peers:\n  " + "\n  ".join(changed))


if __name__ == "__main__":
    app.run(main)

"""Scored rows that tests make up: 40 test rows, 10 vote rows and 70 training rows of three classes."""

import numpy as np

from jaxboost.reporting.cases import Cases
from jaxboost.reporting.metrics import score

CLASSES = ("trivial", "strong", "weak")
GROUPINGS = {"binary": {"trivial": "trivial", "strong": "topological", "weak": "topological"}}
HOSTILE = """<script src="http://evil.example/x.js"></script><img src=x onerror='alert(1)'>"""
_SYMBOLS = ("H", "O", "Si", "Fe", "Bi", "Te", "U")


def made_cases(names: str = "F") -> Cases:
    """Ids and formulas begin with `names`."""
    rng = np.random.default_rng(0)
    n = 120
    labels = rng.integers(0, 3, n)
    p = 0.6 * rng.dirichlet(np.ones(3), n) + 0.4 * np.eye(3)[labels]
    return Cases(
        ids=np.array([f"{names}{row}" for row in range(n)]),
        split=np.repeat(["test", "vote", "train"], [40, 10, 70]),
        formulas=np.array([f"{names}{row % 50}" for row in range(n)]),
        space_group=rng.choice([2, 14, 62, 139, 166, 194, 225], n),
        atoms=rng.integers(1, 90, n),
        elements=tuple(frozenset(rng.choice(_SYMBOLS, 2)) for _ in range(n)),
        labels=labels,
        probabilities=p,
        uncertainty=-(p * np.log(p)).sum(1),
        attention=rng.dirichlet(np.ones(4), n),
        cross_attention=np.full((n, 4, 4), 1 / 3) * (1 - np.eye(4)),
    )


def made_metrics(cases: Cases) -> dict:
    """As in `metrics.json`, of one candidate."""

    def scores(split):
        own = cases.of(split)
        return score(own.probabilities, own.labels, own.formulas, CLASSES, GROUPINGS, members=["full"], bootstrap=20)

    part = {"log_loss": 0.1, "log_loss_se": 0.02, "accuracy": -0.05, "accuracy_se": float("inf")}
    return {
        "task": {"label": "topology", "classes": list(CLASSES), "groupings": GROUPINGS},
        "data": {
            "source": "table.parquet",
            "sha256": "ab" * 32,
            "rows": {"train": 80, "test": 40},
            "rejected": 4321,
            "grouped_by": "formula",
        },
        "out_of_fold": scores("train"),
        "vote": {"full": scores("vote")},
        "test": {"full": scores("test")},
        "best": "full",
        "timing_s": {"train": 9000.0},
        "importance": {
            "rows": 10,
            "shuffles": 5,
            "parts": {name: part for name in ("crystal", "kspace", "scalars", "electrons", "rules", "relatives")},
        },
    }


LOG = [
    {
        "member": member,
        "epoch": epoch,
        "lr": 1e-3 / (1 + epoch),
        "train_loss": 1 / (1 + epoch),
        "validation_loss": None if member == "full" else 1.1 / (1 + epoch),
        "validation_accuracy": None if member == "full" else 0.5 + 0.1 * epoch,
    }
    for member in ("kfold_0", "kfold_1", "full")
    for epoch in range(3)
]

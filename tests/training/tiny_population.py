"""Four members as small as they can be on 40 crystals of two classes, what trains them, and what that leaves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxboost.data.batches import fit_normalizer, make_materials, node_budget, symmetry_tables
from jaxboost.data.isopointal import no_relatives
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.models import Network, NetworkSettings
from jaxboost.training.loop import Workshop
from jaxboost.training.member import Hyperparameters, Member
from jaxboost.training.population import make_mesh
from jaxboost.training.training_settings import TrainingSettings
from tests.crystals import prototype

BATCH, EPOCHS = 8, 4
HYPER = Hyperparameters(
    seed=1, dropout=0.1, column_dropout=0.1, weight_decay=1e-3, mixup_alpha=0.4, min_lr=1e-4, max_lr=3e-3,
    warmup_epochs=1, cycle_epochs=EPOCHS, cycles=1, epochs=EPOCHS, patience=EPOCHS, modalities=np.ones(4, bool),
)  # fmt: skip
NETWORK = NetworkSettings(
    classes=2, cutoff=5.0, token=8, crystal_width=8, crystal_layers=1, radial=4, kspace_width=8, kspace_layers=1,
    kspace_heads=2, kspace_widths=(8,), scalar_widths=(8,), electron_widths=(8,), frequencies=2, column_width=2,
    group_width=2, fusion="attention",
    fusion_heads=2, fusion_width=8, classifier_widths=(8,),
    reader_width=0, reader_layers=2, recall_width=0, dtype="float32",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a run left behind: checkpoints by member, log rows."""

    restored: dict[str, Any]
    rows: list[dict[str, Any]]

    def rows_of(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["member"] == name]


def tiny_population() -> tuple[dict[str, Member], Workshop]:
    """Members by name, and a workshop on one device that has no folder yet: rocksalts and zincblendes."""
    pairs = [(m, x) for m in (12, 20, 30, 38, 56) for x in (8, 16, 34, 52)]
    structures = [prototype(name, pair, 5.0) for name in ("rocksalt", "zincblende") for pair in pairs]
    settings = FeaturizerSettings(neighbors=6, cutoff=5.0)
    features = concatenate([featurize_one(structure, settings) for structure in structures])
    labels = np.repeat([0, 1], len(pairs))
    rows = np.random.default_rng(0).permutation(len(labels))
    train, validation = rows[:32], rows[32:]
    normalizer = fit_normalizer(features, train, np.zeros(1, bool), 3)
    hypers = {
        "kfold_0": (HYPER, validation),
        "kfold_1": (HYPER._replace(seed=2, dropout=0.3), validation),
        "still": (HYPER._replace(seed=3, min_lr=0.0, max_lr=0.0, patience=2), validation),
        "full": (HYPER._replace(seed=4), validation[:0]),
    }
    members = {name: Member(name, train, own, normalizer, hyper) for name, (hyper, own) in hypers.items()}
    workshop = Workshop(
        network=Network(NETWORK),
        settings=TrainingSettings(
            steps_per_epoch=4, steps_per_call=2, nodes=node_budget(features.n_orbits, BATCH), cutoff=5.0, neighbors=6,
            jitter=0.02, strain=0.01, gamma=1.0, smoothing=0.05, taught=0.0, mixup_probability=0.5,
            recall_weight=1.0, recall_draw=16, clip_norm=1.0, lr_decay=0.8, axis="map",
        ),
        mesh=make_mesh(1, 1),
        materials=make_materials(features, np.ones((len(labels), 2), bool), labels, no_relatives(len(labels))),
        tables=symmetry_tables(),
        sizes=features.n_orbits,
        folder=Path(),
        identity={"classes": ["rocksalt", "zincblende"]},
        batch=BATCH,
        checkpoint_every=1,
    )  # fmt: skip
    return members, workshop

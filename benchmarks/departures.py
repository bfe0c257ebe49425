"""Where the recipe departs from its predecessor, and what the predecessor had in that place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict


@dataclass(frozen=True, eq=False)
class Departure:
    """A setting of the recipe.

    Attributes:
      name: for people.
      fields: path in the config -> what the predecessor had, at the widths of the config.
    """

    name: str
    fields: Mapping[str, Any]

    def undone(self, config: ConfigDict) -> ConfigDict:
        """The config with the predecessor's setting; a fold model has one cosine after its warmup, as before."""
        config = config.copy_and_resolve_references()
        config.update_from_flattened_dict(self.fields)
        config.kfold.cycle_epochs, config.kfold.cycles = config.kfold.epochs - config.optimizer.warmup_epochs, 1
        config.kfold.patience = config.kfold.epochs
        return config


def departures(config: ConfigDict) -> list[Departure]:
    """All that a single network can show, and all of them together at the end.

    Bands, without which features are others, are left to the rows of docs/results.md, what changes the vote and the
    rate's cycles to `benchmarks.techniques`. Neighbours beyond a smaller radius are there and count for nothing.
    """
    network = config.network
    first, widest = network.scalar_widths[0], network.classifier_widths[0]
    tapering = {
        "network.scalar_widths": tuple(first * part // 4 for part in (4, 3, 2)),
        "network.classifier_widths": tuple(widest // 2**i for i in range(len(network.classifier_widths))),
    }
    single: dict[str, dict[str, Any]] = {
        "labels of relatives": {"data.relatives": 0},
        "radius of the crystal graph": {"crystal.cutoff": 5.0},
        "narrow graphs": {"network.crystal_width": network.token, "network.kspace_width": network.token},
        "layers of equal width": tapering,
        "k-space pooled too": {"network.kspace_widths": ()},
        "column reader": {"network.reader_width": 0},
        "columns by gain": {"objective.gain_power": 0.0},
        "taught by trees": {"objective.taught": 0.0},
        "columns hidden": {"objective.column_dropout": 0.0},
        "dropout": {"kfold.dropout": 0.3},
        "weight decay": {"optimizer.weight_decay": 2e-4},
        "no focal loss": {"objective.gamma": 2.0},
        "no smoothing": {"objective.smoothing": 0.2},
        "no mixup": {"kfold.mixup_alpha": 0.2},
        "rate": {"optimizer.max_lr": 1e-4},
        "short warmup": {"optimizer.warmup_epochs": max(config.kfold.epochs // 4, 2)},
        "large batch": {"optimizer.batch": max(config.optimizer.batch // 8, 1)},
        "half the epochs": {"kfold.epochs": 2 * config.kfold.epochs},
    }
    whole = {path: value for fields in single.values() for path, value in fields.items()}
    whole["optimizer.warmup_epochs"] = max(whole["kfold.epochs"] // 4, 2)
    return [Departure(name, fields) for name, fields in (single | {"all of these": whole}).items()]

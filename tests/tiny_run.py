"""A run that predicts within seconds of its start: the smallest networks, untrained, and their table."""

from pathlib import Path

from ml_collections import ConfigDict

from benchmarks.untrained_run import untrained_run
from configs import quick
from tests.crystals import LABELS, small_table


def tiny_config(folder: Path) -> ConfigDict:
    """Of a run on `small_table`, which is written to `folder`, as is what is cached."""
    config = quick.get_config()
    config.data.path = str(small_table(folder / "table.parquet"))
    config.data.label_column = "kind"
    config.data.classes = LABELS
    config.data.rules = ConfigDict({name: name for name in LABELS})
    config.data.groupings = ConfigDict()
    config.data.cache_dir = str(folder / "cache")
    config.tight_binding.enabled = False
    config.vote.batch = 8
    config.views.count = 1
    shrink(config)
    return config


def shrink(config: ConfigDict) -> None:
    """Four networks as small as they can be, on crystals with few neighbours."""
    config.data.vote_fraction = 0.2
    config.data.workers = 1
    config.crystal.neighbors = 4
    config.crystal.cutoff = 5.0
    network = config.network
    network.token = network.crystal_width = network.kspace_width = network.fusion_width = network.reader_width = 8
    network.crystal_layers = network.kspace_layers = 1
    network.kspace_heads = network.fusion_heads = 2
    network.radial = network.group_width = 4
    network.kspace_widths = network.scalar_widths = network.electron_widths = network.classifier_widths = (8,)
    config.kfold.folds = 2
    config.ensemble.members = 1


def tiny_run(folder: Path) -> Path:
    """The folder of the run."""
    return untrained_run(tiny_config(folder), folder / "run")

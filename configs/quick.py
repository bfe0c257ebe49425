"""The same recipe for two CPU cores: every part of it, narrower and shorter.

    python main.py --config=configs/quick.py --config.data.path=TABLE
"""

from ml_collections import ConfigDict

from configs import extreme


def get_config() -> ConfigDict:
    """`configs/extreme.py` with the fields that differ; each of them is explained there."""
    config = extreme.get_config()
    config.name = "quick"

    network = config.network
    network.token = 128
    network.crystal_width = 32
    network.crystal_layers = 2
    network.radial = 16
    network.kspace_width = 32
    network.kspace_layers = 2
    network.kspace_heads = 4
    network.scalar_widths = (256, 256)
    network.electron_widths = (128, 128)
    network.group_width = 16
    network.fusion_width = 256
    network.classifier_widths = (256, 128, 64, 32)

    config.optimizer.batch = 128
    config.optimizer.max_lr = 1e-3
    config.optimizer.warmup_epochs = 1

    config.objective.gamma = 0.0
    config.objective.smoothing = 0.05

    config.kfold.epochs = 16
    config.kfold.cycle_epochs = 15
    config.ensemble.epochs = 16
    config.full.epochs = 16
    config.full.cycle_epochs = 15
    return config

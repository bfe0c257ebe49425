"""The quick recipe for the embedded default, about 3 minutes on two CPU cores from a cold start.

python main.py --config=configs/embedded.py

Its 2,000 crystals are drawn and their labels are those of a model, not of nature (jaxboost/data/embedded.py): this
shows that all works and how, not how well anything is known of real crystals.
"""

from ml_collections import ConfigDict

from jaxboost.configs import quick


def get_config() -> ConfigDict:
    """`quick.py` with the fields that differ; each of them is explained in `extreme.py` here."""
    config = quick.get_config()
    config.name = "embedded"

    config.tight_binding.enabled = False  # the labels are a band structure's: the network is to see the structure alone

    network = config.network
    network.token = 128
    network.scalar_widths = (256, 256)
    network.fusion_width = 192
    network.classifier_widths = (192, 192)
    network.reader_width = 0  # not tried on so few rows

    # 1,600 rows to train on: smaller batches, or there are too few steps, and the rate that was chosen with those.
    config.optimizer.batch = 64
    config.optimizer.max_lr = 3e-3
    config.objective.column_dropout = config.kfold.dropout = config.ensemble.dropout = config.full.dropout = 0.4
    config.objective.taught = 0.5
    config.objective.taught_folds = 3  # a quarter less to fit than with 4, and no worse
    config.objective.gain_power = 0.0  # not tried on so few rows
    config.kfold.epochs = config.ensemble.epochs = config.full.epochs = 16
    # No member stops early: the program is compiled again for fewer of them, which takes longer than it saves here.
    config.kfold.patience = config.ensemble.patience = 16
    config.kfold.cycle_epochs = config.ensemble.cycle_epochs = config.full.cycle_epochs = 15
    config.vote.batch = 64  # a batch of 256 would be mostly padding: 100 rows vote
    return config

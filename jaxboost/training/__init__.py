"""Training: the learning-rate schedule and the checkpoints of a population of networks."""

from jaxboost.training.checkpoints import Restored, has_checkpoint, restore_checkpoint, save_checkpoint
from jaxboost.training.schedule import cycles_to_fill, warmup_cosine_cycles

__all__ = [
    "Restored",
    "cycles_to_fill",
    "has_checkpoint",
    "restore_checkpoint",
    "save_checkpoint",
    "warmup_cosine_cycles",
]

"""What is the same for all members of a population."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """What is the same for all members; see `jaxboost/configs/extreme.py`."""

    steps_per_epoch: int
    steps_per_call: int
    nodes: int
    cutoff: float
    neighbors: int
    jitter: float
    strain: float
    gamma: float
    smoothing: float
    taught: float
    mixup_probability: float
    recall_weight: float
    recall_draw: int
    clip_norm: float
    lr_decay: float
    axis: str  # 'map' or 'vmap'

"""Where and with what a population trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxboost.data.batches import Materials
from jaxboost.models import Network, SymmetryTables
from jaxboost.training.training_settings import TrainingSettings


@dataclass(frozen=True)
class Workshop:
    """Where and with what a population trains.

    Attributes:
      network, settings, mesh: of the program.
      materials, tables: resident arrays.
      sizes: [n] orbits of each row.
      folder: the checkpoints' folder, one subfolder a member.
      identity: what a checkpoint must agree with to be used (classes, featurizer, network sizes), JSON.
      batch: crystals a step.
      checkpoint_every, checkpoint_seconds: epochs, and seconds, from one checkpoint to the next at least.
      ids: [n] names of the rows for messages; None: their numbers.
    """

    network: Network
    settings: TrainingSettings
    mesh: Mesh
    materials: Materials
    tables: SymmetryTables
    sizes: np.ndarray
    folder: Path
    identity: dict[str, Any]
    batch: int
    checkpoint_every: int
    checkpoint_seconds: float = 0.0
    ids: np.ndarray | None = None

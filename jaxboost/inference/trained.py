"""A trained member, as scoring needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxboost.data.batches import Normalizer
from jaxboost.models import Memory


@dataclass(frozen=True)
class TrainedMember:
    """What scoring needs of a member.

    Attributes:
      name: of its folder.
      params: weights, nested dicts of arrays.
      normalizer: fitted on its training rows.
      modalities: [4] bool, which it may see.
      memory: its training crystals, as it recalls them; not read without recall.
    """

    name: str
    params: Any
    normalizer: Normalizer
    modalities: np.ndarray
    memory: Memory

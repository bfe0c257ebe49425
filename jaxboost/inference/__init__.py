"""From trained members to probabilities: test-time augmentation, the vote, calibration."""

from jaxboost.inference.augmentation import Scored, Scorer, ScoringSettings, logits_program
from jaxboost.inference.calibration import fit_temperature
from jaxboost.inference.shuffling import PARTS, Shuffle
from jaxboost.inference.trained import TrainedMember
from jaxboost.inference.vote import CANDIDATES, electorates, uncertainty, vote

__all__ = [
    "CANDIDATES",
    "PARTS",
    "Scored",
    "Scorer",
    "ScoringSettings",
    "Shuffle",
    "TrainedMember",
    "electorates",
    "fit_temperature",
    "logits_program",
    "uncertainty",
    "vote",
]

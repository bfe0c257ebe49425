"""Flax modules: one encoder a modality, fusion, classifier, and the network that puts them together."""

from jaxboost.models.batch import Batch, SymmetryTables
from jaxboost.models.network import Network, NetworkSettings

__all__ = ["Batch", "Network", "NetworkSettings", "SymmetryTables"]

"""Flax modules: one encoder a modality, fusion, classifier, recall, and the network that puts them together."""

from jaxboost.models.batch import Batch, SymmetryTables
from jaxboost.models.network import Network, NetworkSettings
from jaxboost.models.recall import Memory

__all__ = ["Batch", "Memory", "Network", "NetworkSettings", "SymmetryTables"]

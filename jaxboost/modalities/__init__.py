"""Crystal -> arrays: the crystal graph, the k-space graph, the scalars, the electrons. No network, no label here."""

from jaxboost.modalities.features import MODALITIES, Features
from jaxboost.modalities.featurize import FeaturizerSettings, featurize

__all__ = ["MODALITIES", "Features", "FeaturizerSettings", "featurize"]

"""Crystal -> arrays: the crystal graph, the k-space graph, the scalars, the electrons. No network, no label here."""

from jaxboost.modalities.featurize import MODALITIES, Features, FeaturizerSettings, featurize

__all__ = ["MODALITIES", "Features", "FeaturizerSettings", "featurize"]

"""The k-space encoder: what it learns from the greatest of its points."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.data.batches import fit_normalizer, gather, make_materials, symmetry_tables
from jaxboost.data.isopointal import no_relatives
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.models.kspace_encoder import KSpaceEncoder
from tests.crystals import prototype

WIDTH = 8


def test_the_greatest_of_the_points_has_its_whole_gradient():
    """Every crystal has one greatest point a column, so what it adds to the gradient of the last LayerNorm's bias is
    known. Compiled as in training, and with a scale that is not 1: there XLA lost parts of the gradient of `max`.
    """
    settings = FeaturizerSettings(neighbors=6, cutoff=5.0)
    pairs = ((12, 8), (20, 16), (30, 34))
    structures = [prototype(name, pair, 5.0) for name in ("rocksalt", "zincblende") for pair in pairs]
    features = concatenate([featurize_one(structure, settings) for structure in structures])
    count = len(structures)
    materials = make_materials(features, np.ones((count, 2), bool), np.zeros(count, int), no_relatives(count))
    materials, tables = jax.tree.map(jnp.asarray, (materials, symmetry_tables()))
    normalizer = fit_normalizer(features, np.arange(count), np.zeros(1, bool), 3)
    batch = gather(
        materials, jnp.arange(count), nodes=64, normalizer=normalizer, modalities=jnp.ones(4, bool), cutoff=5.0
    )
    encoder = KSpaceEncoder(width=WIDTH, layers=1, heads=2, token=4, dtype=jnp.dtype("float32"))
    params = encoder.init(jax.random.key(0), batch, tables, None)["params"]
    rng = np.random.default_rng(0)
    params["LayerNorm_1"] = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape), params["LayerNorm_1"])
    upstream = rng.normal(size=(count, 4)).astype(np.float32)

    @jax.jit
    @jax.grad
    def gradient(params):
        return (encoder.apply({"params": params}, batch, tables, None) * upstream).sum()

    of_mean, of_greatest, _ = np.split(np.asarray(params["Dense_8"]["kernel"]), [WIDTH, 2 * WIDTH])
    wanted = (upstream @ (of_mean + of_greatest).T).sum(0)
    np.testing.assert_allclose(gradient(params)["LayerNorm_1"]["bias"], wanted, rtol=1e-4, atol=1e-5)

"""From the config to the settings of the parts."""

import json

import jax
import numpy as np
import pytest

from configs import extreme, quick
from jaxboost import settings
from jaxboost.errors import InputError
from jaxboost.modalities.bands import BandSettings
from jaxboost.modalities.featurize import FeaturizerSettings


@pytest.fixture
def config():
    return quick.get_config()


def test_widths_survive_the_way_through_json(config):
    stored = config.copy_and_resolve_references()
    stored.update(json.loads(config.to_json()))
    assert settings.network_settings(stored, 5) == settings.network_settings(config, 5)
    assert settings.network_settings(config, 5).dtype == ("float32" if jax.default_backend() == "cpu" else "bfloat16")
    assert settings.checkpoint_identity(stored, ("a",)) == settings.checkpoint_identity(config, ("a",))


def test_a_checkpoint_of_another_featurizer_or_network_is_told_apart(config):
    first = settings.checkpoint_identity(config, ("a", "b"))
    config.crystal.cutoff = 6.0
    config.network.radial = 17
    second = settings.checkpoint_identity(config, ("b", "a"))
    assert {key for key in first if first[key] != second[key]} == {"classes", "featurizer", "network"}


def test_bands_are_off_where_they_are_not_enabled():
    config = extreme.get_config()
    config.tight_binding.enabled = False
    off = settings.featurizer_settings(config)
    assert off == FeaturizerSettings(**config.crystal.to_dict()) and off.bands is None
    config.tight_binding.mesh = 2
    assert settings.featurizer_settings(config) == off
    config.tight_binding.enabled = True
    assert settings.featurizer_settings(config).bands == BandSettings(mesh=2)
    config.tight_binding.mesh = 3
    assert settings.featurizer_settings(config).bands == BandSettings()  # one default, not two


@pytest.mark.parametrize(("rows", "batch", "per_call"), [(1000, 32, 8), (1000, 32, 32), (5, 32, 32), (14000, 128, 32)])
def test_an_epoch_is_whole_calls_and_about_one_pass(config, rows, batch, per_call):
    config.optimizer.batch, config.population.steps_per_call = batch, per_call
    found = settings.training_settings(config, np.full(rows, 3), rows)
    assert found.steps_per_epoch % found.steps_per_call == 0 and found.steps_per_call <= per_call
    passes = max(rows // batch, 1)
    assert passes <= found.steps_per_epoch < passes + found.steps_per_epoch // found.steps_per_call
    assert found.nodes >= 3 * batch


def test_differences_name_what_computes_something_else(config):
    old = settings.plain(config)
    config.data.path = config.data.cache_dir = "elsewhere"
    config.name = "other"
    config.data.workers = 3
    # A run may go on with other devices than it began with.
    config.population.data_devices, config.population.axis = 2, "vmap"
    assert settings.differences(old, settings.plain(config)) == []
    config.kfold.folds = 7
    del old["seed"]
    assert settings.differences(old, settings.plain(config)) == ["kfold.folds: 5 -> 7", "seed: absent -> 0"]


def test_more_devices_for_a_batch_than_there_are(config):
    assert settings.device_mesh(config, 3).shape == {"member": min(3, jax.device_count()), "data": 1}
    config.population.data_devices = 64
    with pytest.raises(InputError, match="config.population.data_devices = 64"):
        settings.device_mesh(config, 3)


def test_a_run_of_more_devices_is_scored_with_those_that_are_here(config):
    """Also where they do not share batches as its training did; then a device has a whole batch's room."""
    here, sizes = jax.local_device_count(), np.full(1000, 3)
    config.vote.batch = 32
    config.population.data_devices = 1
    assert settings.scoring_mesh(config, 3).shape == {"member": min(3, here), "data": 1}
    alone = settings.scoring_settings(config, sizes).nodes
    config.population.data_devices = here
    assert settings.scoring_mesh(config, 3).shape == {"member": 1, "data": here}
    assert settings.scoring_settings(config, sizes).nodes <= alone
    config.population.data_devices = 64 * here + 1
    assert settings.scoring_mesh(config, 3).shape["data"] == 1
    assert settings.scoring_settings(config, sizes).nodes == alone


def test_nodes_of_a_batch_are_shared_by_its_devices(config):
    config.population.data_devices = 3
    config.optimizer.batch = 24
    assert settings.training_settings(config, np.full(100, 3), 100).nodes % 3 == 0


@pytest.mark.parametrize(("backend", "axis"), [("cpu", "map"), ("gpu", "vmap"), ("tpu", "vmap")])
def test_auto_is_by_backend(config, monkeypatch, backend, axis):
    """'auto' runs members one after another where they share a cache, and all at once on accelerators, in bfloat16."""
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert settings.training_settings(config, np.full(9, 3), 9).axis == axis
    assert settings.network_settings(config, 5).dtype == ("float32" if backend == "cpu" else "bfloat16")
    config.population.axis, config.network.dtype = "map", "float32"
    assert settings.training_settings(config, np.full(9, 3), 9).axis == "map"
    assert settings.network_settings(config, 5).dtype == "float32"


def test_workers_and_views(config):
    assert settings.workers(config) == settings.cores() >= 1
    config.data.workers = 3
    assert settings.workers(config) == 3
    config.views.count = 4
    assert settings.vote_views(config).jitter.shape == (4,) and settings.vote_views(config).jitter[0] == 0


def test_scoring_and_training_agree_on_the_graph():
    config = extreme.get_config()
    sizes = np.array([4, 9])
    scoring = settings.scoring_settings(config, sizes)
    assert scoring.cutoff == settings.training_settings(config, sizes, 2).cutoff == config.crystal.cutoff
    assert scoring.batch == config.vote.batch and scoring.seed == config.seed

"""From a run's config to the settings that the parts take: each part knows its own, none knows the config."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxboost.data.batches import node_budget
from jaxboost.data.views import View, test_views
from jaxboost.errors import InputError
from jaxboost.inference import ScoringSettings
from jaxboost.modalities.bands import BandSettings
from jaxboost.modalities.featurize import FeaturizerSettings
from jaxboost.models import NetworkSettings
from jaxboost.training.population import make_mesh, resolve_axis
from jaxboost.training.processes import several
from jaxboost.training.training_settings import TrainingSettings

# Fields that change where a run looks or how fast it is, not what it computes.
_FREE = {"name", "data.path", "data.cache_dir", "data.workers"} | {
    f"population.{name}" for name in ("axis", "data_devices", "checkpoint_every", "checkpoint_seconds")
}


def featurizer_settings(config: ConfigDict) -> FeaturizerSettings:
    """Of `config.crystal` and, where it is enabled, `config.tight_binding`."""
    bands = None
    if config.tight_binding.enabled:
        fields = config.tight_binding.to_dict()
        del fields["enabled"]
        bands = BandSettings(**fields)
    return FeaturizerSettings(**config.crystal.to_dict(), bands=bands)


def network_settings(config: ConfigDict, classes: int) -> NetworkSettings:
    """Of `config.network`; dtype 'auto' is bfloat16 on accelerators, float32 on CPUs."""
    fields = config.network.to_dict()
    del fields["reader_steps"]  # the network reads what it is given
    if fields["dtype"] == "auto":
        fields["dtype"] = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    fields |= {name: tuple(value) for name, value in fields.items() if isinstance(value, tuple | list)}
    return NetworkSettings(classes=classes, cutoff=config.crystal.cutoff, **fields)


def device_mesh(config: ConfigDict, members: int) -> Mesh:
    """Members over the devices of all processes, `config.population.data_devices` of them to a member's batch.

    One process leaves devices idle that no member needs; of several, each has its part.
    """
    data, devices = config.population.data_devices, jax.device_count()
    if devices < data or config.optimizer.batch % data or config.vote.batch % data:
        raise InputError(
            f"config.population.data_devices = {data}: it must be at most the number of devices ({devices}) and "
            f"divide config.optimizer.batch ({config.optimizer.batch}) and config.vote.batch ({config.vote.batch})"
        )
    if not several():
        return make_mesh(min(devices // data, members), data)
    if devices % data:
        raise InputError(f"config.population.data_devices = {data} must divide the {devices} devices of all processes")
    return make_mesh(devices // data, data)


def scoring_mesh(config: ConfigDict, members: int) -> Mesh:
    """As `device_mesh`, of the devices of this process alone: members are scored by one process."""
    devices, data = jax.local_devices(), _scoring_devices(config)
    return make_mesh(min(len(devices) // data, members), data, devices)


def _scoring_devices(config: ConfigDict) -> int:
    """Devices that share a scoring batch: `config.population.data_devices`, or fewer where a process has fewer."""
    return math.gcd(config.population.data_devices, jax.local_device_count())


def training_settings(config: ConfigDict, sizes: np.ndarray, train_rows: int) -> TrainingSettings:
    """Of `config.optimizer`, `objective` and `population`.

    Args:
      sizes: [n] orbits of each row of the table.
      train_rows: of a fold model; they make one epoch for every member.
    """
    batch, per_call = config.optimizer.batch, config.population.steps_per_call
    steps = max(train_rows // batch, 1)
    calls = -(-steps // per_call)
    per_call = -(-steps // calls)
    return TrainingSettings(
        steps_per_epoch=calls * per_call,
        steps_per_call=per_call,
        # A multiple, so that devices that share a batch have equal parts of its nodes.
        nodes=node_budget(sizes, batch, multiple=math.lcm(8, config.population.data_devices)),
        cutoff=config.crystal.cutoff,
        neighbors=config.crystal.neighbors,
        jitter=config.views.jitter,
        strain=config.views.strain,
        gamma=config.objective.gamma,
        smoothing=config.objective.smoothing,
        taught=config.objective.taught,
        mixup_probability=config.objective.mixup_probability,
        recall_weight=config.objective.recall_weight,
        recall_draw=config.objective.recall_draw,
        clip_norm=config.optimizer.clip_norm,
        lr_decay=config.optimizer.lr_decay,
        axis=resolve_axis(config.population.axis),
    )


def scoring_settings(config: ConfigDict, sizes: np.ndarray) -> ScoringSettings:
    """Of `config.vote`."""
    return ScoringSettings(
        batch=config.vote.batch,
        nodes=node_budget(sizes, config.vote.batch // _scoring_devices(config)),
        cutoff=config.crystal.cutoff,
        axis=resolve_axis(config.population.axis),
        seed=config.seed,
    )


def vote_views(config: ConfigDict) -> View:
    """The views of test-time augmentation."""
    return test_views(
        config.views.count,
        neighbors=config.crystal.neighbors,
        jitter=config.views.jitter,
        strain=config.views.strain,
        seed=config.seed,
    )


def checkpoint_identity(config: ConfigDict, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a checkpoint must agree with: classes and their order, featurizer, sizes of the network."""
    return {
        "classes": list(classes),
        "featurizer": featurizer_settings(config).digest,
        "relatives": config.data.relatives,
        "network": json.loads(json.dumps(config.network.to_dict())),
    }


def plain(config: ConfigDict) -> dict[str, Any]:
    """The config as JSON holds it."""
    return json.loads(config.to_json())


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Fields in which two configs would compute different things, as `field: old -> new`."""
    flat_old, flat_new = _flat(old), _flat(new)
    return [
        f"{name}: {flat_old.get(name, 'absent')} -> {flat_new.get(name, 'absent')}"
        for name in sorted(set(flat_old) | set(flat_new))
        if name not in _FREE and flat_old.get(name) != flat_new.get(name)
    ]


def workers(config: ConfigDict) -> int:
    """Processes that featurise."""
    return cores() if config.data.workers == -1 else config.data.workers


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_jax() -> None:
    """Makes every CPU core a device, so that members train side by side; accelerators do not read this.

    To be called before anything asks for a device.
    """
    # It would announce each kind of accelerator that is not there.
    logging.getLogger("jax").setLevel(logging.WARNING)
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", cores())


def compilation_cache(config: ConfigDict) -> None:
    """Compiled programs are kept beside the featurised crystals, so a second start does not compile again."""
    folder = Path(config.data.cache_dir).expanduser() / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat

"""A finished run whose members learned nothing: all that a prediction reads, in the time of featurising a table.

What a prediction costs, and whether it is written whole, does not depend on the weights.
"""

from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.data.batches import gather, node_budget, symmetry_tables
from jaxboost.data.dataset import resident
from jaxboost.evaluation import Ballot
from jaxboost.finished_run import keep_reference, keep_vote
from jaxboost.inference.vote import electorates
from jaxboost.modalities import MODALITIES
from jaxboost.models import Memory, Network
from jaxboost.rows import features_of, split_table, splits_of_rows
from jaxboost.run_folder import write_json
from jaxboost.training.checkpoints import save_checkpoint
from jaxboost.training.roster import make_roster


def untrained_run(config: ConfigDict, workdir: Path) -> Path:
    """Writes a run of `config` with the weights that its members begin with, and returns its folder."""
    table, splits = split_table(config, workdir)
    dataset = features_of(config, table)
    splits = splits_of_rows(splits, dataset)
    reference = keep_reference(workdir, dataset, splits)
    roster = make_roster(config, splits, dataset.features)
    write_json(workdir / "config.json", of.plain(config))

    network, tables = Network(of.network_settings(config, len(dataset.classes))), symmetry_tables()
    batch = gather(
        resident(dataset, config.data.rules, reference, config.data.relatives),
        np.arange(min(len(dataset), 8)),
        nodes=node_budget(dataset.features.n_orbits, min(len(dataset), 8)),
        normalizer=roster[0].normalizer,
        modalities=np.ones(len(MODALITIES), bool),
        cutoff=config.crystal.cutoff,
    )
    init = jax.jit(network.init)
    for member in roster:
        fitted = {
            "identity": of.checkpoint_identity(config, dataset.classes),
            "finished": True,
            "failed": False,
            "modalities": [True] * len(MODALITIES),
        }
        params = init(jax.random.key(member.hyperparameters.seed), batch, tables)["params"]
        shape = (len(member.train), config.network.recall_width)
        drawn = np.random.default_rng(member.hyperparameters.seed).normal(size=shape).astype(np.float32)
        memory = Memory(drawn, dataset.labels[member.train], np.ones(len(drawn), bool))
        tree = {"params": params, "normalizer": member.normalizer, "memory": memory}
        save_checkpoint(workdir / "members" / member.name, 0, tree, fitted)
    voters = electorates([member.name for member in roster], roster[0].name, members=config.vote.members)
    ballot = Ballot(config.vote.average, roster[0].name, voters, dict.fromkeys(voters, 1.0), "super_ensemble")
    keep_vote(workdir, ballot, dataset, splits)
    return workdir

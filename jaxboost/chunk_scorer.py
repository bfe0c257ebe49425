"""Scoring of chunk after chunk of structures by the members of a run, in programs of few shapes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from functools import cache

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxboost import settings as of
from jaxboost.data.batches import make_materials, pad_materials, symmetry_tables
from jaxboost.data.dataset import possible_classes
from jaxboost.data.isopointal import Reference, find_relatives, no_relatives
from jaxboost.evaluation import Ballot, Forecast, cast_votes
from jaxboost.inference import Scorer, ScoringSettings, TrainedMember, logits_program
from jaxboost.modalities.features import Features
from jaxboost.models import Network

ChunkScorer = Callable[[Features], Forecast]
ProgramMaker = Callable[[Network, ScoringSettings, Mesh], Callable[..., tuple]]


def chunk_scorer(
    config: ConfigDict,
    members: list[TrainedMember],
    ballot: Ballot,
    classes: Sequence[str],
    reference: Reference,
    rows: int,
    make_program: ProgramMaker | None = None,
) -> ChunkScorer:
    """Makes what scores at most `rows` crystals at a time.

    Crystals are padded to `rows`, their orbits and the nodes of a batch to one of a few sizes: the program is compiled
    for the first chunk, and again only where a chunk's crystals are larger or smaller by a third and more. The sizes
    depend on the chunk alone, and so do its figures, whatever was scored before.

    Args:
      config: of the run.
      members: that vote; ballot: how.
      classes: in the order of the logits.
      reference: of the run.
      rows: of the largest chunk.
      make_program: `logits_program`, or what keeps its programs for other scorers of the same shapes.
    """
    network = Network(of.network_settings(config, len(classes)))
    mesh = of.scoring_mesh(config, len(members))
    views, tables = of.vote_views(config), symmetry_tables()
    count, rules = config.data.relatives, config.data.rules

    @cache
    def program(settings: ScoringSettings) -> Callable[..., tuple]:
        return (make_program or logits_program)(network, settings, mesh)

    def score(features: Features) -> Forecast:
        n, sizes = len(features), features.n_orbits
        settings = of.scoring_settings(config, sizes)
        settings = replace(settings, nodes=rung(settings.nodes))
        possible = possible_classes(features.allowed, tuple(classes), rules)
        relatives = find_relatives(features, reference, count) if count else no_relatives(n)
        materials = make_materials(features, possible, np.full(n, -1), relatives)
        # Room for as many crystals of their mean size as a chunk has: the last chunk is like the others.
        materials = pad_materials(materials, rows, rung(-(-int(sizes.sum()) * rows // n)))
        scorer = Scorer(program(settings), settings, mesh, views, materials, tables, sizes)
        results = scorer(members, [np.arange(n)] * len(members))
        return cast_votes({m.name: r for m, r in zip(members, results, strict=True)}, ballot, ballot.best)

    return score


def rung(size: int) -> int:
    """The least of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... that is `size` or more."""
    power = 1 << (size - 1).bit_length()
    return power * 3 // 4 if size <= power * 3 // 4 else power


def voters_digest(members: list[TrainedMember], ballot: Ballot, reference: Reference) -> str:
    """Hash of all that a prediction depends on besides the config: voters, weights, what was fitted and is recalled,
    relatives.
    """
    digest = hashlib.sha256(json.dumps([asdict(ballot), [m.name for m in members]], sort_keys=True).encode())
    held = {f.name: getattr(reference, f.name) for f in fields(reference)}
    fitted = [(m.params, m.normalizer, m.modalities, m.memory) for m in members]
    for path, leaf in jax.tree.leaves_with_path((fitted, held)):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

"""Predictions for any number of structures: chunk after chunk in constant memory, and on from where it was stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jaxboost import __version__
from jaxboost import settings as of
from jaxboost.chunk_scorer import ChunkScorer, chunk_scorer, rung, voters_digest
from jaxboost.console import Bar, Stopwatch, bar, say
from jaxboost.crystal import Structure
from jaxboost.errors import InputError
from jaxboost.finished_run import config_of, present, reference_of, restore_members, vote_of
from jaxboost.inputs import find_inputs
from jaxboost.modalities import FeaturizerSettings, featurize
from jaxboost.part_folder import MANIFEST, PARTS, PartFolder
from jaxboost.prediction_table import prediction_columns, prediction_schema, prediction_table
from jaxboost.run_folder import read_json

CHUNK = 1024


@dataclass(frozen=True)
class ChunkSettings:
    """How the structures of a chunk become rows.

    Attributes:
      featurizer: what their arrays depend on.
      cache_dir: of arrays by content.
      keep: whether arrays that are not in the cache go there.
      workers: processes that featurise.
      schema: of the rows.
      classes: in the order of the logits.
      strict: the first structure that cannot be used is an error.
    """

    featurizer: FeaturizerSettings
    cache_dir: Path
    keep: bool
    workers: int
    schema: pa.Schema
    classes: tuple[str, ...]
    strict: bool


def predict(
    workdir: Path,
    inputs: Sequence[str],
    output: Path | None,
    *,
    strict: bool = False,
    allow_partial: bool = False,
    chunk: int = CHUNK,
    watch: Stopwatch | None = None,
) -> int:
    """Predicts unlabelled structures: a table with one row an input, in their order, whatever happens to each.

    Finished chunks wait in a folder beside the output until it is written, in one step (`part_folder`). The same call
    goes on after them, to the same bytes.

    Args:
      workdir: of a finished run.
      inputs: structure files (`crystal.readers.READABLE`), parquet tables, folders of either, globs.
      output: CSV, or parquet where its name ends so; None: `predicted/<time>.csv` in `workdir`.
      strict: the first input that cannot be used is an error.
      allow_partial: vote with the members that are there.
      chunk: structures that are in memory at a time, and that a killed call does again.
      watch: takes the time of 'read', 'featurize', 'score' and 'write'.

    Raises:
      InputError: the run or an input cannot be used, or the output holds the beginning of another prediction.
    """
    if chunk < 1:
        raise InputError(f"--chunk={chunk}: give the number of structures to have in memory at a time, 1 or more")
    watch = watch or Stopwatch()
    config = config_of(workdir)
    of.compilation_cache(config)
    vote = vote_of(workdir)
    found = find_inputs(inputs, of.workers(config))
    members = restore_members(config, workdir, vote.classes, allow_partial).members
    ballot = present(vote.ballot, {member.name for member in members})
    reference = reference_of(workdir)
    identity = of.plain(config) | {
        "inputs": found.identity(),
        "run": voters_digest(members, ballot, reference),
        "featurizer": of.featurizer_settings(config).digest,
        "jaxboost": __version__,
        "chunk": chunk,
        "strict": strict,
    }
    path = output or _output(workdir / "predicted", identity)
    if any(os.path.realpath(file) == os.path.realpath(path) for file in found.files() if file.endswith(path.name)):
        raise InputError(f"--output={path} is one of the inputs; give another name")
    settings = ChunkSettings(
        featurizer=of.featurizer_settings(config),
        cache_dir=Path(config.data.cache_dir).expanduser(),
        keep=len(found) <= chunk,  # a cache of everything would grow without bound, and be searched by every chunk
        workers=of.workers(config),
        schema=prediction_schema(vote.classes, config.tight_binding.enabled),
        classes=vote.classes,
        strict=strict,
    )
    scorer = chunk_scorer(config, members, ballot, vote.classes, reference, min(chunk, rung(len(found))))
    chunks = -(-len(found) // chunk)
    with PartFolder(path, identity) as parts, bar("predicting", len(found)) as progress:
        done = set(parts.finished())
        first = next((number for number in range(chunks) if number not in done), chunks)
        if first:
            say(f"{first} of {chunks} chunks are done already: going on after them")
        rows = found.read(first * chunk)
        for number in range(first, chunks):
            with watch.measure("read"):
                part = list(islice(rows, chunk))
            table = _predicted(part, settings, scorer, watch, number * chunk, progress)
            with watch.measure("write"):
                parts.add(number, table)
        with watch.measure("write"):
            rejected = parts.merge(chunks)
    say(f"{len(found)} inputs, {rejected} rejected: {path}")
    return 0


def _output(folder: Path, identity: dict[str, Any]) -> Path:
    """Of a call that names none: that of the same call where it was stopped, else a new one."""
    for manifest in sorted(folder.glob(f"*{PARTS}/{MANIFEST}")):
        if not of.differences(read_json(manifest), identity):
            return folder / manifest.parent.name.removesuffix(PARTS)
    name = time.strftime("%Y-%m-%dT%H-%M-%S")
    # Clocks are set back, and two calls may start in one second.
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(path for name in names if not (path := folder / f"{name}.csv").exists())


def _predicted(
    part: list[tuple[str, Structure | str]],
    settings: ChunkSettings,
    scorer: ChunkScorer,
    watch: Stopwatch,
    before: int,
    progress: Bar,
) -> pa.Table:
    """The rows of one chunk of inputs, after so many `before`."""
    names = [name for name, _ in part]
    reasons = {row: found for row, (_, found) in enumerate(part) if isinstance(found, str)}
    readable = np.array([row for row in range(len(part)) if row not in reasons], int)
    _refuse_if(settings.strict, names, reasons)
    with watch.measure("featurize"):
        features, accepted, refused = featurize(
            [found for _, found in part if isinstance(found, Structure)],
            settings.featurizer,
            cache_dir=settings.cache_dir,
            keep=settings.keep,
            workers=settings.workers,
            progress=lambda done: progress(before + done, title="featurising"),
        )
    reasons |= {int(readable[row]): reason for row, reason in refused}
    _refuse_if(settings.strict, names, reasons)
    progress(before + len(part), title="scoring")
    with watch.measure("score"):
        scored = {} if features is None else prediction_columns(features, scorer(features), settings.classes)
    return prediction_table(settings.schema, names, reasons, readable[accepted], scored)


def _refuse_if(strict: bool, names: list[str], reasons: dict[int, str]) -> None:
    if strict and reasons:
        first = min(reasons)
        name, reason = names[first], reasons[first]
        raise InputError(f"{reason if reason.startswith(name) else f'{name}: {reason}'} (--strict)")

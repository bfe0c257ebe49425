"""Many crystals to arrays: in parallel, cached by content and settings, every rejection with its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits

from jaxboost.crystal import Structure, StructureError, make_crystal
from jaxboost.modalities.bands import BandSettings, band_arrays, band_identity
from jaxboost.modalities.crystal_graph import crystal_graph
from jaxboost.modalities.electrons import electrons, valence_electrons
from jaxboost.modalities.feature_cache import open_cache, structure_key
from jaxboost.modalities.features import Features
from jaxboost.modalities.kspace_graph import crystal_points, space_group_arrays
from jaxboost.modalities.scalars import scalars
from jaxboost.modalities.valence_bands import valence_bands

# Raise it whenever the arrays of a crystal change: caches and checkpoints of another version are refused.
VERSION = 2
CHUNK = 64  # crystals a worker takes at a time
SHARD = 2048  # crystals a file of the cache holds: what an interruption loses
# The same with bands, which take a hundred times as long.
BAND_CHUNK = 16
BAND_SHARD = 128


@dataclass(frozen=True)
class FeaturizerSettings:
    """What the arrays of a crystal depend on besides the crystal.

    Attributes:
      symprec: tolerance of the symmetry search, Angstrom.
      max_atoms: largest primitive cell.
      cutoff: radius of the crystal graph, Angstrom.
      neighbors: nearest images kept around each atom.
      bands: how tight binding is computed, None for not at all.
    """

    symprec: float = 0.1
    max_atoms: int = 400
    cutoff: float = 8.0
    neighbors: int = 16
    bands: BandSettings | None = None

    @property
    def digest(self) -> str:
        """Hash of the featurizer's version and of these settings.

        Without bands it says nothing of them, so it is that of a table made before there were any.
        """
        held = {"version": VERSION, **asdict(self)}
        del held["bands"]
        if self.bands is not None:
            held["bands"] = band_identity(self.bands)
        text = json.dumps(held, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def featurize_one(structure: Structure, settings: FeaturizerSettings) -> Features:
    """The arrays of one structure. Raises `StructureError` with the reason when it is refused."""
    crystal = make_crystal(structure, symprec=settings.symprec, max_atoms=settings.max_atoms)
    graph = crystal_graph(crystal, cutoff=settings.cutoff, neighbors=settings.neighbors)
    valence_points, own_lines, atomic_limit = valence_bands(crystal)
    own = np.concatenate([crystal_points(crystal), valence_points], axis=1)
    electron_row, allowed, known = electrons(crystal)
    electron_row = np.concatenate([electron_row, atomic_limit])
    band_reason = ""
    if settings.bands is not None:
        band_points, band_lines, band_row, band_reason = band_arrays(crystal, settings.bands)
        own = np.concatenate([own, band_points], axis=1)
        own_lines = np.concatenate([own_lines, band_lines], axis=2)
        electron_row = np.concatenate([electron_row, band_row])
    p = space_group_arrays().present.shape[1]
    points = np.zeros((1, p, own.shape[1]), np.float32)
    points[0, : len(own)] = own
    lines = np.zeros((1, p, p, own_lines.shape[2]), np.float32)
    lines[0, : len(own), : len(own)] = own_lines
    nu = valence_electrons(crystal)
    return Features(
        offset=np.array([0, crystal.n_orbits]),
        element=graph.element,
        site_group=graph.site_group,
        multiplicity=graph.multiplicity,
        target=graph.target,
        distance=graph.distance,
        direction=graph.direction,
        points=points,
        lines=lines,
        scalars=scalars(crystal, graph.distance[:, 0])[None],
        electrons=electron_row[None],
        allowed=allowed[None],
        mask=np.array([[True, True, True, known]]),
        space_group=np.array([crystal.space_group_number], np.int16),
        valence_electrons=np.array([-1 if nu is None else nu], np.int32),
        identity=np.array([int(crystal.content_hash[:8], 16)], np.uint32),
        formula=np.array([crystal.formula]),
        band_reason=np.array([band_reason]),
    )


def featurize(
    structures: Sequence[Structure],
    settings: FeaturizerSettings,
    *,
    cache_dir: Path | None = None,
    keep: bool = True,
    workers: int | None = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Features | None, np.ndarray, list[tuple[int, str]]]:
    """Arrays of many structures.

    Args:
      structures: what the files say.
      settings: see `FeaturizerSettings`.
      cache_dir: where arrays are kept by content and settings; None keeps nothing.
      keep: False only looks into the cache.
      workers: processes on this machine; None leaves it to the `joblib.parallel_config` that the caller is in, as
        that of a Dask cluster.
      progress: called with the number of structures done.

    Returns:
      The arrays of the accepted structures (None if there is none), their indices [accepted], and
      (index, reason) of the refused ones.
    """
    keys = [structure_key(structure) for structure in structures]
    cache = open_cache(None if cache_dir is None else Path(cache_dir) / settings.digest[:16], set(keys))
    if not keep:
        cache = replace(cache, folder=None)
    missing = [i for i, key in enumerate(keys) if key not in cache]
    progress(len(structures) - len(missing))
    size, shard = (CHUNK, SHARD) if settings.bands is None else (BAND_CHUNK, BAND_SHARD)
    chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
    pending: list[tuple[str, Features | str]] = []
    done = len(structures) - len(missing)
    try:
        for chunk, results in _run(structures, chunks, settings, workers):
            pending += [(keys[i], result) for i, result in zip(chunk, results, strict=True)]
            done += len(chunk)
            progress(done)
            if len(pending) >= shard:
                cache.add(pending)
                pending = []
    finally:  # what is there when a signal or an error ends it is not computed again
        if pending:
            cache.add(pending)

    accepted = np.array([i for i, key in enumerate(keys) if key in cache.places], int)
    rejected = [(i, cache.refused[key]) for i, key in enumerate(keys) if key in cache.refused]
    if not len(accepted):
        return None, accepted, rejected
    return cache.take([keys[i] for i in accepted]), accepted, rejected


def _chunk(structures: list[Structure], settings: FeaturizerSettings) -> list[Features | str]:
    results: list[Features | str] = []
    # Matrices are small and other processes use the cores: threads of the linear algebra would only get in the way.
    with threadpool_limits(1):
        for structure in structures:
            try:
                results.append(featurize_one(structure, settings))
            except StructureError as error:
                results.append(str(error))
    return results


def _run(
    structures: Sequence[Structure], chunks: list[list[int]], settings: FeaturizerSettings, workers: int | None
) -> Iterator[tuple[list[int], list[Features | str]]]:
    parts = ([structures[i] for i in chunk] for chunk in chunks)
    if workers == 1 or (workers is not None and len(chunks) < 2):
        yield from ((chunk, _chunk(part, settings)) for chunk, part in zip(chunks, parts, strict=True))
        return
    jobs = (delayed(_chunk)(part, settings) for part in parts)
    with nullcontext() if workers is None else parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        yield from zip(chunks, Parallel(return_as="generator")(jobs), strict=True)

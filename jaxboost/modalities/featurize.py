"""Many crystals to arrays: in parallel, cached on disk by content and settings, every rejection with its reason."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config

from jaxboost.crystal import Structure, StructureError, make_crystal
from jaxboost.modalities.bands import BandSettings, band_arrays, band_identity
from jaxboost.modalities.crystal_graph import crystal_graph
from jaxboost.modalities.electrons import electrons, valence_electrons
from jaxboost.modalities.kspace_graph import crystal_points, space_group_arrays
from jaxboost.modalities.scalars import scalars
from jaxboost.modalities.valence_bands import valence_bands

# Raise it whenever the arrays of a crystal change: caches and checkpoints of another version are refused.
VERSION = 2
MODALITIES = ("crystal", "kspace", "scalars", "electrons")
CHUNK = 64  # crystals a worker takes at a time
SHARD = 2048  # crystals a cache file holds: what an interruption loses
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


@dataclass(frozen=True)
class Features:
    """Arrays of `n` crystals; the orbits of crystal i are the rows `offset[i]:offset[i + 1]`.

    Attributes:
      offset: [n + 1] int64.
      element, site_group, multiplicity: [orbits] int16, int8, int16 (`CrystalGraph`).
      target, distance: [orbits, K] int16, float32 (Angstrom); targets count from the crystal's first orbit.
      direction: [orbits, K, 3] float32.
      points: [n, p, columns] float32, what the crystal puts at each high-symmetry point (`crystal_points`, then
        those of `valence_bands` and, where they are asked for, of `bands`).
      lines: [n, p, p, columns] float32, what it puts on the lines between them (`valence_bands`, `bands`).
      scalars: [n, columns] float32, NaN where unknown.
      electrons: [n, columns] float32 (`electrons`, the atomic limit of `valence_bands`, `bands`), NaN where unknown.
      allowed: [n, 3] bool, whether trivial, insulator, semimetal remain possible.
      mask: [n, 4] bool, which of `MODALITIES` could be computed.
      space_group: [n] int16.
      valence_electrons: [n] int32 a primitive cell, -1 where unknown.
      identity: [n] uint32 from the crystal's content: the seed of what is drawn for it.
      formula: [n] reduced formula, str.
      band_reason: [n] str, why a crystal has no tight-binding bands; empty where it has or nobody asked for them.
    """

    offset: np.ndarray
    element: np.ndarray
    site_group: np.ndarray
    multiplicity: np.ndarray
    target: np.ndarray
    distance: np.ndarray
    direction: np.ndarray
    points: np.ndarray
    lines: np.ndarray
    scalars: np.ndarray
    electrons: np.ndarray
    allowed: np.ndarray
    mask: np.ndarray
    space_group: np.ndarray
    valence_electrons: np.ndarray
    identity: np.ndarray
    formula: np.ndarray
    band_reason: np.ndarray

    def __len__(self) -> int:
        return len(self.offset) - 1

    @property
    def n_orbits(self) -> np.ndarray:
        """[n] orbits of each crystal."""
        return np.diff(self.offset)

    def take(self, rows: np.ndarray) -> Features:
        """The crystals of the given rows, in that order."""
        size = self.n_orbits[rows]
        offset = np.concatenate([[0], np.cumsum(size)])
        start = np.repeat(self.offset[rows] - offset[:-1], size)
        orbit = np.arange(offset[-1]) + start
        values = {name: getattr(self, name)[orbit] for name in _RAGGED}
        values |= {name: getattr(self, name)[rows] for name in _FIXED}
        return Features(offset=offset, **values)


_RAGGED = ("element", "site_group", "multiplicity", "target", "distance", "direction")
_FIXED = tuple(f.name for f in fields(Features) if f.name not in ("offset", *_RAGGED))


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


def concatenate(parts: Sequence[Features]) -> Features:
    """One table from several, in order."""
    sizes = np.concatenate([part.n_orbits for part in parts])
    values = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_RAGGED, *_FIXED)}
    return Features(offset=np.concatenate([[0], np.cumsum(sizes)]), **values)


def featurize(
    structures: Sequence[Structure],
    settings: FeaturizerSettings,
    *,
    cache_dir: Path | None = None,
    workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Features | None, np.ndarray, list[tuple[int, str]]]:
    """Arrays of many structures.

    Args:
      structures: what the files say.
      settings: see `FeaturizerSettings`.
      cache_dir: where arrays are kept by content and settings; None keeps nothing.
      workers: processes.
      progress: called with the number of structures done.

    Returns:
      The arrays of the accepted structures (None if there is none), their indices [accepted], and
      (index, reason) of the refused ones.
    """
    keys = [structure_key(structure) for structure in structures]
    folder = None if cache_dir is None else Path(cache_dir) / settings.digest[:16]
    cached, refused = _read_cache(folder, set(keys))
    missing = [i for i, key in enumerate(keys) if key not in cached and key not in refused]
    progress(len(structures) - len(missing))
    size, shard = (CHUNK, SHARD) if settings.bands is None else (BAND_CHUNK, BAND_SHARD)
    chunks = [missing[i : i + size] for i in range(0, len(missing), size)]
    pending: list[tuple[str, Features | str]] = []
    done = len(structures) - len(missing)
    for chunk, results in _run(structures, chunks, settings, workers):
        pending += [(keys[i], result) for i, result in zip(chunk, results, strict=True)]
        done += len(chunk)
        progress(done)
        if len(pending) >= shard:
            _store(folder, pending, cached, refused)
            pending = []
    if pending:
        _store(folder, pending, cached, refused)

    accepted = np.array([i for i, key in enumerate(keys) if key in cached], int)
    rejected = [(i, refused[key]) for i, key in enumerate(keys) if key in refused]
    if not len(accepted):
        return None, accepted, rejected
    return _gather(cached, [keys[i] for i in accepted]), accepted, rejected


def structure_key(structure: Structure) -> str:
    """SHA-256 of lattice, elements and coordinates as read: what the cache is keyed by."""
    digest = hashlib.sha256(np.int64(structure.atomic_numbers).tobytes())
    digest.update(np.float64(structure.lattice).tobytes())
    digest.update(np.float64(structure.frac_coords).tobytes())
    return digest.hexdigest()


def _chunk(structures: list[Structure], settings: FeaturizerSettings) -> list[Features | str]:
    results: list[Features | str] = []
    for structure in structures:
        try:
            results.append(featurize_one(structure, settings))
        except StructureError as error:
            results.append(str(error))
    return results


def _run(
    structures: Sequence[Structure], chunks: list[list[int]], settings: FeaturizerSettings, workers: int
) -> Iterator[tuple[list[int], list[Features | str]]]:
    if workers == 1 or len(chunks) < 2:
        for chunk in chunks:
            yield chunk, _chunk([structures[i] for i in chunk], settings)
        return
    jobs = (delayed(_chunk)([structures[i] for i in chunk], settings) for chunk in chunks)
    # Matrices are small and there is a process for each core: threads of the linear algebra would only get in the way.
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        yield from zip(chunks, Parallel(return_as="generator")(jobs), strict=True)


# Where a crystal's arrays are: the table and its row there.
_Place = tuple[Features, int]


def _store(
    folder: Path | None,
    results: list[tuple[str, Features | str]],
    cached: dict[str, _Place],
    refused: dict[str, str],
) -> None:
    good = {key: result for key, result in results if isinstance(result, Features)}
    bad = {key: result for key, result in results if isinstance(result, str)}
    refused |= bad
    table = concatenate(list(good.values())) if good else None
    if table is not None:
        cached |= {key: (table, row) for row, key in enumerate(good)}
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {} if table is None else {f.name: getattr(table, f.name) for f in fields(Features)}
    arrays |= {"keys": np.array(list(good), "S64"), "refused_keys": np.array(list(bad), "S64")}
    arrays["refused_reasons"] = np.array(list(bad.values()), str)
    name = uuid.uuid4().hex
    with open(folder / f"{name}.partial", "wb") as file:
        np.savez(file, **arrays)
    os.replace(folder / f"{name}.partial", folder / f"{name}.npz")


def _read_cache(folder: Path | None, wanted: set[str]) -> tuple[dict[str, _Place], dict[str, str]]:
    cached: dict[str, _Place] = {}
    refused: dict[str, str] = {}
    if folder is None or not folder.is_dir():
        return cached, refused
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            keys = [key.decode() for key in shard["keys"]]
            hits = [row for row, key in enumerate(keys) if key in wanted]
            bad = zip(shard["refused_keys"], shard["refused_reasons"], strict=True)
            refused |= {key.decode(): str(reason) for key, reason in bad if key.decode() in wanted}
            if hits:
                # A table without bands may be older than the reason for it.
                names = {f.name for f in fields(Features)} & set(shard.files)
                table = Features(**{"band_reason": np.full(len(keys), ""), **{name: shard[name] for name in names}})
                cached |= {keys[row]: (table, row) for row in hits}
    return cached, refused


def _gather(cached: dict[str, _Place], keys: list[str]) -> Features:
    tables = {id(table): table for table, _ in (cached[key] for key in keys)}
    start, total = {}, 0
    for name, table in tables.items():
        start[name] = total
        total += len(table)
    rows = np.array([start[id(table)] + row for table, row in (cached[key] for key in keys)])
    return concatenate(list(tables.values())).take(rows)

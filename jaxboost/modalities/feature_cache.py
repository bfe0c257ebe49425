"""What was found of structures, in memory and on disk, by what their files said: nothing is computed twice."""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from jaxboost.array_file import UnreadableArrays, open_arrays
from jaxboost.crystal import Structure
from jaxboost.modalities.features import Features, concatenate

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FeatureCache:
    """Features and refusals by `structure_key`.

    Attributes:
      folder: of one featurizer's settings, a file for each `add`; None keeps nothing on disk.
      places: key -> the table that holds a structure's features, and its row there.
      refused: key -> why a structure has none.
    """

    folder: Path | None
    places: dict[str, tuple[Features, int]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.places or key in self.refused

    def add(self, results: Sequence[tuple[str, Features | str]]) -> None:
        """Takes (key, features or the reason of a refusal), and writes them where there is a folder, atomically."""
        good = {key: result for key, result in results if isinstance(result, Features)}
        bad = {key: result for key, result in results if isinstance(result, str)}
        self.refused.update(bad)
        table = concatenate(list(good.values())) if good else None
        if table is not None:
            self.places.update((key, (table, row)) for row, key in enumerate(good))
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = {} if table is None else {f.name: getattr(table, f.name) for f in fields(Features)}
        arrays |= {"keys": np.array(list(good), "S64"), "refused_keys": np.array(list(bad), "S64")}
        arrays["refused_reasons"] = np.array(list(bad.values()), str)
        name = uuid.uuid4().hex
        with open(self.folder / f"{name}.partial", "wb") as file:
            np.savez(file, **arrays)
        os.replace(self.folder / f"{name}.partial", self.folder / f"{name}.npz")

    def take(self, keys: Sequence[str]) -> Features:
        """One table of the features of `keys`, in that order."""
        tables = {id(table): table for table, _ in (self.places[key] for key in keys)}
        start, total = {}, 0
        for name, table in tables.items():
            start[name] = total
            total += len(table)
        rows = np.array([start[id(table)] + row for table, row in (self.places[key] for key in keys)])
        return concatenate(list(tables.values())).take(rows)


def open_cache(folder: Path | None, wanted: set[str]) -> FeatureCache:
    """The cache of a folder, with what is there of the `wanted` keys; a damaged file is passed over with a warning."""
    cache = FeatureCache(folder)
    if folder is None or not folder.is_dir():
        return cache
    for path in sorted(folder.glob("*.npz")):
        try:
            _read_file(path, wanted, cache)
        except UnreadableArrays as error:
            logger.warning("passed over, and what it held is computed again; remove the file: %s", error)
    return cache


def _read_file(path: Path, wanted: set[str], cache: FeatureCache) -> None:
    """Adds what one file holds of the `wanted` keys."""
    with open_arrays(path) as shard:
        keys = [key.decode() for key in shard["keys"]]
        hits = [row for row, key in enumerate(keys) if key in wanted]
        bad = list(zip(shard["refused_keys"], shard["refused_reasons"], strict=True))
        if hits:
            # A table without bands may be older than the reason for it.
            names = {f.name for f in fields(Features)} & set(shard)
            table = Features(**{"band_reason": np.full(len(keys), ""), **{name: shard[name] for name in names}})
    cache.refused.update((key.decode(), str(reason)) for key, reason in bad if key.decode() in wanted)
    if hits:
        cache.places.update((keys[row], (table, row)) for row in hits)


def structure_key(structure: Structure) -> str:
    """SHA-256 of lattice, elements and coordinates as read: what the cache is keyed by."""
    digest = hashlib.sha256(np.int64(structure.atomic_numbers).tobytes())
    digest.update(np.float64(structure.lattice).tobytes())
    digest.update(np.float64(structure.frac_coords).tobytes())
    return digest.hexdigest()

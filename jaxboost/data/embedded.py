"""The embedded default: crystals of known prototypes with the classes that a model of them has. Not nature.

Nothing here was measured or computed from first principles. Elements are drawn evenly, so most of these crystals would
not exist, and the model behind the labels is crude on purpose and known in full: extended Hueckel with the published
figures of `physics.tight_binding_elements`, but spin-orbit strengths half as large again and bonds a tenth weaker. It
is a world in which a label is exact and a whole run needs no download; an accuracy on it says nothing of real crystals.

A label is read from the model's own wave functions (`model_class`), and none of them reaches the network: it gets the
structure alone. (With `config.tight_binding.enabled` it would get bands too, by the published figures: a related model.
Set `max_orbitals` to 0 and they are without spin-orbit coupling.)
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config

from jaxboost.array_file import UnreadableArrays, open_arrays
from jaxboost.crystal import Crystal, Structure, make_crystal
from jaxboost.data import topomat
from jaxboost.data.materials import Table
from jaxboost.data.prototypes import PROTOTYPES, draw_structure
from jaxboost.errors import InputError
from jaxboost.physics.band_rule import class_of
from jaxboost.physics.band_structure import PathSettings
from jaxboost.physics.tight_binding_elements import Parameters, basis_electrons, published_parameters

logger = logging.getLogger(__name__)

# Raise it whenever another table comes out: caches of another version are not read.
VERSION = 3
SMALLEST_SHARE = 0.05  # of a class among the crystals
SMALLEST_SHARE_FROM = 500  # crystals; fewer are a matter of luck
CHUNK = 16  # crystals a worker takes at a time

SPIN_ORBIT, BONDS = 1.5, 0.9  # factors on the published figures
# 1: closest contact over sum of covalent radii. Narrower bands are gapped more often, wider ones inverted.
CONTACT = (0.9, 1.25)
PATHS = PathSettings(mesh=0)

# Twelve elements, so that 2,000 crystals can teach what each of them does: Sr Ba La Ti, Ga In, Sn Pb, Sb Bi, Se Te.
ELEMENTS: tuple[int, ...] = (38, 56, 57, 22, 31, 49, 50, 82, 51, 83, 34, 52)


@dataclass(frozen=True)
class EmbeddedSettings:
    """What the table depends on.

    Attributes:
      crystals: how many.
      seed: of all draws.
    """

    crystals: int = 2000
    seed: int = 0

    @property
    def digest(self) -> str:
        """Hash of these settings, the version, and all that a draw and its label depend on."""
        figures = hashlib.sha256(b"".join(np.float64(array).tobytes() for array in label_parameters()))
        free = {name: (found.species, found.ratios, found.heights) for name, found in PROTOTYPES.items()}
        held = {"version": VERSION, "parameters": figures.hexdigest(), **asdict(self), **asdict(PATHS)}
        held |= {"elements": ELEMENTS, "contact": CONTACT, "prototypes": free}
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def label_parameters() -> Parameters:
    """The figures of the model that makes the labels."""
    published = published_parameters()
    return published._replace(spin_orbit=published.spin_orbit * SPIN_ORBIT, shell_factor=published.shell_factor * BONDS)


def model_class(crystal: Crystal) -> str:
    """The class that the model gives a crystal, one of `topomat.CLASSES`.

    With spin-orbit coupling and time reversal, in this order:

    1. a degeneracy at the filling at a high-symmetry point (all crystals with an odd number of electrons): HSPSM;
    2. one on a line between them, or occupied representations that no insulator can have at all points: HSLSM;
    3. the symmetry indicators of the occupied states (`physics.symmetry_indicators`): TI where the strong index is odd,
       TCI where another is not zero;
    4. else trivial: what symmetry does not indicate counts as none.

    Raises:
      InputError: an element that the table lacks, or no empty state in the basis.
    """
    return class_of(crystal, label_parameters(), PATHS)


def draw_crystal(seed: int, number: int) -> tuple[str, Structure, str]:
    """Crystal `number` of the table: prototype, structure, class. Depends on nothing else.

    The prototypes take turns. Elements are drawn until their electrons are even in number: an odd number is a
    semimetal by Kramers' theorem, which a look at the elements would tell.
    """
    rng = np.random.default_rng([seed, number])
    name = list(PROTOTYPES)[number % len(PROTOTYPES)]
    prototype = PROTOTYPES[name]
    atoms = np.array([prototype.species.count(letter) for letter in prototype.letters])
    while True:
        elements = rng.choice(ELEMENTS, len(atoms), replace=False)
        if basis_electrons()[elements] @ atoms % 2:
            continue
        structure = draw_structure(name, elements.tolist(), rng.uniform(*CONTACT), rng)
        return name, structure, model_class(make_crystal(structure))


def embedded_table(
    settings: EmbeddedSettings,
    *,
    cache_dir: Path | None,
    workers: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Table:
    """The embedded table; the same for the same settings, whatever the number of workers.

    An id is the name of the prototype with a number: `rocksalt_00021` (`prototype_of`).

    Args:
      settings: see `EmbeddedSettings`.
      cache_dir: where the table is kept; None keeps nothing.
      workers: processes.
      progress: called with the number of crystals done.

    Raises:
      InputError: no crystals are asked for; a class has less than 5% of them.
    """
    if settings.crystals < 1:
        raise InputError(f"config.data.embedded_crystals is {settings.crystals}: give a number above 0")
    path = None if cache_dir is None else cache_dir / "embedded" / f"{settings.digest[:16]}.npz"
    rows = [] if path is None or not path.exists() else _read(path)
    if not rows:
        for part in _run(settings, workers):
            rows += part
            progress(len(rows))
        if path is not None:
            _write(path, rows)
    names, structures, classes = zip(*rows, strict=True)
    labels = np.array([topomat.CLASSES.index(found) for found in classes])
    shares = np.bincount(labels, minlength=len(topomat.CLASSES)) / len(labels)
    if len(labels) >= SMALLEST_SHARE_FROM and shares.min() < SMALLEST_SHARE:
        raise InputError(
            f"embedded table: {topomat.CLASSES[shares.argmin()]} has {100 * shares.min():.1f}% of the crystals and "
            "5% are promised: choose another config.seed"
        )
    return Table(
        ids=np.array([f"{name}_{number:05d}" for number, name in enumerate(names)]),
        structures=structures,
        labels=labels,
        classes=topomat.CLASSES,
        split=None,
        source=f"embedded ({settings.crystals} crystals, seed {settings.seed}; labels of a model, not of nature)",
        sha256=_content(rows),
    )


def prototype_of(material_id: str) -> str:
    """'rocksalt' of 'rocksalt_00021'."""
    return material_id.rpartition("_")[0]


_Row = tuple[str, Structure, str]


def _chunk(seed: int, numbers: range) -> list[_Row]:
    return [draw_crystal(seed, number) for number in numbers]


def _run(settings: EmbeddedSettings, workers: int) -> Iterator[list[_Row]]:
    starts = range(0, settings.crystals, CHUNK)
    chunks = [range(start, min(start + CHUNK, settings.crystals)) for start in starts]
    if workers == 1 or len(chunks) < 2:
        yield from (_chunk(settings.seed, chunk) for chunk in chunks)
        return
    jobs = (delayed(_chunk)(settings.seed, chunk) for chunk in chunks)
    # A process a core: threads of the linear algebra would only get in the way.
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        yield from Parallel(return_as="generator")(jobs)


def _content(rows: list[_Row]) -> str:
    total = hashlib.sha256()
    for name, structure, found in rows:
        total.update(f"{name} {found}\n".encode())
        for array in (structure.lattice, structure.frac_coords, structure.atomic_numbers):
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _write(path: Path, rows: list[_Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names, structures, classes = zip(*rows, strict=True)
    partial = path.with_name(f"{uuid.uuid4().hex}.partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            names=np.array(names),
            classes=np.array(classes),
            atoms=np.array([len(structure.atomic_numbers) for structure in structures]),
            lattice=np.array([structure.lattice for structure in structures]),
            frac_coords=np.concatenate([structure.frac_coords for structure in structures]),
            atomic_numbers=np.concatenate([structure.atomic_numbers for structure in structures]),
        )
    os.replace(partial, path)


def _read(path: Path) -> list[_Row]:
    """What `_write` wrote; nothing, with a warning, where it is damaged: then it is made anew."""
    try:
        with open_arrays(path) as stored:
            ends = np.cumsum(stored["atoms"])[:-1]
            coords, numbers = np.split(stored["frac_coords"], ends), np.split(stored["atomic_numbers"], ends)
            structures = [Structure(*parts) for parts in zip(stored["lattice"], coords, numbers, strict=True)]
            return list(zip(stored["names"].tolist(), structures, stored["classes"].tolist(), strict=True))
    except UnreadableArrays as error:
        logger.warning("the embedded table that was kept is made anew: %s", error)
        return []

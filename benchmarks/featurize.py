"""What featurising a table costs, by atoms in the primitive cell: without bands and with them.

    python -m benchmarks.featurize --data=TABLE [--sample=8] [--seed=0] [--cache=~/.cache/jaxboost]

Of each size a few crystals are drawn. Times are processor time on one thread, so other jobs on the machine matter
little (one on the other half of the same core still slows it), and those of the second of two calls, so that what a
process keeps, as space groups, is not counted; no cache is read or written. Every row's symmetry is found first, for
its size: about 4 ms a row. Settings are those of `configs/quick.py`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from configs import quick
from jaxboost.console import bar, say
from jaxboost.crystal import Crystal, Structure, StructureError, make_crystal
from jaxboost.data.materials import read_table
from jaxboost.errors import InputError
from jaxboost.modalities import FeaturizerSettings
from jaxboost.modalities.bands import BandSettings, path_settings
from jaxboost.modalities.feature_cache import open_cache, structure_key
from jaxboost.modalities.featurize import featurize_one
from jaxboost.physics.bonds import find_bonds
from jaxboost.physics.differentiable_bands import band_levels, pad_bonds
from jaxboost.physics.tight_binding_elements import published_parameters
from jaxboost.settings import featurizer_settings

FIRST = np.array([1, 5, 9, 13, 25, 49])  # atoms of the smallest cell of each size
SIZES = [*(f"{a}-{b - 1}" for a, b in zip(FIRST, FIRST[1:], strict=False)), f"{FIRST[-1]}+"]
COVERED = ("full", "cheap", "none")
K_POINTS = 64  # that an accelerator does at once,
PADDED = 12  # of a crystal filled up to so many atoms


@dataclass(frozen=True)
class Census:
    """The rows of a table whose structure can be used, and how many cannot.

    Attributes:
      row: [n] in the table; size: [n] index into `SIZES`; covered: [n] index into `COVERED`, by orbitals and elements.
    """

    row: np.ndarray
    size: np.ndarray
    covered: np.ndarray
    rejected: int


def take_census(structures: tuple[Structure, ...], settings: FeaturizerSettings, bands: BandSettings) -> Census:
    """Size and coverage of every structure; of `settings` only those of the symmetry search count."""
    found: list[tuple[int, int, int]] = []
    with bar("finding symmetries", len(structures)) as progress:
        for place, structure in enumerate(structures):
            try:
                crystal = make_crystal(structure, symprec=settings.symprec, max_atoms=settings.max_atoms)
            except StructureError:
                continue
            found.append(
                (place, int(np.searchsorted(FIRST, crystal.n_atoms, side="right")) - 1, coverage(crystal, bands))
            )
            progress(place + 1)
    row, size, covered = np.array(found, int).reshape(-1, 3).T
    return Census(row, size, covered, len(structures) - len(found))


def coverage(crystal: Crystal, settings: BandSettings) -> int:
    """Index into `COVERED`: what tight binding is asked for."""
    try:
        return COVERED.index("full" if path_settings(crystal, settings).lines else "cheap")
    except InputError:
        return COVERED.index("none")


def seconds(call: Callable[[], object]) -> float:
    """Processor time of the second of two calls."""
    call()
    began = time.process_time()
    call()
    return time.process_time() - began


def core_hours(rows: np.ndarray, times: list[np.ndarray]) -> tuple[float, float]:
    """For a whole table, with the standard error of what was drawn: NaN where one crystal stands for several rows.

    Args:
      rows: [size] of the table.
      times: [drawn] seconds a crystal, of each size; empty where there is no row.
    """
    total = sum(n * own.mean() for n, own in zip(rows, times, strict=True) if n)
    variance = 0.0
    for n, own in zip(rows, times, strict=True):
        if len(own) < n:  # where all are drawn nothing is left to chance
            variance += n * (n - len(own)) * own.var(ddof=1) / len(own) if len(own) > 1 else np.nan
    return float(total) / 3600, float(variance) ** 0.5 / 3600


def accelerator_seconds(crystal: Crystal, atoms: int) -> tuple[float, int]:
    """Wall seconds of the levels with spin-orbit coupling at `K_POINTS` k-points, and the size of each matrix.

    Args:
      crystal: whose bonds; atoms: that it is filled up to.
    """
    parameters = published_parameters()
    bonds = find_bonds(crystal, parameters)
    padded = pad_bonds(bonds, atoms=atoms, bonds_size=len(bonds.first), kinds=len(bonds.kind_distance) + 1)
    kpoints = np.random.default_rng(0).random((K_POINTS, 3)) - 0.5
    with jax.enable_x64(True):
        call = jax.jit(partial(band_levels, spin_orbit=True))
        arguments = jax.device_put((parameters, padded, jnp.asarray(kpoints)))
        call(*arguments).block_until_ready()
        took = []
        for _ in range(5):
            began = time.perf_counter()
            call(*arguments).block_until_ready()
            took.append(time.perf_counter() - began)
    return float(np.median(took)), 18 * atoms


def read_back(folder: Path, structures: tuple[Structure, ...], settings: FeaturizerSettings) -> str:
    """How long the cache of these settings takes to be read, and how much of the table is there."""
    wall, processor = time.perf_counter(), time.process_time()
    keys = [structure_key(structure) for structure in structures]
    cache = open_cache(folder.expanduser() / settings.digest[:16], set(keys))
    found = [key for key in keys if key in cache.places]
    if found:
        cache.take(found)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return f"{len(found)} of {len(keys)} rows in {wall:.1f} s ({processor:.1f} s of processor)"


def main() -> None:
    """Draws, times, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="parquet table, as of the README")
    parser.add_argument("--sample", type=int, default=8, help="crystals of each size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder of featurised crystals, to time how it is read back")
    arguments = parser.parse_args()
    if arguments.sample < 1:
        parser.error("--sample: give at least 1")
    config = quick.get_config()
    config.tight_binding.enabled = True
    with_bands = featurizer_settings(config)
    without = replace(with_bands, bands=None)
    structures = read_table(arguments.data, label_column="", require_labels=False).structures

    with threadpool_limits(1):
        census = take_census(structures, without, with_bands.bands)
        say(
            f"{len(census.row)} crystals, {census.rejected} rejected; {arguments.sample} of each size drawn by seed "
            f"{arguments.seed}; ms a crystal and core (processor time), mean and standard error"
        )
        rng = np.random.default_rng(arguments.seed)
        times = _print_sizes(structures, census, (without, with_bands), rng, arguments.sample)
    rows = np.bincount(census.size, minlength=len(SIZES))
    for title, settings in (("without bands", without), ("with bands", with_bands)):
        hours, error = core_hours(rows, times[settings])
        say(f"whole table {title}: {hours:.3g} +- {error:.1g} core hours")
    shares = np.bincount(census.covered, minlength=3) / max(len(census.row), 1)
    say("bands: " + ", ".join(f"{name} {share:.1%}" for name, share in zip(COVERED, shares, strict=True)))
    if arguments.cache is not None:
        for title, settings in (("without bands", without), ("with bands", with_bands)):
            say(f"cache {title}: {read_back(arguments.cache, structures, settings)}")
    _print_accelerator(structures, census, with_bands)


def _print_sizes(
    structures: tuple[Structure, ...],
    census: Census,
    settings: tuple[FeaturizerSettings, FeaturizerSettings],
    rng: np.random.Generator,
    sample: int,
) -> dict[FeaturizerSettings, list[np.ndarray]]:
    """A line a size, as soon as it is measured; seconds of what was drawn of each, without bands and with them."""
    print(f"{'atoms':>6}{'rows':>7}{'full':>8}{'cheap':>7}{'none':>7}{'no bands':>15}{'with bands':>18}{'slowest':>9}")
    times: dict[FeaturizerSettings, list[np.ndarray]] = {one: [] for one in settings}
    for size, name in enumerate(SIZES):
        own = census.size == size
        drawn = rng.permutation(census.row[own])[:sample]
        for one, column in times.items():
            column.append(np.array([seconds(partial(featurize_one, structures[row], one)) for row in drawn]))
        if not len(drawn):
            continue
        without, with_bands = (column[-1] for column in times.values())
        shares = "".join(f"{share:>7.1%}" for share in np.bincount(census.covered[own], minlength=3) / own.sum())
        print(
            f"{name:>6}{own.sum():>7} {shares}{_milliseconds(without):>15}{_milliseconds(with_bands):>18}"
            f"{1e3 * with_bands.max():>9.0f}",
            flush=True,
        )
    return times


def _print_accelerator(structures: tuple[Structure, ...], census: Census, settings: FeaturizerSettings) -> None:
    if jax.default_backend() == "cpu":
        say("no accelerator: not measured")
        return
    small = (FIRST[census.size] < PADDED) & (census.covered != COVERED.index("none"))
    if not small.any():
        say(f"no crystal of at most {PADDED} atoms to measure the accelerator with")
        return
    row = census.row[small][0]
    crystal = make_crystal(structures[row], symprec=settings.symprec, max_atoms=settings.max_atoms)
    took, width = accelerator_seconds(crystal, PADDED)
    say(
        f"{jax.devices()[0].device_kind}: levels of {K_POINTS} k-points, {width} x {width} complex128, in "
        f"{1e3 * took:.1f} ms, {1e3 * took / K_POINTS:.2f} ms a k-point"
    )


def _milliseconds(times: np.ndarray) -> str:
    error = f"{1e3 * times.std(ddof=1) / len(times) ** 0.5:.1f}" if len(times) > 1 else "?"
    return f"{1e3 * times.mean():.1f} +- {error}"


if __name__ == "__main__":
    main()

"""Materials resident on the device, and batches packed from them to a fixed number of nodes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.data.column_steps import climbed, quantile_edges
from jaxboost.data.isopointal import Relatives, columns
from jaxboost.data.views import View, displaced
from jaxboost.errors import InputError
from jaxboost.modalities.features import MODALITIES, Features
from jaxboost.modalities.kspace_graph import space_group_arrays
from jaxboost.modalities.scalars import strain_response
from jaxboost.models.batch import Array, Batch, SymmetryTables

_STEPPED = ("kspace_columns", "scalars", "electrons")
CLIP = 10.0  # standard deviations; a rare column would otherwise drown the rest


class Materials(NamedTuple):
    """Everything a run needs of its crystals, on the device once. Shapes as in `Features`, and
    `possible` [n, class], `label` [n] (-1 unknown), `relative`, `relative_distance` [n, k] and `relative_label` [m]
    as in `isopointal.Relatives`, and `kspace_columns` [n, f].
    """

    offset: Array
    element: Array
    site_group: Array
    multiplicity: Array
    target: Array
    distance: Array
    direction: Array
    points: Array
    lines: Array
    kspace_columns: Array
    scalars: Array
    electrons: Array
    mask: Array
    space_group: Array
    identity: Array
    possible: Array
    label: Array
    formula: Array
    relative: Array
    relative_distance: Array
    relative_label: Array
    strain_constant: Array
    strain_proportional: Array


class Normalizer(NamedTuple):
    """What the training rows of one member give: mean and standard deviation of each column, `known` [m], which
    crystals of the reference (`isopointal.Reference`) are among them, by what columns are multiplied afterwards
    (`training/column_weights.py`), also those that relatives say, [1] where all alike, and the edges of their steps
    (`column_steps.quantile_edges`), one of no width where nobody reads steps.
    """

    points_mean: Array
    points_std: Array
    lines_mean: Array
    lines_std: Array
    kspace_columns_mean: Array
    kspace_columns_std: Array
    scalars_mean: Array
    scalars_std: Array
    electrons_mean: Array
    electrons_std: Array
    known: Array
    scalars_weight: Array = np.ones(1, np.float32)
    relatives_weight: Array = np.ones(1, np.float32)
    electrons_weight: Array = np.ones(1, np.float32)
    kspace_columns_weight: Array = np.ones(1, np.float32)
    scalars_edges: Array = np.zeros((1, 2), np.float32)
    electrons_edges: Array = np.zeros((1, 2), np.float32)
    kspace_columns_edges: Array = np.zeros((1, 2), np.float32)


def make_materials(features: Features, possible: np.ndarray, label: np.ndarray, relatives: Relatives) -> Materials:
    """Joins features, the classes that symmetry allows [n, class], labels [n] and relatives into one resident table.

    Raises:
      InputError: a crystal without any modality.
    """
    if not features.mask.any(axis=1).all():
        row = int(np.argmin(features.mask.any(axis=1)))
        raise InputError(
            f"row {row} ({features.formula[row]}): none of {', '.join(MODALITIES)} could be computed, so there is "
            "nothing to learn or to predict from; leave it out"
        )
    names = (set(Materials._fields) & set(Features.__dataclass_fields__)) - {"formula"}
    arrays = {name: getattr(features, name) for name in names}
    for name in ("offset", "element", "site_group", "target", "space_group"):
        arrays[name] = arrays[name].astype(np.int32)
    arrays["multiplicity"] = arrays["multiplicity"].astype(np.float32)
    constant, proportional = strain_response()
    return Materials(
        **arrays,
        kspace_columns=features.kspace_columns,
        possible=possible,
        label=label.astype(np.int32),
        formula=np.unique(features.formula, return_inverse=True)[1].astype(np.int32),
        relative=relatives.index,
        relative_distance=relatives.distance,
        relative_label=relatives.label,
        strain_constant=constant,
        strain_proportional=proportional,
    )


def pad_materials(materials: Materials, rows: int, orbits: int) -> Materials:
    """The same with room for `rows` crystals of `orbits` in all, so that tables of like size have one shape."""
    per_orbit = {"element", "site_group", "multiplicity", "target", "distance", "direction"}
    whole = {"relative_label", "strain_constant", "strain_proportional"}
    padded = {}
    for name, values in materials._asdict().items():
        if name not in whole:
            array = np.asarray(values)
            size = orbits if name in per_orbit else rows + (name == "offset")
            # Ends repeat: an orbit that is not there begins where the last one ended.
            padded[name] = np.pad(array, [(0, size - len(array)), *[(0, 0)] * (array.ndim - 1)], mode="edge")
    return materials._replace(**padded)


def symmetry_tables() -> SymmetryTables:
    """The tables of space groups and elements that the network reads, columns brought to order one."""
    groups = space_group_arrays()
    elements = np.array(list(ELEMENT_PROPERTIES.values())).T
    elements = (elements - np.nanmean(elements[1:], 0)) / np.maximum(np.nanstd(elements[1:], 0), 1e-6)
    return SymmetryTables(
        co_group=groups.co_group,
        present=groups.present,
        point=groups.point / 2,
        line=groups.line / 2,
        element=np.nan_to_num(elements).astype(np.float32),
    )


def fit_normalizer(features: Features, rows: np.ndarray, known: np.ndarray, steps: int) -> Normalizer:
    """Column means and deviations over the given rows; constant columns get deviation 1, NaN is left out.

    The range of each column that a column reader reads is cut in `steps`; 0 for no reader. `known` [m] says which
    crystals of the reference are among the rows.
    """
    groups, number = space_group_arrays(), features.space_group[rows]
    points = features.points[rows][groups.present[number]]
    lines = features.lines[rows][groups.line[number][..., 0] > 0]
    values = {"points": points, "lines": lines}
    values |= {name: getattr(features, name)[rows] for name in _STEPPED}
    fitted = {}
    for name, value in values.items():
        there = np.isfinite(value)
        count = np.maximum(there.sum(0), 1)
        mean = np.where(there, value, 0).sum(0, dtype=np.float64) / count
        variance = (np.where(there, value - mean, 0) ** 2).sum(0, dtype=np.float64) / count
        std = np.sqrt(variance)
        fitted[f"{name}_mean"] = mean.astype(np.float32)
        fitted[f"{name}_std"] = np.where(std < 1e-4, 1.0, std).astype(np.float32)
        if steps and name in _STEPPED:
            fitted[f"{name}_edges"] = quantile_edges(value, steps)
    return Normalizer(**fitted, known=known)


def gather(
    materials: Materials,
    rows: jax.Array,
    *,
    nodes: int,
    normalizer: Normalizer,
    modalities: Array,
    view: View | None = None,
    key: jax.Array | None = None,
    cutoff: float,
) -> Batch:
    """Packs the crystals of `rows` into one batch.

    Args:
      materials: the resident table.
      rows: [b] rows of the table, -1 for padding.
      nodes: node budget; the caller guarantees that the orbits of the rows fit (`node_budget`).
      normalizer: of the member that reads the batch.
      modalities: [4] bool, which modalities this member may see.
      view: what to change; None or jitter 0 leaves the crystals as they are.
      key: for the displacements; drawn per crystal, so that neither order nor company in a batch matters.
      cutoff: Angstrom, that of the stored graph.
    """
    b = rows.shape[0]
    there = rows >= 0
    row = jnp.where(there, rows, 0)
    size = jnp.where(there, materials.offset[row + 1] - materials.offset[row], 0)
    end = jnp.cumsum(size)
    slot = jnp.arange(nodes)
    real = slot < end[-1]
    crystal = jnp.where(real, jnp.searchsorted(end, slot, side="right"), b)
    owner = jnp.minimum(crystal, b - 1)
    start = (end - size)[owner]
    position = slot - start
    orbit = jnp.where(real, materials.offset[row[owner]] + position, 0)
    distance = jnp.where(real[:, None], materials.distance[orbit], jnp.inf)
    scalars = materials.scalars[row]
    k = distance.shape[1]
    kept: Array | int = k
    share: Array | float = 1.0
    if view is not None:
        kept, share = view.neighbors, view.reach
        scalars = scalars + view.strain * (materials.strain_constant + materials.strain_proportional * scalars)
    farthest = jnp.take(distance, kept - 1, axis=1)
    reach = jnp.minimum(farthest, cutoff * share)
    if view is not None and key is not None:
        identity = materials.identity[row[owner]] + position.astype(jnp.uint32)
        keys = jax.vmap(lambda data: jax.random.fold_in(key, data))(identity)
        noise = jax.vmap(lambda one: jax.random.normal(one, (k + 1, 3)))(keys)
        distance = displaced(distance, materials.direction[orbit], noise, view)
        reach = reach * (1 + view.strain)

    def standard(name: str, values: Array) -> jax.Array:
        mean, std, weight = (getattr(normalizer, f"{name}_{what}") for what in ("mean", "std", "weight"))
        return _standard(values, mean, std) * weight

    def steps(name: str, values: Array) -> jax.Array:
        edges, weight = (getattr(normalizer, f"{name}_{what}") for what in ("edges", "weight"))
        found = climbed(values, edges) * _of_steps(edges, weight)[:, None]
        return found.reshape(b, -1)

    related = (materials.relative[row], materials.relative_distance[row], materials.relative_label)
    relatives = columns(*related, normalizer.known, materials.possible.shape[1], jnp)
    return Batch(
        element=materials.element[orbit],
        site_group=materials.site_group[orbit],
        multiplicity=jnp.where(real, materials.multiplicity[orbit], 0.0),
        crystal=crystal,
        target=jnp.where(real[:, None], materials.target[orbit] + start[:, None], 0),
        distance=distance,
        reach=reach,
        space_group=jnp.where(there, materials.space_group[row], 0),
        points=_standard(materials.points[row], normalizer.points_mean, normalizer.points_std),
        lines=_standard(materials.lines[row], normalizer.lines_mean, normalizer.lines_std),
        kspace_columns=standard("kspace_columns", materials.kspace_columns[row]),
        scalars=jnp.concatenate([standard("scalars", scalars), relatives * normalizer.relatives_weight], axis=1),
        electrons=standard("electrons", materials.electrons[row]),
        kspace_steps=steps("kspace_columns", materials.kspace_columns[row]),
        scalars_steps=steps("scalars", scalars),
        electrons_steps=steps("electrons", materials.electrons[row]),
        mask=materials.mask[row] & modalities,
        possible=materials.possible[row],
    )


def _standard(x: Array, mean: Array, std: Array) -> jax.Array:
    return jnp.clip(jnp.where(jnp.isnan(x), 0.0, (x - mean) / std), -CLIP, CLIP)


def _of_steps(edges: Array, weight: Array) -> jax.Array:
    """[f] what the steps of each column are multiplied by: all together count as much as the column does."""
    return jnp.asarray(weight) / jnp.sqrt(jnp.maximum((jnp.diff(edges) > 0).sum(-1), 1))


def node_budget(sizes: np.ndarray, batch: int, *, multiple: int = 8) -> int:
    """Nodes that every batch of `strata` fits into.

    A batch takes one crystal of each stratum of ascending size, and a stratum's largest is at most the next one's
    smallest, so a batch holds at most the mean total plus the largest crystal.

    Args:
      sizes: [n] orbits of each crystal.
      batch: crystals a batch.
      multiple: the result is rounded up to one of it.
    """
    rows = np.sort(np.resize(sizes, max(batch, len(sizes))))
    steps = len(rows) // batch
    bound = rows[len(rows) - steps * batch :].mean() * batch + rows[-1]
    return int(np.ceil(bound / multiple) * multiple)


def strata(rows: np.ndarray, sizes: np.ndarray, batch: int, rng: np.random.Generator) -> np.ndarray:
    """One pass over the rows in random batches of equal total size, [steps, batch].

    Rows are sorted by size, cut into `batch` strata and shuffled within each; fewer than `batch` rows, drawn anew
    each pass, are left over. Fewer rows than a batch are repeated to fill it.

    Args:
      rows: [n] rows of the table; sizes: [n] their orbits.
    """
    if len(rows) < batch:
        rows, sizes = np.resize(rows, batch), np.resize(sizes, batch)
    steps = len(rows) // batch
    keep = rng.permutation(len(rows))[: steps * batch]
    order = keep[np.argsort(sizes[keep], kind="stable")]
    return rng.permuted(rows[order].reshape(batch, steps), axis=1).T


def training_batches(
    rows: np.ndarray, sizes: np.ndarray, batch: int, *, first: int, count: int, seed: tuple[int, ...]
) -> np.ndarray:
    """Batches `first` to `first + count` of a member's endless stream of passes, [count, batch].

    A function of its arguments alone, so a resumed run reads the very batches of an uninterrupted one.
    """
    steps = max(len(rows) // batch, 1)
    passes = range(first // steps, (first + count - 1) // steps + 1)
    stream = [strata(rows, sizes, batch, np.random.default_rng([*seed, number])) for number in passes]
    skip = first - passes[0] * steps
    return np.concatenate(stream)[skip : skip + count].astype(np.int32)


def scoring_batches(rows: np.ndarray, sizes: np.ndarray, batch: int) -> np.ndarray:
    """All rows once, [steps, batch], padded with -1, with nearly equal totals."""
    steps = -(-len(rows) // batch)
    order = rows[np.argsort(sizes, kind="stable")]
    # Padding takes the place of the smallest crystals.
    padded = np.concatenate([np.full(steps * batch - len(rows), -1), order])
    return padded.reshape(batch, steps).T.astype(np.int32)


def deal(plan: np.ndarray, shards: int) -> np.ndarray:
    """Deals the rows of each batch, ascending in size, to `shards` devices in turn, so that each gets like sizes."""
    return plan.reshape(*plan.shape[:-1], -1, shards).swapaxes(-1, -2).reshape(plan.shape)

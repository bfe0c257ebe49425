"""The columns of band features and how a band structure fills them.

What would depend on the choice of origin is not used: of parities only |n_even - n_odd|, products and indices.
"""

from __future__ import annotations

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.physics.band_rule import is_nodal, rule_class
from jaxboost.physics.band_solver import CHARACTERS, LineBands, PointBands
from jaxboost.physics.band_structure import BandStructure
from jaxboost.physics.levels import DEGENERATE, freeing_neighbours
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.switching import SWITCHED_CLASSES, Switching
from jaxboost.physics.symmetry_indicators import RULE_CLASSES
from jaxboost.physics.tight_binding import occupied_orbitals
from jaxboost.physics.tight_binding_elements import basis_electrons

LEVELS_A_SIDE = 4
BAND_POINT_COLUMNS = (
    *(f"level_{i}" for i in (*range(-LEVELS_A_SIDE, 0), *range(1, LEVELS_A_SIDE + 1))),
    "gap",
    "spinless_gap",
    "degenerate",
    "centre",
    "valence_multiplicity",
    "conduction_multiplicity",
    *(f"valence_{name}" for name in CHARACTERS),
    *(f"conduction_{name}" for name in CHARACTERS),
    "parity_imbalance",
    "spinless_parity_imbalance",
    "edge_parity",
    "changing_gap",
)
"""Columns of a point. eV; levels relative to the middle of the gap there, `centre` to the Fermi level; the last as
`Switching.changing`."""

BAND_LINE_COLUMNS = ("gap_middle", "crossing", "switching_gap")
"""Columns of a line; eV, NaN where not computed."""

_GAP_ORDERS = 4
_DOS_WIDTHS = (0.2, 1.0)  # eV
_MIXED = 0.01  # where both parities meet at an edge their mean is 0 to rounding
_SMALLEST_WIDTH = 0.05  # eV; points whose gap is this close to the smallest count as the smallest

BAND_COLUMNS = (
    "electrons",
    "orbitals",
    "filling",
    "odd_electrons",
    "spin_orbit",
    "dropped_states",
    "smallest_direct_gap",
    "indirect_gap",
    "mesh_direct_gap",
    "mesh_indirect_gap",
    "line_gap",
    "mean_line_gap",
    "gamma_gap",
    *(f"point_gap_{i}" for i in range(_GAP_ORDERS)),
    *(f"trim_gap_{i}" for i in range(_GAP_ORDERS)),
    "mean_point_gap",
    "spinless_point_gap",
    "spinless_indirect_gap",
    "spin_orbit_change",
    "degenerate_points",
    "degenerate_share",
    "spinless_degenerate_points",
    "crossings",
    "crossing_share",
    "nodal_lines",
    "crossing_gap",
    "uncrossing_gap",
    "degenerating_gap",
    "lifting_gap",
    "valence_width",
    "conduction_width",
    "occupied_width",
    "pockets",
    *(f"dos_{width}" for width in _DOS_WIDTHS),
    *(f"{edge}_{place}_{name}" for edge in ("valence", "conduction") for place in ("gamma", "edge", "mean", "spread")
      for name in CHARACTERS),
    *(f"occupied_{name}" for name in CHARACTERS),
    *(f"occupied_range_{name}" for name in CHARACTERS),
    "parity_imbalance_gamma",
    "parity_imbalance_mean",
    "parity_imbalance_range",
    "spinless_parity_imbalance_range",
    "inverting_gap",
    "strong_inverting_gap",
    "other_inverting_gap",
    "keeping_gap",
    "z2",
    "z4",
    "weak",
    "spinless_z2",
    "spinless_z4",
    "spinless_weak",
    "indicator_order",
    *(f"to_{name}_gap" for name in SWITCHED_CLASSES),
    *(f"rule_{name}" for name in RULE_CLASSES),
)  # fmt: skip
"""Columns of a crystal. eV; energies of gaps are negative where bands overlap. Parity columns are NaN without
inversion, line columns where lines were not computed."""


def fermi_level(bands: BandStructure) -> float:
    """The middle between the highest filled and the lowest empty level."""
    valence, conduction = _band_edges(bands)
    return (valence + conduction) / 2


def _band_edges(bands: BandStructure) -> tuple[float, float]:
    """The highest filled and the lowest empty level, wherever they were computed."""
    levels = np.concatenate([_all_levels(bands), *(line.levels[None] for line in bands.lines)])
    return float(levels[:, bands.electrons - 1].max()), float(levels[:, bands.electrons].min())


def _all_levels(bands: BandStructure) -> np.ndarray:
    """`[k, 2m]` at the high-symmetry points and on the mesh, which alone have weights."""
    points = [point.levels for point in bands.points if point is not None]
    return np.concatenate([np.array(points), bands.mesh_levels])


def point_row(point: PointBands, n: int, fermi: float, changing: float) -> np.ndarray:
    """`[len(BAND_POINT_COLUMNS)]`; n is the number of electrons, `fermi` and `changing` in eV."""
    levels, half = point.levels, n // 2
    centre, gap = (levels[n] + levels[n - 1]) / 2, levels[n] - levels[n - 1]
    # A small cell has fewer levels than the columns: the outermost stands in.
    places = np.clip(np.arange(n - LEVELS_A_SIDE, n + LEVELS_A_SIDE), 0, len(levels) - 1)
    spinless = point.spinless_levels
    return np.array([
        *(levels[places] - centre),
        gap,
        0.0 if n % 2 else spinless[half] - spinless[half - 1],
        gap < DEGENERATE,
        centre - fermi,
        (np.abs(levels - levels[n - 1]) < DEGENERATE).sum(),
        (np.abs(levels - levels[n]) < DEGENERATE).sum(),
        *point.valence,
        *point.conduction,
        abs(n - 2 * point.odd) / n,
        abs(half - 2 * point.spinless_odd) / max(half, 1),
        point.edge_parity,
        changing,
    ])  # fmt: skip


def line_row(line: LineBands, n: int) -> np.ndarray:
    """`[len(BAND_LINE_COLUMNS)]`; n is the number of electrons."""
    gap = line.levels[n] - line.levels[n - 1]
    return np.array([gap, np.nan if line.crossing is None else float(line.crossing), line.switching_gap])


def crystal_row(
    crystal: Crystal, bands: BandStructure, point_rows: np.ndarray, line_rows: np.ndarray, fermi: float
) -> np.ndarray:
    """`[len(BAND_COLUMNS)]`, partly from the rows of its points and lines."""
    n, kpoints = bands.electrons, space_group(bands.space_group_number).kpoints
    values = _sizes(crystal, bands) | _gaps(bands, point_rows, line_rows) | _shapes(bands, fermi)
    point = dict(zip(BAND_POINT_COLUMNS, point_rows.T.astype(float), strict=True))
    done = np.isfinite(point["gap"])
    stars = np.array([k.star_size for k in kpoints], float)[done]
    values["spinless_degenerate_points"] = float((point["spinless_gap"][done] < DEGENERATE).sum())
    values["degenerate_points"] = float(point["degenerate"][done].sum())
    values["degenerate_share"] = float(point["degenerate"][done].mean())
    # Symmetry can close the gap at several points at once: none of them may stand for all.
    gaps = point["gap"][done]
    nearest = np.exp(-(gaps - gaps.min()) / _SMALLEST_WIDTH)
    for edge in ("valence", "conduction"):
        for name in CHARACTERS:
            at = point[f"{edge}_{name}"][done]
            values[f"{edge}_gamma_{name}"] = at[0]
            values[f"{edge}_edge_{name}"] = float(np.average(at, weights=nearest))
            values |= {f"{edge}_mean_{name}": float(np.average(at, weights=stars)), f"{edge}_spread_{name}": at.std()}
    occupied = np.array([p.occupied for p in bands.points if p is not None])
    for i, name in enumerate(CHARACTERS):
        values[f"occupied_{name}"] = float(np.average(occupied[:, i], weights=stars))
        values[f"occupied_range_{name}"] = float(np.ptp(occupied[:, i]))
    values |= _parities(bands, point, np.array([k.star_size for k in kpoints], float))
    values |= _indicators(bands.switching)
    # Without spin-orbit coupling and lines the rule would speak of another band structure.
    rule = rule_class(bands) if bands.spin_orbit and bands.lines else None
    values |= {f"rule_{name}": np.nan if rule is None else float(name == rule) for name in RULE_CLASSES}
    values["filling"] = n / values["orbitals"] / 2
    return np.array([values[name] for name in BAND_COLUMNS])


def _sizes(crystal: Crystal, bands: BandStructure) -> dict[str, float]:
    return {
        "electrons": float(basis_electrons()[crystal.atomic_numbers].sum()),
        "orbitals": float(occupied_orbitals(crystal.atomic_numbers).sum()),
        "odd_electrons": float(bands.electrons % 2),
        "spin_orbit": float(bands.spin_orbit),
        "dropped_states": float(bands.dropped),
    }


def _gaps(bands: BandStructure, point_rows: np.ndarray, line_rows: np.ndarray) -> dict[str, float]:
    n = bands.electrons
    point = dict(zip(BAND_POINT_COLUMNS, point_rows.T.astype(float), strict=True))
    done = np.isfinite(point["gap"])
    gaps, spinless = point["gap"][done], point["spinless_gap"][done]
    sizes = point["valence_multiplicity"][done], point["conduction_multiplicity"][done]
    is_trim = np.array([k.is_trim for k in space_group(bands.space_group_number).kpoints])[done]
    line_gaps, crossings, switching = line_rows.T.astype(float)
    line_gaps = line_gaps[np.isfinite(line_gaps)]
    mesh, (valence, conduction) = bands.mesh_levels, _band_edges(bands)
    spinless_levels = np.array([p.spinless_levels for p in bands.points if p is not None])
    values = {
        "smallest_direct_gap": float(min(gaps.min(), line_gaps.min(initial=np.inf), _direct(mesh, n))),
        "indirect_gap": conduction - valence,
        "mesh_direct_gap": _direct(mesh, n) if len(mesh) else np.nan,
        "mesh_indirect_gap": float(mesh[:, n].min() - mesh[:, n - 1].max()) if len(mesh) else np.nan,
        "line_gap": float(line_gaps.min()) if len(line_gaps) else np.nan,
        "mean_line_gap": float(line_gaps.mean()) if len(line_gaps) else np.nan,
        "gamma_gap": float(gaps[0]),
        "mean_point_gap": float(gaps.mean()),
        "spinless_point_gap": float(spinless.min()),
        "spinless_indirect_gap": float(
            spinless_levels[:, (n + 1) // 2].min() - spinless_levels[:, (n + 1) // 2 - 1].max()
        ),
        "spin_orbit_change": float(np.abs(gaps - spinless).max()),
    }
    for name, some in (("point", np.sort(gaps)), ("trim", np.sort(gaps[is_trim]))):
        values |= {f"{name}_gap_{i}": float(some[min(i, len(some) - 1)]) for i in range(_GAP_ORDERS)}
    tested = np.isfinite(crossings)
    nodal = float(sum(is_nodal(line, n) for line in bands.lines))
    values |= {
        "crossings": float(crossings[tested].sum()) if len(bands.lines) else np.nan,
        "crossing_share": float(crossings[tested].mean()) if tested.any() else np.nan,
        "nodal_lines": nodal if len(bands.lines) else np.nan,
        # How far the bands are from another class: one crossing more makes one, all have to go for none.
        "crossing_gap": _smallest(switching[crossings == 0]),
        "uncrossing_gap": float(switching[crossings == 1].max()) if (crossings == 1).any() else np.nan,
        "degenerating_gap": _smallest(gaps[(gaps > DEGENERATE) & (sizes[0] != sizes[1])]),
        "lifting_gap": _lifting([p.levels for p in bands.points if p is not None], n),
    }
    return values


def _direct(levels: np.ndarray, n: int) -> float:
    return float((levels[:, n] - levels[:, n - 1]).min(initial=np.inf))


def _smallest(gaps: np.ndarray) -> float:
    return float(np.nanmin(gaps)) if np.isfinite(gaps).any() else np.nan


def _lifting(levels: list[np.ndarray], n: int) -> float:
    """The largest of the distances to the neighbour that would free the level that the filling cuts, over the points.

    NaN where it cuts none, or one that no neighbour would free.
    """
    cut = [min(freeing_neighbours(here, n), default=None) for here in levels if here[n] - here[n - 1] < DEGENERATE]
    distances = [nearest[0] for nearest in cut if nearest is not None]
    return max(distances) if cut and len(distances) == len(cut) else np.nan


def _shapes(bands: BandStructure, fermi: float) -> dict[str, float]:
    """Widths of bands and density of states, over high-symmetry points and mesh."""
    n, levels = bands.electrons, _all_levels(bands)
    pairs = zip(space_group(bands.space_group_number).kpoints, bands.points, strict=True)
    weights = np.concatenate([[k.star_size for k, point in pairs if point is not None], bands.mesh_weights])
    weights = weights / weights.sum()
    values = {
        "valence_width": float(np.ptp(levels[:, n - 1])),
        "conduction_width": float(np.ptp(levels[:, n])),
        "occupied_width": float(levels[:, n - 1].max() - levels[:, 0].min()),
        # Electrons in bands that should be empty and holes in those that should be full, at the Fermi level; a level
        # that the filling cuts lies on it, to rounding, and is neither.
        "pockets": float(
            weights @ (levels[:, n] < fermi - DEGENERATE) + weights @ (levels[:, n - 1] > fermi + DEGENERATE)
        ),
    }
    for width in _DOS_WIDTHS:
        shape = np.exp(-(((levels - fermi) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
        values[f"dos_{width}"] = float(weights @ shape.sum(1)) / n
    return values


def _indicators(found: Switching | None) -> dict[str, float]:
    distances = np.full(len(SWITCHED_CLASSES), np.nan) if found is None else found.distances
    values = {f"to_{name}_gap": float(gap) for name, gap in zip(SWITCHED_CLASSES, distances, strict=True)}
    return values | {"indicator_order": float(found.order) if found is not None and found.order else np.nan}


def _parities(bands: BandStructure, point: dict[str, np.ndarray], stars: np.ndarray) -> dict[str, float]:
    values: dict[str, float] = {}
    imbalance, spinless = point["parity_imbalance"], point["spinless_parity_imbalance"]
    known = np.isfinite(imbalance)
    values["parity_imbalance_gamma"] = imbalance[0]
    mean = float(np.average(imbalance[known], weights=stars[known])) if known.any() else np.nan
    values["parity_imbalance_mean"] = mean
    for name, some in (("", imbalance[known]), ("spinless_", spinless[np.isfinite(spinless)])):
        values[f"{name}parity_imbalance_range"] = float(np.ptp(some)) if len(some) else np.nan
    # The smallest gap at a TRIM whose closing would change the product of parities, and the smallest that would not. An
    # odd number of equivalent TRIM changes the strong index, an even one the others alone.
    inverting = point["edge_parity"] < -_MIXED
    for name, wanted in (
        ("inverting_gap", inverting),
        ("keeping_gap", point["edge_parity"] > _MIXED),
        ("strong_inverting_gap", inverting & (stars % 2 == 1)),
        ("other_inverting_gap", inverting & (stars % 2 == 0)),
    ):
        values[name] = float(point["gap"][wanted].min()) if wanted.any() else np.nan
    for name, indices in (("", bands.indices), ("spinless_", bands.spinless_indices)):
        found = (np.nan,) * 3 if indices is None else (indices.strong, indices.z4, any(indices.weak))
        values |= {f"{name}{index}": float(value) for index, value in zip(("z2", "z4", "weak"), found, strict=True)}
    return values

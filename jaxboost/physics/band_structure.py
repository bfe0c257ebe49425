"""The bands of one crystal where symmetry makes them tell: high-symmetry points, lines between them, a small mesh."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.errors import InputError
from jaxboost.physics.band_states import SpinorStates, States, add_spin_orbit, solve
from jaxboost.physics.indices import TRIM, InversionIndices, has_crossing, inversion_indices, odd_states, star_phases
from jaxboost.physics.orbital_symmetry import OrbitalSymmetry, occupied_characters, orbital_symmetry
from jaxboost.physics.orbitals import SHELL_OF_ORBITAL
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding import Model, make_model
from jaxboost.physics.tight_binding_elements import Parameters, electronegativities

CHARACTERS = ("s", "p", "d", "electronegativity", "atomic_number")
"""What a state is averaged over: its Mulliken weight by shell, and the elements it sits on."""

DEGENERATE = 1e-5
"""eV. What symmetry makes degenerate comes out so to 1e-10, so a smaller gap counts as none."""

_EDGE_WIDTH = 0.05  # eV; states this close to a band's edge count as the edge, so that no threshold decides
_EDGE_REACH = 1.0  # eV; farther ones weigh less than 1e-8


@dataclass(frozen=True)
class PathSettings:
    """Where bands are computed, and how.

    Attributes:
      window: eV to either side of the filling within which spin-orbit coupling is diagonalised; 0 leaves it out.
      near: how far from its ends a line is sampled, as a fraction of it.
      mesh: divisions of each reciprocal vector in a mesh around Gamma; 0 for none.
      lines: whether lines are computed.
    """

    window: float = 12.0
    near: float = 0.05
    mesh: int = 3
    lines: bool = True


@dataclass(frozen=True)
class PointBands:
    """Bands at one high-symmetry point.

    Attributes:
      levels: `[2m]` eV with spin-orbit coupling (without it, each spinless level twice).
      spinless_levels: `[m]` eV.
      valence, conduction: `[len(CHARACTERS)]` of the states at the last filled and first empty level.
      occupied: `[len(CHARACTERS)]` averaged over all occupied states.
      odd, spinless_odd: number of odd occupied states with and without spin-orbit coupling; NaN without inversion,
        away from the TRIM, or where the filling cuts a level.
    """

    levels: np.ndarray
    spinless_levels: np.ndarray
    valence: np.ndarray
    conduction: np.ndarray
    occupied: np.ndarray
    odd: float
    spinless_odd: float


@dataclass(frozen=True)
class LineBands:
    """Bands on a line between two high-symmetry points.

    Attributes:
      levels: `[3, 2m]` eV near its start, in the middle, near its end; NaN where not computed: symmetry can force a
        crossing only on lines with compatibility relations, so those are seen at both ends and others in the middle.
      crossing: whether the occupied representations at both ends differ; None where not tested.
    """

    levels: np.ndarray
    crossing: bool | None


@dataclass(frozen=True)
class BandStructure:
    """The bands of a crystal.

    Attributes:
      space_group_number: of the crystal.
      electrons: occupied states (with spin) in a primitive cell.
      spin_orbit: whether spin-orbit coupling is in `levels`.
      points: as in `space_group(number).kpoints`; with `PathSettings.lines` off the TRIM alone, None elsewhere.
      lines: as in `space_group(number).lines`; empty where not computed.
      mesh_levels: `[q, 2m]` eV, and
      mesh_weights: `[q]` points of the mesh that each stands for.
      indices, spinless_indices: None without inversion or where the filling cuts a level at a TRIM. The spinless ones
        count states of one spin.
      dropped: most states that a singular overlap matrix made to be left out at any k-point.
    """

    space_group_number: int
    electrons: int
    spin_orbit: bool
    points: tuple[PointBands | None, ...]
    lines: tuple[LineBands, ...]
    mesh_levels: np.ndarray
    mesh_weights: np.ndarray
    indices: InversionIndices | None
    spinless_indices: InversionIndices | None
    dropped: int


class _Solver:
    """Bloch matrices of one crystal to states; keeps the crystal's fixed parts together."""

    def __init__(self, crystal: Crystal, model: Model, window: float) -> None:
        self.model, self.window = model, window
        self.symmetry: OrbitalSymmetry = orbital_symmetry(crystal)
        shells = SHELL_OF_ORBITAL[model.slot]
        numbers = crystal.atomic_numbers[model.atom]
        self.characters = np.stack([*(shells == shell for shell in range(3)), electronegativities()[numbers], numbers])
        self.dropped = 0

    def states(self, kpoints: np.ndarray) -> list[States]:
        # Real matrices at the TRIM are solved in a quarter of the time, so they go apart.
        is_trim = (np.abs(2 * kpoints - np.rint(2 * kpoints)) < 1e-9).all(axis=1)
        result: list[States | None] = [None] * len(kpoints)
        for part in (np.flatnonzero(is_trim), np.flatnonzero(~is_trim)):
            if len(part):
                for index, matrices in zip(part, zip(*self.model.bloch(kpoints[part]), strict=True), strict=True):
                    result[index] = solve(*matrices)
        found = [states for states in result if states is not None]
        self.dropped = max([self.dropped, *(states.dropped for states in found)])
        return found

    def spinors(self, states: States, *, vectors: bool) -> SpinorStates | None:
        return add_spin_orbit(self.model, states, self.window, vectors=vectors) if self.window > 0 else None

    def levels(self, states: States, spinors: SpinorStates | None) -> np.ndarray:
        if spinors is None:
            return np.repeat(states.energies, 2)
        below, above = states.energies[: spinors.start], states.energies[spinors.stop :]
        return np.sort(np.concatenate([np.repeat(below, 2), spinors.energies, np.repeat(above, 2)]))

    def at_point(self, kpoint: np.ndarray, states: States, inversion: int | None) -> PointBands:
        electrons = self.model.electrons
        spinors = self.spinors(states, vectors=True)
        levels = self.levels(states, spinors)
        spinless_odd = odd = np.nan
        if inversion is not None and inversion in self.symmetry.little_group(kpoint):
            at = (self.symmetry, [inversion], kpoint, self.model, states)
            half = electrons // 2
            if electrons % 2 == 0 and states.energies[half] - states.energies[half - 1] > DEGENERATE:
                spinless_odd = odd_states(occupied_characters(*at)[0], half)
            if spinors is not None and levels[electrons] - levels[electrons - 1] > DEGENERATE:
                odd = odd_states(occupied_characters(*at, spinors)[0], electrons)
        pairs = (states.coefficients.conj() * states.dual).real
        filled = np.clip(electrons / 2 - np.arange(len(states.energies)), 0, 1)
        valence, conduction = self._edges(states, spinors, levels)
        occupied = self.characters @ pairs @ filled / filled.sum()
        return PointBands(levels, states.energies, valence, conduction, occupied, odd, spinless_odd)

    def _edges(self, states: States, spinors: SpinorStates | None, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        electrons = self.model.electrons
        if spinors is None or spinors.vectors is None:
            energies = np.repeat(states.energies, 2)
            first, vectors = 0, None
        else:
            energies, first, vectors = spinors.energies, 2 * spinors.start, spinors.vectors
        result = []
        for edge, side in ((electrons - 1, np.s_[: electrons - first]), (electrons, np.s_[electrons - first :])):
            away = np.abs(energies - levels[edge])
            near = np.arange(len(energies))[side][away[side] < _EDGE_REACH]
            weight = np.exp(-away[near] / _EDGE_WIDTH)
            if vectors is None or spinors is None:
                share = (states.coefficients[:, near // 2].conj() * states.dual[:, near // 2]).real
            else:
                window = np.s_[:, spinors.start : spinors.stop]
                half = len(vectors) // 2
                share = np.zeros((self.model.n_orbitals, len(near)))
                for spin in (vectors[:half, near], vectors[half:, near]):
                    share += ((states.coefficients[window] @ spin).conj() * (states.dual[window] @ spin)).real
            result.append(self.characters @ share @ weight / weight.sum())
        return result[0], result[1]

    def on_line(self, ends: np.ndarray, states: list[States]) -> tuple[list[np.ndarray], bool | None]:
        """Levels near both ends of a line, and whether the occupied representations differ."""
        electrons = self.model.electrons
        operations = self.symmetry.little_group(*ends)
        characters, levels = [], []
        for kpoint, here in zip(ends, states, strict=True):
            spinors = self.spinors(here, vectors=True)
            levels.append(self.levels(here, spinors))
            if levels[-1][electrons] - levels[-1][electrons - 1] > DEGENERATE:
                characters.append(occupied_characters(self.symmetry, operations, kpoint, self.model, here, spinors))
        if len(characters) < 2:
            return levels, None
        translations = self.symmetry.translations[operations]
        return levels, has_crossing(characters[0], characters[1], (ends[0], ends[1]), translations)


def band_structure(crystal: Crystal, parameters: Parameters, settings: PathSettings) -> BandStructure:
    """The bands of a crystal.

    Raises:
      InputError: an element that the tight-binding table lacks, or no empty state in the basis (solid noble gases).
    """
    model = make_model(crystal, parameters)
    electrons = model.electrons
    if electrons >= 2 * model.n_orbitals:
        raise InputError("the valence orbitals are all filled: tight binding has no empty state to compare with")
    solver = _Solver(crystal, model, settings.window)
    group = space_group(crystal.space_group_number)
    wanted = [k.is_trim or settings.lines for k in group.kpoints]
    kpoints = np.array([k.frac for k in group.kpoints])
    inversion = solver.symmetry.inversion()
    states = iter(solver.states(kpoints[wanted]))
    points = tuple(
        solver.at_point(k, next(states), inversion) if want else None for k, want in zip(kpoints, wanted, strict=True)
    )
    lines = _lines(crystal, solver, settings) if settings.lines else ()
    mesh, weights = _mesh(solver.symmetry.reciprocal, settings.mesh)
    mesh_levels = [solver.levels(s, solver.spinors(s, vectors=False)) for s in solver.states(mesh)]
    with_spin, without_spin = _indices(crystal, solver.symmetry, inversion, points, electrons)
    return BandStructure(
        space_group_number=crystal.space_group_number,
        electrons=electrons,
        spin_orbit=settings.window > 0,
        points=points,
        lines=lines,
        mesh_levels=np.array(mesh_levels).reshape(len(mesh), 2 * model.n_orbitals),
        mesh_weights=weights,
        indices=with_spin,
        spinless_indices=without_spin,
        dropped=solver.dropped,
    )


def _lines(crystal: Crystal, solver: _Solver, settings: PathSettings) -> tuple[LineBands, ...]:
    group = space_group(crystal.space_group_number)
    sampled, fractions = [], []
    for line in group.lines:
        start, end = np.array(group.kpoints[line.i].frac), np.array(line.end)
        fractions.append((settings.near, 1 - settings.near) if line.n_relations else (0.5,))
        sampled += [start + (end - start) * fraction for fraction in fractions[-1]]
    if not sampled:
        return ()
    kpoints = np.array(sampled)
    kpoints -= np.rint(kpoints) * (np.abs(kpoints) > 1)
    states = solver.states(kpoints)
    result, row = [], 0
    for fraction in fractions:
        levels = np.full((3, 2 * solver.model.n_orbitals), np.nan)
        crossing = None
        if len(fraction) == 2:
            (levels[0], levels[2]), crossing = solver.on_line(np.array(sampled[row : row + 2]), states[row : row + 2])
        else:
            levels[1] = solver.levels(states[row], solver.spinors(states[row], vectors=False))
        result.append(LineBands(levels, crossing))
        row += len(fraction)
    return tuple(result)


def _mesh(reciprocal: np.ndarray, divisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a mesh around Gamma that symmetry and time reversal keep apart, and how many each stands for.

    A mesh around Gamma is the same whatever basis of the reciprocal lattice it is made in.
    """
    if divisions < 1:
        return np.zeros((0, 3)), np.zeros(0)
    points = np.array(list(product(range(divisions), repeat=3)))
    digits = divisions ** np.arange(2, -1, -1)
    images = np.einsum("gij,pj->gpi", np.concatenate([reciprocal, -reciprocal]), points) % divisions
    star = (images @ digits).min(axis=0)
    chosen, weights = np.unique(star, return_counts=True)
    return points[chosen] / divisions, weights


def _indices(
    crystal: Crystal,
    symmetry: OrbitalSymmetry,
    inversion: int | None,
    points: tuple[PointBands | None, ...],
    electrons: int,
) -> tuple[InversionIndices | None, InversionIndices | None]:
    """Indices with and without spin-orbit coupling, from the parities at one arm of each star of TRIM."""
    if inversion is None or electrons % 2:
        return None, None
    odd = np.full((2, len(TRIM)), np.nan)
    pairs = electrons // 2
    operations = (symmetry.reciprocal, symmetry.rotations, symmetry.translations)
    for k, point in zip(space_group(crystal.space_group_number).kpoints, points, strict=True):
        if not k.is_trim or point is None:
            continue
        here = np.array([point.odd / 2, point.spinless_odd])
        for arm, sign in star_phases(*operations, inversion, np.array(k.frac)).items():
            odd[:, arm] = here if sign > 0 else pairs - here
    return inversion_indices(odd[0], pairs), inversion_indices(odd[1], pairs)

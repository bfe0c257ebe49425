"""The bands of one crystal where symmetry makes them tell: high-symmetry points, lines between them, a small mesh."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxboost.crystal import Crystal
from jaxboost.errors import InputError
from jaxboost.physics.band_path import BandPath, band_path
from jaxboost.physics.band_solver import BandSolver, LineBands, PointBands
from jaxboost.physics.band_states import SpinorStates, States
from jaxboost.physics.indices import TRIM, InversionIndices, inversion_indices, star_phases
from jaxboost.physics.level_representations import level_representations, spin_signs
from jaxboost.physics.space_groups import SpaceGroup, space_group
from jaxboost.physics.switching import Switching, switching
from jaxboost.physics.symmetry_indicators import symmetry_indicators
from jaxboost.physics.tight_binding import make_model
from jaxboost.physics.tight_binding_elements import Parameters


@dataclass(frozen=True)
class PathSettings:
    """Where bands are computed, and how.

    Attributes:
      window: eV to either side of the filling within which spin-orbit coupling is diagonalised; 0 leaves it out.
      mesh: divisions of each reciprocal vector in a mesh around Gamma; 0 for none.
      lines: whether lines are computed.
    """

    window: float = 12.0
    mesh: int = 3
    lines: bool = True


@dataclass(frozen=True)
class BandStructure:
    """The bands of a crystal.

    Attributes:
      space_group_number: of the crystal.
      electrons: occupied states (with spin) in a primitive cell.
      spin_orbit: whether spin-orbit coupling is in `levels`.
      points: as in `space_group(number).kpoints`; with `PathSettings.lines` off the TRIM alone, None elsewhere.
      lines: as in `space_group(number).lines`; empty where not computed.
      switching: the class that representations at the points spell out, and how far others are; None without spin-orbit
        coupling or `PathSettings.lines`, or where dropped states or its window cut a level in two.
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
    switching: Switching | None
    mesh_levels: np.ndarray
    mesh_weights: np.ndarray
    indices: InversionIndices | None
    spinless_indices: InversionIndices | None
    dropped: int


@dataclass(frozen=True)
class SolvedPath:
    """States at the points that a band structure begins with; all that is read there or between them is made from it.

    Attributes:
      crystal, solver, path: of one crystal.
      solved: indices of points of the path.
      states, spinors: at each of `solved`; spinors with vectors, None without spin-orbit coupling.
    """

    crystal: Crystal
    solver: BandSolver
    path: BandPath
    solved: tuple[int, ...]
    states: tuple[States, ...]
    spinors: tuple[SpinorStates | None, ...]

    @property
    def electrons(self) -> int:
        """Occupied states (with spin) in a primitive cell."""
        return self.solver.model.electrons

    @property
    def group(self) -> SpaceGroup:
        """The crystal's."""
        return space_group(self.crystal.space_group_number)

    def point_levels(self) -> Iterator[np.ndarray]:
        """`[2m]` eV at each high-symmetry point that is solved."""
        for i, here, with_spin in zip(self.solved, self.states, self.spinors, strict=True):
            if i < self.path.points:
                yield self.solver.levels(here, with_spin)

    def points(self) -> tuple[PointBands | None, ...]:
        """As `BandStructure.points`."""
        found: list[PointBands | None] = [None] * self.path.points
        for i, here, with_spin in zip(self.solved, self.states, self.spinors, strict=True):
            if i < self.path.points:
                found[i] = self.solver.at_point(self.path.kpoints[i], here, with_spin)
        return tuple(found)

    def lines(self) -> Iterator[LineBands]:
        """As `BandStructure.lines`, of a path that is solved at all points."""
        lines = self.group.lines
        if not lines:
            return
        middles = np.array([(np.array(self.group.kpoints[line.i].frac) + line.end) / 2 for line in lines])
        middles -= np.rint(middles) * (np.abs(middles) > 1)
        related = {line.line: line for line in self.path.lines}
        solver = self.solver
        for index, here in enumerate(solver.states(middles)):
            levels = solver.levels(here, solver.spinors(here, vectors=False))
            line = related.get(index)
            on_line = (None, np.nan) if line is None else solver.on_line(line, self.path, self.states, self.spinors)
            yield LineBands(levels, *on_line)

    def switching(self) -> Switching | None:
        """As `BandStructure.switching`, of a path that is solved at all points."""
        number, solver = self.crystal.space_group_number, self.solver
        if not solver.window:
            return None
        signs = spin_signs(number, solver.symmetry.spin)
        found = []
        for point in range(len(self.group.kpoints)):
            states, spinors = self.states[point], self.spinors[point]
            here = level_representations(number, solver.symmetry, signs, point, solver.model, states, spinors)
            if here is None:
                return None
            found.append(here)
        return switching(found, symmetry_indicators(number))

    def indices(self, points: tuple[PointBands | None, ...]) -> tuple[InversionIndices | None, InversionIndices | None]:
        """With and without spin-orbit coupling, from the parities at one arm of each star of TRIM."""
        symmetry, electrons = self.solver.symmetry, self.electrons
        inversion = symmetry.inversion()
        if inversion is None or electrons % 2:
            return None, None
        odd = np.full((2, len(TRIM)), np.nan)
        pairs = electrons // 2
        operations = (symmetry.reciprocal, symmetry.rotations, symmetry.translations)
        for k, point in zip(self.group.kpoints, points, strict=True):
            if not k.is_trim or point is None:
                continue
            here = np.array([point.odd / 2, point.spinless_odd])
            for arm, sign in star_phases(*operations, inversion, np.array(k.frac)).items():
                odd[:, arm] = here if sign > 0 else pairs - here
        return inversion_indices(odd[0], pairs), inversion_indices(odd[1], pairs)


def solved_path(crystal: Crystal, parameters: Parameters, settings: PathSettings) -> SolvedPath:
    """States at all points, without `PathSettings.lines` at the TRIM alone.

    Raises:
      InputError: an element that the tight-binding table lacks, or no empty state in the basis (solid noble gases).
    """
    model = make_model(crystal, parameters)
    if model.electrons >= 2 * model.n_orbitals:
        raise InputError("the valence orbitals are all filled: tight binding has no empty state to compare with")
    solver = BandSolver(crystal, model, settings.window)
    path = band_path(crystal.space_group_number, solver.symmetry)
    kpoints = space_group(crystal.space_group_number).kpoints
    wanted = range(len(path.kpoints)) if settings.lines else [i for i, k in enumerate(kpoints) if k.is_trim]
    states = solver.states(path.kpoints[list(wanted)])
    spinors = tuple(solver.spinors(here, vectors=True) for here in states)
    return SolvedPath(crystal, solver, path, tuple(wanted), tuple(states), spinors)


def band_structure(crystal: Crystal, parameters: Parameters, settings: PathSettings) -> BandStructure:
    """The bands of a crystal.

    Raises:
      InputError: as `solved_path`.
    """
    path = solved_path(crystal, parameters, settings)
    solver, points = path.solver, path.points()
    lines = tuple(path.lines()) if settings.lines else ()
    mesh, weights = _mesh(solver.symmetry.reciprocal, settings.mesh)
    mesh_levels = [solver.levels(s, solver.spinors(s, vectors=False)) for s in solver.states(mesh)]
    indices, spinless_indices = path.indices(points)
    return BandStructure(
        space_group_number=crystal.space_group_number,
        electrons=path.electrons,
        spin_orbit=settings.window > 0,
        points=points,
        lines=lines,
        switching=path.switching() if settings.lines else None,
        mesh_levels=np.array(mesh_levels).reshape(len(mesh), 2 * solver.model.n_orbitals),
        mesh_weights=weights,
        indices=indices,
        spinless_indices=spinless_indices,
        dropped=solver.dropped,
    )


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

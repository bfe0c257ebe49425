"""The strong index without inversion, against its own formula for a fourfold rotoinversion.

    kappa_4 = sum_K sum_a exp(i pi a / 4) n_K^a / (2 sqrt 2),

K over the four momenta that it keeps, n_K^a the occupied states with eigenvalue exp(i pi a / 4); odd is a strong
topological insulator: E. Khalaf, H. C. Po, A. Vishwanath, H. Watanabe, Phys. Rev. X 8, 031070 (2018).
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.physics.band_rule import rule_class
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_structure import PathSettings, band_structure
from jaxboost.physics.orbital_symmetry import occupied_characters
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding import make_model
from jaxboost.physics.tight_binding_elements import learned_parameters, published_parameters
from tests.crystals import prototype

PARAMETERS = published_parameters()


def _kappa(crystal, parameters):
    model = make_model(crystal, parameters)
    solver = BandSolver(crystal, model, 12.0)
    symmetry = solver.symmetry
    trace, det = np.trace(symmetry.rotations, axis1=1, axis2=2), np.rint(np.linalg.det(symmetry.rotations))
    operation = int(np.flatnonzero((trace == -1) & (det == -1))[0])
    inverse = np.linalg.inv(symmetry.reciprocal[operation] - np.eye(3))
    momenta = {tuple((np.rint(inverse @ vector * 8) % 8 / 8).tolist()) for vector in product((-1, 0, 1), repeat=3)}
    assert len(momenta) == 4
    kpoints, total = np.array(sorted(momenta)), 0j
    for kpoint, states in zip(kpoints, solver.states(kpoints), strict=True):
        spinors = solver.spinors(states, vectors=True)
        total += occupied_characters(symmetry, [operation], kpoint, model, states, spinors)[0]
    index = total / (2 * np.sqrt(2))
    assert abs(index - round(index.real)) < 1e-6
    return round(index.real)


@pytest.mark.parametrize(
    ("elements", "a", "ratio", "expected"),
    [
        ((80, 52), 6.46, 0.95, "TI"),  # the fourfold level that cubic HgTe has at the filling is split
        ((80, 52), 6.46, 0.98, "TI"),
        ((80, 52), 6.46, 1.05, "trivial"),  # by the learned figures: the other way, and too far
        ((31, 33), 5.65, 0.95, "trivial"),
    ],
)
def test_strained_zincblende(elements, a, ratio, expected):
    """L. Fu, C. L. Kane, Phys. Rev. B 76, 045302 (2007), section V; without inversion parities say nothing."""
    cubic = prototype("zincblende", elements, a)
    crystal = make_crystal(replace(cubic, lattice=cubic.lattice * [1, 1, ratio]))
    group = space_group(crystal.space_group_number)
    assert not group.has_inversion and group.indicator_group == (2,)
    parameters = learned_parameters()
    bands = band_structure(crystal, parameters, PathSettings(mesh=0))
    assert rule_class(bands) == expected and bands.indices is None
    assert _kappa(crystal, parameters) % 2 == (expected == "TI")


def test_it_agrees_with_parities_where_there_is_an_inversion_too():
    crystal = make_crystal(prototype("fluorite", (78, 3), 6.2))
    bands = band_structure(crystal, PARAMETERS, PathSettings(mesh=0))
    assert _kappa(crystal, PARAMETERS) % 2 == bands.indices.strong == 1 and rule_class(bands) == "TI"

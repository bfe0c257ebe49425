"""What a known gap and class ask of the levels: the right gap, the right direction, and a derivative that is one."""

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.physics.band_path import band_path
from jaxboost.physics.band_solver import BandSolver
from jaxboost.physics.band_targets import TargetSettings, find_targets
from jaxboost.physics.bonds import find_bonds
from jaxboost.physics.level_gradients import parameter_gradient
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.tight_binding import model_of_bonds
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import prototype

PARAMETERS = published_parameters()
SETTINGS = TargetSettings(window=1e5)
BISMUTH = Structure(
    np.array([[2.273, 1.312, 3.954], [-2.273, 1.312, 3.954], [0, -2.624, 3.954]]),
    np.array([[0.234] * 3, [0.766] * 3]),
    np.array([83, 83]),
)


def _targets(structure, label, gap=np.nan, settings=SETTINGS, parameters=PARAMETERS):
    crystal = make_crystal(structure)
    bonds = find_bonds(crystal, PARAMETERS)
    model = model_of_bonds(bonds, parameters)
    solver = BandSolver(crystal, model, settings.window)
    path = band_path(crystal.space_group_number, solver.symmetry)
    found = find_targets(crystal, solver, path, label, gap, settings)
    return found, (bonds, model, path.kpoints, found.states, found.spinors)


def _asked(found):
    """(k-point, level) -> slope, of the decisions."""
    return {(term.point, term.level): term.weight for term in found.terms if term.spin_orbit}


def test_a_gap_is_pulled_to_the_known_one_and_a_metal_is_left_to_overlap():
    silicon = prototype("diamond", (14,), 5.431)
    only_gap = TargetSettings(gap=1.0, topology=0.0)
    wide, _ = _targets(silicon, "trivial", 1.0, only_gap)
    assert wide.loss == pytest.approx(wide.gap - 1.5)  # Huber, 1 eV
    slopes = np.array([term.weight for term in wide.terms if not term.spin_orbit])
    assert slopes[slopes > 0].sum() == pytest.approx(1) and slopes[slopes < 0].sum() == pytest.approx(-1)
    close, _ = _targets(silicon, "trivial", wide.gap - 0.5, only_gap)
    assert close.loss == pytest.approx(0.125)
    metal, _ = _targets(prototype("cscl", (12, 80), 3.45), "trivial", 0.0, only_gap)
    assert metal.gap < 0 and metal.loss == 0 and not [t for t in metal.terms if not t.spin_orbit]


def test_a_right_and_safe_decision_asks_for_nothing():
    found, _ = _targets(prototype("rocksalt", (12, 8), 4.21), "trivial")
    assert found.loss == 0 and not found.terms


def test_a_trivial_bismuth_and_a_topological_salt_are_asked_to_invert_where_parities_differ():
    found, _ = _targets(BISMUTH, "trivial")  # an odd number of TRIM has to invert
    slopes = _asked(found)
    (point,) = {k for k, _ in slopes}
    n = 10
    assert found.loss > 0 and slopes[point, n - 1] < 0
    assert all((slope > 0) == (level >= n) for (_, level), slope in slopes.items())
    assert sum(slopes.values()) == pytest.approx(0)
    right, _ = _targets(BISMUTH, "TI")
    assert right.loss == 0
    # Lead telluride inverts at the four points L: that changes no strong index, but the mirror Chern number.
    salt, _ = _targets(prototype("rocksalt", (82, 52), 6.46), "TCI")
    (where,) = {k for k, _ in _asked(salt)}
    assert salt.loss > 0 and space_group(225).kpoints[where].star_size == 4


def test_tin_telluride_is_right_and_asked_to_turn_its_four_l_round_to_be_trivial():
    salt = prototype("rocksalt", (50, 52), 6.318)
    right, _ = _targets(salt, "TCI", settings=TargetSettings(window=1e5, margin=0.0))
    assert right.loss == 0
    wrong, _ = _targets(salt, "trivial")
    assert {space_group(225).kpoints[k].star_size for k, _ in _asked(wrong)} == {4}


def test_grey_tin_is_freed_and_mercury_telluride_cut_at_gamma():
    tin, _ = _targets(prototype("diamond", (50,), 6.49), "trivial")
    assert {k for k, _ in _asked(tin)} == {0}
    telluride, _ = _targets(prototype("zincblende", (80, 52), 6.46), "HSPSM", settings=TargetSettings())
    assert not telluride.terms  # its published gap of 9 eV is out of reach
    # An s level 6 eV deeper brings it near, and then the decision is at Gamma, where two states face four.
    level = PARAMETERS.level.copy()
    level[80, 0] -= 6.0
    near, _ = _targets(prototype("zincblende", (80, 52), 6.46), "HSPSM", parameters=PARAMETERS._replace(level=level))
    slopes = _asked(near)
    assert {k for k, _ in slopes} == {0} and sorted(np.sign(list(slopes.values()))) == [-1] * 4 + [1] * 2


@pytest.mark.parametrize(
    "structure, label, gap",
    [(BISMUTH, "trivial", 0.3), (prototype("rocksalt", (50, 52), 6.31), "HSLSM", 0.0),
     (prototype("diamond", (50,), 6.49), "trivial", 0.2), (prototype("rocksalt", (82, 52), 6.46), "TCI", 0.1),
     (prototype("diamond", (14,), 5.43), "HSPSM", 0.0), (prototype("fluorite", (78, 3), 6.2), "HSLSM", np.nan)],
)  # fmt: skip
def test_the_derivative_of_the_loss_by_the_figures_is_that_of_differences(structure, label, gap):
    found, at = _targets(structure, label, gap)
    assert found.loss > 0
    gradient = parameter_gradient(PARAMETERS, *at, found.terms)
    rng = np.random.default_rng(1)
    direction = {
        name: rng.normal(size=np.shape(array)) * np.where(array == 0, 0, 0.01) for name, array in _named(PARAMETERS)
    }
    direction["shell_factor"] = (direction["shell_factor"] + direction["shell_factor"].T) / 2
    step, values = 1e-3, []
    for sign in (1, -1):
        moved = PARAMETERS._replace(
            **{name: array + sign * step * direction[name] for name, array in _named(PARAMETERS)}
        )
        values.append(_targets(structure, label, gap, parameters=moved)[0].loss)
    slope = sum((getattr(gradient, name) * direction[name]).sum() for name in direction)
    assert abs(slope) > 1e-4
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-3)


def _named(parameters):
    return zip(parameters._fields, (np.asarray(array) for array in parameters), strict=True)

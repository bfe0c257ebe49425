"""Band structures of crystals: parities, indices and crossings against independent ways to find them."""

from itertools import product

import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.errors import InputError
from jaxboost.physics.band_rule import class_of, is_nodal, rule_class
from jaxboost.physics.band_solver import LineBands
from jaxboost.physics.band_states import add_spin_orbit, solve
from jaxboost.physics.band_structure import PathSettings, SolvedPath, band_structure
from jaxboost.physics.indices import parity_indices
from jaxboost.physics.levels import DEGENERATE
from jaxboost.physics.orbital_symmetry import occupied_characters, orbital_symmetry
from jaxboost.physics.orbitals import PAULI
from jaxboost.physics.space_groups import space_group
from jaxboost.physics.symmetry_indicators import RULE_CLASSES
from jaxboost.physics.tight_binding import make_model
from jaxboost.physics.tight_binding_elements import published_parameters
from tests.crystals import prototype

PARAMETERS = published_parameters()
SETTINGS = PathSettings()
# Name, elements, lattice constant -> class that the model has.
KNOWN = [
    (("diamond", (14,), 5.43), "trivial"),
    (("rocksalt", (12, 8), 4.21), "trivial"),
    (("diamond", (50,), 6.49), "HSPSM"),
    (("fluorite", (78, 3), 6.2), "TI"),
    (("cscl", (57, 31), 3.5), "TCI"),
    (("rocksalt", (57, 83), 6.2), "HSLSM"),
]


def _bands(description, settings=SETTINGS):
    return band_structure(make_crystal(prototype(*description)), PARAMETERS, settings)


@pytest.mark.parametrize("description, expected", KNOWN)
def test_each_class_of_the_rule_occurs(description, expected):
    assert rule_class(_bands(description)) == expected
    assert expected in RULE_CLASSES
    assert class_of(make_crystal(prototype(*description)), PARAMETERS, SETTINGS) == expected


def test_a_class_is_found_without_what_does_not_decide_it(monkeypatch):
    crystals = {name: make_crystal(prototype(*description)) for description, name in KNOWN}
    monkeypatch.setattr(SolvedPath, "switching", lambda path: 1 / 0)
    assert class_of(crystals["HSLSM"], PARAMETERS, SETTINGS) == "HSLSM"
    with pytest.raises(ZeroDivisionError):
        class_of(crystals["TI"], PARAMETERS, SETTINGS)
    monkeypatch.setattr(SolvedPath, "lines", lambda path: (1 / 0 for _ in range(1)))
    assert class_of(crystals["HSPSM"], PARAMETERS, SETTINGS) == "HSPSM"


def test_parities_decide_where_representations_are_not_known(monkeypatch):
    """As where a dropped state cuts a level in two."""
    monkeypatch.setattr(SolvedPath, "switching", lambda path: None)
    for description, expected in KNOWN:
        assert rule_class(_bands(description)) == expected
        assert class_of(make_crystal(prototype(*description)), PARAMETERS, SETTINGS) == expected


def test_silicon_is_trivial_in_every_index():
    bands = _bands(("diamond", (14,), 5.43))
    for indices in (bands.indices, bands.spinless_indices):
        assert (indices.strong, indices.weak, indices.z4) == (0, (0, 0, 0), 0)


def _with_spin(model, symmetry):
    """Hamiltonian, overlap and inversion with all bands and both spins, as functions of k."""
    inversion = symmetry.inversion()

    def hamiltonian(k):
        matrix = model.bloch(k[None])[0][0]
        return np.kron(np.eye(2), matrix) + sum(
            np.kron(s, on_site) for s, on_site in zip(PAULI, model.spin_orbit, strict=True)
        )

    return (
        hamiltonian,
        lambda k: np.kron(np.eye(2), model.bloch(k[None])[1][0]),
        lambda k: np.kron(np.eye(2), symmetry.matrix(inversion, k, model)),
    )


@pytest.mark.parametrize("description", [known[0] for known in KNOWN if known[1] not in ("HSPSM", "HSLSM")])
def test_indices_are_those_of_the_whole_hamiltonian_at_all_eight_momenta(description):
    crystal = make_crystal(prototype(*description))
    model = make_model(crystal, PARAMETERS)
    hamiltonian, overlap, inversion = _with_spin(model, orbital_symmetry(crystal))
    directly = parity_indices(hamiltonian, inversion, model.electrons, overlap=overlap)
    assert directly == band_structure(crystal, PARAMETERS, SETTINGS).indices


@pytest.mark.parametrize("description", [("diamond", (14,), 5.43), ("perovskite", (38, 22, 8), 3.9)])
def test_every_operation_keeps_the_hamiltonian(description):
    crystal = make_crystal(prototype(*description))
    model, symmetry = make_model(crystal, PARAMETERS), orbital_symmetry(crystal)
    for k in (np.zeros(3), np.array([0.5, 0.5, 0]), np.array([0.5, 0.5, 0.5])):
        hamiltonian, overlap = (matrix[0] for matrix in model.bloch(k[None]))
        for g in symmetry.little_group(k):
            matrix = symmetry.matrix(g, k, model)
            np.testing.assert_allclose(matrix @ hamiltonian @ matrix.conj().T, hamiltonian, atol=1e-6)
            np.testing.assert_allclose(matrix @ overlap @ matrix.conj().T, overlap, atol=1e-7)


def test_characters_are_class_functions_of_whole_representations():
    """Their mean square over the little group is whole, and in silicon spin only multiplies them."""
    crystal = make_crystal(prototype("diamond", (14,), 5.43))
    model, symmetry = make_model(crystal, PARAMETERS), orbital_symmetry(crystal)
    for k in (np.zeros(3), np.array([0.5, 0.5, 0]), np.array([0.5, 0, 0])):
        states = solve(*(matrix[0] for matrix in model.bloch(k[None])))
        spinors = add_spin_orbit(model, states, 8.0)
        operations = symmetry.little_group(k)
        spinless = occupied_characters(symmetry, operations, k, model, states)
        spinful = occupied_characters(symmetry, operations, k, model, states, spinors)
        for characters, electrons in ((spinless, 4), (spinful, 8)):
            norm = (np.abs(characters) ** 2).mean()
            assert norm == pytest.approx(round(norm), abs=1e-6)
            assert np.abs(characters).max() == pytest.approx(electrons)
        spin = np.trace(symmetry.spin[operations], axis1=1, axis2=2)
        # Silicon's occupied spinors are those of the occupied orbitals times spin.
        np.testing.assert_allclose(spinful, spinless * spin, atol=1e-6)


def test_points_and_lines_follow_the_space_group():
    bands = _bands(("rocksalt", (12, 8), 4.21))
    group = space_group(225)
    assert (len(bands.points), len(bands.lines)) == (len(group.kpoints), len(group.lines))
    for line, facts in zip(bands.lines, group.lines, strict=True):
        assert np.isfinite(line.levels).all()
        assert (line.crossing is not None) == (facts.n_relations > 0)
    assert bands.mesh_weights.sum() == 27


@pytest.mark.parametrize("description, size", [(("zincblende", (31, 33), 5.65), 4), (("cscl", (55, 17), 4.1), 4)])
def test_the_mesh_stands_for_all_its_points(description, size):
    crystal = make_crystal(prototype(*description))
    bands = band_structure(crystal, PARAMETERS, SETTINGS)
    assert len(bands.mesh_weights) == size  # time reversal counts where the inversion is missing
    model = make_model(crystal, PARAMETERS)
    whole = np.array(list(product(range(3), repeat=3))) / 3
    states = [solve(h, s) for h, s in zip(*model.bloch(whole), strict=True)]
    n, edges = model.electrons, np.zeros(2)
    for one in states:
        spinors = add_spin_orbit(model, one, SETTINGS.window, vectors=False)
        edges += spinors.energies[spinors.electrons - 1 : spinors.electrons + 1]
    np.testing.assert_allclose(bands.mesh_weights @ bands.mesh_levels[:, n - 1 : n + 1], edges, atol=1e-6)


def _closes(model, line, fractions):
    """Whether the gap along a line falls to nothing, as fine as the fractions are."""
    group, n = space_group(225), model.electrons
    start, end = np.array(group.kpoints[line.i].frac), np.array(line.end)
    path = start + (end - start) * fractions[:, None]
    path -= np.rint(path)
    states = [solve(h, s) for h, s in zip(*model.bloch(path), strict=True)]
    levels = np.array([add_spin_orbit(model, one, 1e5, vectors=False).energies for one in states])
    steepest = np.abs(np.diff(levels[:, n - 1 : n + 1], axis=0)).max()
    return bool((levels[:, n] - levels[:, n - 1]).min() < 2 * steepest)


def test_a_crossing_closes_the_gap_on_its_line():
    """Where the characters at the ends differ the gap is zero somewhere between, and only there."""
    description = ("rocksalt", (57, 83), 6.2)
    model = make_model(make_crystal(prototype(*description)), PARAMETERS)
    tested = 0
    for line, facts in zip(_bands(description).lines, space_group(225).lines, strict=True):
        if line.crossing is not None:
            assert _closes(model, facts, np.linspace(0.05, 0.95, 301)) == line.crossing
            tested += 1
    assert tested == 2


def test_a_crossing_close_to_the_end_of_its_line_is_found():
    # Platinum's d level is raised until, at the end of the line, it has just come through the empty level above.
    crystal = make_crystal(prototype("fluorite", (78, 3), 6.2))
    level = PARAMETERS.level.copy()
    level[78, 2] += 3.1
    parameters = PARAMETERS._replace(level=level)
    bands, model, line = band_structure(crystal, parameters, SETTINGS), make_model(crystal, parameters), 1
    assert bands.lines[line].crossing
    assert not _closes(model, space_group(225).lines[line], np.linspace(0.6, 0.95, 301))
    assert _closes(model, space_group(225).lines[line], np.linspace(0.95, 0.999, 200))


def test_without_spin_orbit_coupling_levels_are_doubled_and_only_the_trim_computed():
    bands = _bands(("cscl", (55, 17), 4.1), PathSettings(window=0.0, mesh=0, lines=False))
    assert not bands.spin_orbit and bands.lines == () and len(bands.mesh_levels) == 0 and bands.indices is None
    for point, k in zip(bands.points, space_group(221).kpoints, strict=True):
        assert (point is not None) == k.is_trim
        np.testing.assert_array_equal(point.levels, np.repeat(point.spinless_levels, 2))


def test_a_level_on_a_whole_line_at_the_filling_is_nodal():
    assert is_nodal(LineBands(np.array([0.0, DEGENERATE / 2]), None), 1)
    assert not is_nodal(LineBands(np.array([0.0, 1.0]), None), 1)


def test_a_crystal_without_empty_orbitals_is_refused():
    with pytest.raises(InputError, match="all filled"):
        _bands(("cscl", (10, 10), 4.4))

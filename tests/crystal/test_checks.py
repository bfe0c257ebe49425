import numpy as np
import pytest

from jaxboost.crystal.checks import StructureError, check_structure, closest_pair
from jaxboost.crystal.structure import Structure
from jaxboost.errors import InputError

ROCKSALT = Structure(4.0 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])


def refused(structure: Structure, max_atoms: int = 400) -> str:
    with pytest.raises(StructureError) as caught:
        check_structure(structure, max_atoms)
    assert isinstance(caught.value, InputError)
    return str(caught.value)


def with_lattice(lattice: np.ndarray) -> Structure:
    return Structure(lattice, ROCKSALT.frac_coords, ROCKSALT.atomic_numbers)


def test_what_is_sound_passes():
    check_structure(ROCKSALT, 2)
    check_structure(Structure(np.eye(3) * 400.0, [[0.3, 0.1, 7.2]], [2]), 1)


def test_no_atom():
    assert "no atom" in refused(Structure(np.eye(3), np.zeros((0, 3)), []))
    assert "no atom" in refused(Structure(np.eye(3), [], []))


def test_too_many_atoms():
    reason = refused(ROCKSALT, 1)
    assert "2 atoms" in reason and "max_atoms" in reason


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    lattice, coords = np.array(ROCKSALT.lattice), np.array(ROCKSALT.frac_coords)
    lattice[1, 1] = coords[1, 2] = bad
    assert "lattice" in refused(with_lattice(lattice))
    assert "frac_coords" in refused(Structure(ROCKSALT.lattice, coords, [11, 17]))


@pytest.mark.parametrize("number", [-1, 0, 104])
def test_unknown_element(number):
    reason = refused(Structure(ROCKSALT.lattice, ROCKSALT.frac_coords, [11, number]))
    assert f"atomic number {number} at site 1" in reason


@pytest.mark.parametrize("lattice", [np.zeros((3, 3)), np.diag([4.0, 4, 0]), [[4, 0, 0], [0, 4, 0], [4, 4, 1e-4]]])
def test_flat_cell(lattice):
    assert "no volume" in refused(with_lattice(lattice))


@pytest.mark.parametrize("scale", [0.1, 200.0, 1e200])
def test_absurd_lattice(scale):
    assert "absurd lattice" in refused(with_lattice(scale * ROCKSALT.lattice))


def test_left_handed_cell_is_refused_with_a_remedy_that_works():
    lattice = np.array(ROCKSALT.lattice)[[1, 0, 2]]
    assert "left-handed" in refused(with_lattice(lattice))
    check_structure(Structure(-lattice, -ROCKSALT.frac_coords, ROCKSALT.atomic_numbers), 2)


@pytest.mark.parametrize("coords", [[0.99, 0, 0], [0, 0, 0], [3.01, -1, 2]])
def test_two_atoms_on_one_place_also_through_the_wall(coords):
    assert "two atoms on one place" in refused(Structure(ROCKSALT.lattice, [[0, 0, 0], coords], [11, 17]))


def test_wrong_shapes():
    assert "expected (3, 3)" in refused(Structure(np.eye(2), [[0, 0, 0]], [1]))
    assert "expected (3, 3)" in refused(Structure(np.eye(3), [[0, 0, 0]], [1, 1]))
    with pytest.raises(TypeError, match="integers"):
        Structure(np.eye(3), [[0, 0, 0]], [1.5])


def test_closest_pair_agrees_with_all_images_counted_by_hand():
    rng = np.random.default_rng(0)
    shifts = np.stack(np.meshgrid(*[[-2, -1, 0, 1, 2]] * 3, indexing="ij"), -1).reshape(-1, 3)
    for _ in range(20):
        lattice = np.eye(3) * 3.0 + rng.uniform(-1, 1, (3, 3))
        coords = rng.uniform(-2, 2, (6, 3))
        offsets = (coords[:, None] - coords[None]) % 1.0
        distances = np.linalg.norm((offsets[:, :, None] + shifts) @ lattice, axis=-1).min(-1)
        distances[np.diag_indices(6)] = np.inf
        pair = closest_pair(lattice, coords, 1.5)
        assert pair is not None
        assert pair[2] == pytest.approx(distances.min(), abs=1e-9)
        assert pair[2] == pytest.approx(distances[pair[0], pair[1]], abs=1e-9)
        assert closest_pair(lattice, coords, pair[2] * 0.999) is None

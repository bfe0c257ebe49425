"""The embedded table: labels that are the model's, the same from the same seed, no class or prototype too simple."""

from collections import defaultdict

import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.data import embedded, topomat
from jaxboost.data.embedded import (
    EmbeddedSettings,
    draw_crystal,
    embedded_table,
    label_parameters,
    model_class,
    prototype_of,
)
from jaxboost.data.prototypes import PROTOTYPES, make_structure
from jaxboost.errors import InputError
from jaxboost.physics.tight_binding_elements import basis_electrons, published_parameters


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def table(folder):
    """189 crystals, nine a prototype: about 5 s."""
    return embedded_table(EmbeddedSettings(crystals=189, seed=3), cache_dir=folder, workers=1)


def test_every_class_and_every_prototype_is_there(table):
    assert table.classes == topomat.CLASSES and table.split is None and len(table) == 189
    assert (np.bincount(table.labels, minlength=5) / len(table)).min() > 0.03
    classes = defaultdict(set)
    for name, label in zip(table.ids, table.labels, strict=True):
        classes[prototype_of(name)].add(int(label))
    assert set(classes) == set(PROTOTYPES) and min(map(len, classes.values())) >= 2
    assert "not of nature" in table.source


def test_electrons_are_even_so_that_counting_them_tells_nothing(table):
    for structure in table.structures:
        assert basis_electrons()[structure.atomic_numbers].sum() % 2 == 0
        assert set(structure.atomic_numbers.tolist()) <= set(embedded.ELEMENTS)


def test_the_same_seed_gives_the_same_table_whatever_the_number_of_workers(table):
    few = embedded_table(EmbeddedSettings(crystals=40, seed=3), cache_dir=None, workers=2)
    alone = embedded_table(EmbeddedSettings(crystals=40, seed=3), cache_dir=None, workers=1)
    assert few.sha256 == alone.sha256 != table.sha256
    # More crystals do not change those that were there.
    assert few.labels.tolist() == table.labels[:40].tolist() and few.ids.tolist() == table.ids[:40].tolist()
    other = embedded_table(EmbeddedSettings(crystals=3, seed=4), cache_dir=None, workers=1)
    assert not np.array_equal(other.structures[0].lattice, few.structures[0].lattice)


def test_the_table_is_kept(table, folder, monkeypatch):
    monkeypatch.setattr(embedded, "draw_crystal", lambda *arguments: pytest.fail("it is made again"))
    done = []
    again = embedded_table(EmbeddedSettings(crystals=189, seed=3), cache_dir=folder, workers=1, progress=done.append)
    assert again.sha256 == table.sha256 and again.labels.tolist() == table.labels.tolist()
    for one, other in zip(again.structures, table.structures, strict=True):
        np.testing.assert_array_equal(one.frac_coords, other.frac_coords)
    assert [path.suffix for path in (folder / "embedded").iterdir()] == [".npz"]


def test_what_changes_a_label_changes_the_place_in_the_cache(monkeypatch):
    first = EmbeddedSettings().digest
    assert EmbeddedSettings(seed=1).digest != first != EmbeddedSettings(crystals=1).digest
    monkeypatch.setattr(embedded, "ELEMENTS", (12, 34))
    assert EmbeddedSettings().digest != first


@pytest.mark.parametrize("number", range(0, 189, 11))
def test_no_other_cell_and_no_rotation_changes_a_label(table, number):
    structure = table.structures[number]
    turn, _ = np.linalg.qr(np.random.default_rng(number).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    cell = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]])
    order = np.random.default_rng(number).permutation(len(structure.atomic_numbers))
    moved = Structure(
        cell @ structure.lattice @ turn,
        (structure.frac_coords @ np.linalg.inv(cell) + [0.13, 0.2, 0.37])[order],
        structure.atomic_numbers[order],
    )
    assert model_class(make_crystal(moved)) == table.classes[table.labels[number]]


def test_a_supercell_has_the_label_of_its_crystal(table):
    structure = table.structures[0]
    doubled = Structure(
        np.diag([1, 1, 2]) @ structure.lattice,
        np.concatenate([(structure.frac_coords + [0, 0, cell]) / [1, 1, 2] for cell in (0, 1)]),
        np.tile(structure.atomic_numbers, 2),
    )
    assert model_class(make_crystal(doubled)) == table.classes[table.labels[0]]


@pytest.mark.parametrize(
    ("name", "elements", "ratio", "found"),
    [
        ("rocksalt", (12, 8), 1.0, "trivial"),  # MgO
        ("zincblende", (31, 33), 1.0, "trivial"),  # GaAs
        ("diamond", (14,), 1.0, "trivial"),
        ("diamond", (50,), 1.0, "HSPSM"),  # grey tin: the fourfold level at Gamma is half filled
        ("cscl", (11, 12), 1.0, "HSPSM"),  # an odd number of electrons: Kramers
    ],
)
def test_what_is_known_of_real_crystals_holds_in_the_model(name, elements, ratio, found):
    structure = make_structure(name, elements, loose=1.0, ratio=ratio, height=0.0)
    assert model_class(make_crystal(structure)) == found


def test_stretching_grey_tin_opens_the_level_and_leaves_a_topological_insulator():
    """L. Fu, C. L. Kane, Phys. Rev. B 76, 045302 (2007), section V C: uniaxial strain."""
    structure = make_structure("tin", (50,), loose=1.0, ratio=1.34, height=0.0)
    assert model_class(make_crystal(structure)) == "TI"


def test_the_model_is_another_one_than_that_of_the_features():
    published, ours = published_parameters(), label_parameters()
    assert (ours.spin_orbit[83] > published.spin_orbit[83])[1] and (ours.shell_factor < published.shell_factor).all()


def test_what_cannot_be_a_table_is_refused(monkeypatch):
    with pytest.raises(InputError, match="config.data.embedded_crystals is 0: give a number above 0"):
        embedded_table(EmbeddedSettings(crystals=0), cache_dir=None, workers=1)
    one = draw_crystal(0, 0)
    monkeypatch.setattr(embedded, "draw_crystal", lambda seed, number: one)
    with pytest.raises(InputError, match="has 0.0% of the crystals and 5% are promised"):
        embedded_table(EmbeddedSettings(crystals=500), cache_dir=None, workers=1)

"""Structure types: the space groups of the textbooks, whatever is drawn, and known bond lengths."""

import numpy as np
import pytest

from jaxboost.crystal import make_crystal
from jaxboost.crystal.elements import ELEMENT_PROPERTIES
from jaxboost.data.prototypes import PROTOTYPES, contact, draw_structure, make_structure
from jaxboost.errors import InputError

ELEMENTS = (38, 22, 8)


@pytest.mark.parametrize("name", PROTOTYPES)
def test_every_member_has_the_space_group_and_the_primitive_cell(name):
    prototype, rng = PROTOTYPES[name], np.random.default_rng(5)
    for _ in range(15):
        structure = draw_structure(name, ELEMENTS[: len(prototype.letters)], rng.uniform(0.9, 1.25), rng)
        for symprec in (1e-4, 0.1):  # exact, and also by the tolerance that features are made with
            crystal = make_crystal(structure, symprec=symprec)
            assert crystal.space_group_number == prototype.space_group_number
            assert crystal.n_atoms == len(prototype.species)


@pytest.mark.parametrize("name", PROTOTYPES)
def test_the_ends_of_the_ranges_are_members_too(name):
    prototype = PROTOTYPES[name]
    elements = ELEMENTS[: len(prototype.letters)]
    for ratio in np.ravel(prototype.ratios):
        for height in prototype.heights:
            structure = make_structure(name, elements, loose=1.0, ratio=ratio, height=height)
            assert make_crystal(structure).space_group_number == prototype.space_group_number


def test_the_closest_contact_is_as_asked():
    for name, prototype in PROTOTYPES.items():
        structure = draw_structure(name, ELEMENTS[: len(prototype.letters)], 1.1, np.random.default_rng(0))
        radii = ELEMENT_PROPERTIES["covalent_radius"][structure.atomic_numbers]
        assert contact(structure.lattice, structure.frac_coords, radii) == pytest.approx(1.1)


def test_silicon_has_its_bond_length():
    structure = make_structure("diamond", [14], loose=1.0, ratio=1.0, height=0.0)
    offset = np.diff(structure.frac_coords, axis=0)
    bond = np.linalg.norm((offset - np.rint(offset)) @ structure.lattice)
    assert bond == pytest.approx(2.35, abs=0.15)  # twice the covalent radius of 1.11


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rocksolt", [11, 17], 1.0, 1.0), "no prototype 'rocksolt': known are rocksalt"),
        (("rocksalt", [11], 1.0, 1.0), "rocksalt has 2 kinds of places, 1 elements are given"),
        (("rocksalt", [11, 17], 0.0, 1.0), "give numbers above 0"),
        (("rocksalt", [11, 17], 1.0, float("nan")), "give numbers above 0"),
    ],
)
def test_what_is_no_structure_is_refused(arguments, said):
    name, elements, loose, ratio = arguments
    with pytest.raises(InputError, match=said):
        make_structure(name, elements, loose=loose, ratio=ratio, height=0.0)

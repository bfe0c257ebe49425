"""What a crystal is: reading it, checking it, its standardised primitive cell, the elements."""

from jaxboost.crystal.checks import StructureError
from jaxboost.crystal.crystal import Crystal, make_crystal, reduced_formula
from jaxboost.crystal.readers import as_structure, read_structure
from jaxboost.crystal.structure import Structure

__all__ = [
    "Crystal",
    "Structure",
    "StructureError",
    "as_structure",
    "make_crystal",
    "read_structure",
    "reduced_formula",
]

"""CIF files -> `Structure`: strict where the parser is lenient, one reason a file."""

import zlib
from pathlib import Path

import gemmi
import numpy as np
from gemmi import cif

from jaxboost.crystal.checks import (
    MAX_ATOMIC_NUMBER,
    MIN_DISTANCE,
    StructureError,
    check_cell,
    closest_pair,
    is_full,
    without_repeats,
)
from jaxboost.crystal.file_bytes import file_bytes
from jaxboost.crystal.structure import Structure

_CELL_TAGS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_OPERATION_TAGS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_GROUP_TAGS = (
    "_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M", "_space_group_name_Hall",
    "_symmetry_space_group_name_Hall", "_space_group_IT_number", "_symmetry_Int_Tables_number",
)  # fmt: skip
_MOST_SITES = 100_000  # 520 atoms with 192 operations
_SAME_SITE = 0.05  # Angstrom; a file that lists images beside its operations repeats them to the printed digits


def read_cif(path: str | Path) -> Structure:
    """Reads the only data block with atoms, and expands it by its symmetry operations to the full cell.

    Uncertainties in brackets are dropped; D and T are hydrogen. Operations come from the file's list, else
    from the named space group; a file that gives neither lists its whole cell (P 1). A file that lists
    symmetric images beside its operations counts each atom once. What makes no crystal
    (`checks.check_structure`) is left to `make_crystal`.

    Raises:
      StructureError: no such file, not a CIF, no or several blocks with atoms, cell or coordinates missing, a
        space group nobody knows, an unknown element, partial occupancy or two species on a site. The message
        names the file.
    """
    try:
        return _read_block(_block_with_atoms(cif.read_string(file_bytes(path))))
    except StructureError as error:
        raise StructureError(f"{path}: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise StructureError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    except (ValueError, RuntimeError) as error:
        raise StructureError(f"{path}: not a readable CIF ({error})") from error


def _block_with_atoms(document: cif.Document) -> cif.Block:
    blocks = [block for block in document if len(block.find_values("_atom_site_fract_x"))]
    if not blocks:
        raise StructureError(f"no atom: none of its {len(document)} data blocks has _atom_site_fract_x")
    if len(blocks) > 1:
        names = ", ".join(block.name for block in blocks)
        raise StructureError(f"several data blocks have atoms ({names}): put each in a file of its own")
    return blocks[0]


def _read_block(block: cif.Block) -> Structure:
    for tag in _CELL_TAGS:
        value = block.find_value("_cell_" + tag)
        if value is None or not np.isfinite(cif.as_number(value)):
            raise StructureError(f"no cell: _cell_{tag} is {value or 'missing'}")
    for value in block.find_values("_atom_site_occupancy"):
        # The parser turns what is no number into 1.
        if value not in ("?", ".") and not is_full(cif.as_number(value)):
            raise StructureError(
                f"disorder/partial occupancy: a site has occupancy {value}; give an ordered model (every occupancy 1)"
            )
    small = gemmi.make_small_structure_from_block(block)
    _check_symmetry_is_known(block, small)
    for site in small.sites:
        if not 1 <= _atomic_number(site) <= MAX_ATOMIC_NUMBER:
            raise StructureError(f"unknown element {site.type_symbol or site.label!r} at site {site.label!r}")
        if not np.isfinite(site.fract.tolist()).all():
            raise StructureError(f"site {site.label!r} has no finite coordinates: {site.fract.tolist()}")
    return _expand(small)


def _atomic_number(site: gemmi.SmallStructure.Site) -> int:
    if site.element.atomic_number == 0 and (site.type_symbol or site.label) == "T":
        return 1
    return site.element.atomic_number


def _check_symmetry_is_known(block: cif.Block, small: gemmi.SmallStructure) -> None:
    listed = next((set(map(_plain, values)) for tag in _OPERATION_TAGS if (values := block.find_values(tag))), set())
    listed -= {"?", "."}
    only_identity = len(listed) == 1 and gemmi.Op(*listed) == gemmi.Op()
    if listed and not only_identity and len(small.cell.images) + 1 < max(2, len(listed)):
        # The parser leaves out the whole list where it cannot follow one of its lines.
        raise StructureError(f"{len(listed)} symmetry operations are listed and they form no space group")
    if listed or small.spacegroup is not None:
        return
    for tag in _GROUP_TAGS:
        value = block.find_value(tag)
        if value is not None and value not in ("?", "."):
            raise StructureError(f"unknown space group {cif.as_string(value)!r} and no list of symmetry operations")


def _plain(value: str) -> str:
    return cif.as_string(value).replace(" ", "").lower()


def _expand(small: gemmi.SmallStructure) -> Structure:
    lattice = np.array(small.cell.orth.mat.tolist()).T
    if len(small.sites) * (len(small.cell.images) + 1) > _MOST_SITES:
        raise StructureError(
            f"{len(small.sites)} sites and {len(small.cell.images) + 1} symmetry operations make more than "
            f"{_MOST_SITES:,} atoms: give the primitive cell, or list each atom once"
        )
    sites = list(small.get_all_unit_cell_sites())
    coords = np.array([site.fract.tolist() for site in sites])
    numbers = np.array([_atomic_number(site) for site in sites])
    try:
        check_cell(lattice, len(small.sites))
    except StructureError:
        return Structure(lattice, coords, numbers)  # check_structure says what is wrong with it
    if len(small.cell.images):
        _refuse_twice_listed(lattice, small)
        coords, numbers = _merge_images(lattice, coords, numbers)
    pair = closest_pair(lattice, coords, MIN_DISTANCE)
    if pair is not None and numbers[pair[0]] != numbers[pair[1]]:
        first, second = (gemmi.Element(int(numbers[atom])).name for atom in pair[:2])
        raise StructureError(
            f"disorder/partial occupancy: {first} and {second} share a site ({pair[2]:.3f} Angstrom apart)"
        )
    return Structure(lattice, coords, numbers)


def _refuse_twice_listed(lattice: np.ndarray, small: gemmi.SmallStructure) -> None:
    """One label twice on the very same place is a fault; symmetric images of a site are merged instead."""
    pair = closest_pair(lattice, np.array([site.fract.tolist() for site in small.sites]), MIN_DISTANCE)
    if pair is not None and pair[0] != pair[1]:
        first, second = (small.sites[atom] for atom in pair[:2])
        same = _atomic_number(first) == _atomic_number(second)
        raise StructureError(
            f"{'two atoms on one place' if same else 'disorder/partial occupancy'}: sites {first.label!r} "
            f"and {second.label!r} are {pair[2]:.3f} Angstrom apart"
        )


def _merge_images(lattice: np.ndarray, coords: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drops every atom that lies on an earlier one of its element."""
    kept = without_repeats(lattice, coords, numbers, _SAME_SITE)
    return coords[kept], numbers[kept]

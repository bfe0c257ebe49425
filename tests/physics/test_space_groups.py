"""The shipped table against published results that had no part in making it."""

import csv
import dataclasses
import os
from pathlib import Path

import pytest

from jaxboost.crystal.point_groups import POINT_GROUPS
from jaxboost.errors import InputError
from jaxboost.physics.space_groups import decode, encode, space_group

ALL = range(1, 231)


def _reference(name: str) -> Path:
    folder = os.environ.get("JAXBOOST_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data"
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"no reference data: {path.name} is neither under JAXBOOST_DATA nor in ../shared/data")
    return path


# Steps of the filling with spin-orbit coupling: Watanabe, Po, Zaletel, Vishwanath, PRL 117, 096404 (2016).
STEPS = {
    8: {19, 29, 33, 52, 54, 56, 57, 60, 61, 62, 73, 76, 78, 91, 92, 95, 96, 106, 110, 130, 133, 135, 138, 142}
    | {198, 205, 206, 212, 213, 228, 230},
    12: {169, 170, 178, 179},
    6: {144, 145, 151, 152, 153, 154, 171, 172, 180, 181},
}


def test_filling_steps():
    by_step = {step: {n for n in ALL if space_group(n).filling_step == step} for step in (2, 4, 6, 8, 12)}
    assert {step: by_step[step] for step in STEPS} == STEPS
    assert by_step[2] == {n for n in ALL if space_group(n).is_symmorphic} and len(by_step[2]) == 73
    assert sum(map(len, by_step.values())) == 230


def test_counts_of_kinds_of_space_groups():
    groups = [space_group(n) for n in ALL]
    assert sum(g.is_chiral for g in groups) == 65
    assert sum(g.is_polar for g in groups) == 68
    assert sum(g.has_inversion for g in groups) == 92
    assert not any(g.has_inversion and (g.is_chiral or g.is_polar) for g in groups)


@pytest.mark.parametrize(
    ("number", "indicators"),
    # Po, Vishwanath, Watanabe, Nature Communications 8, 50 (2017), table 1.
    [
        (2, (2, 2, 2, 4)),
        (47, (2, 2, 2, 4)),
        (83, (2, 4, 8)),
        (87, (2, 8)),
        (128, (8,)),
        (147, (2, 4)),
        (174, (3, 3)),
        (175, (6, 12)),
        (176, (12,)),
        (187, (3, 3)),
        (188, (3,)),
        (191, (6, 12)),
        (216, (2,)),
        (221, (4, 8)),
        (225, (8,)),
        (227, (4,)),
    ],
)
def test_symmetry_indicators(number, indicators):
    assert space_group(number).indicator_group == indicators


def test_indicators_need_an_improper_rotation():
    assert all(not space_group(n).indicator_group for n in ALL if space_group(n).is_chiral)
    assert all(space_group(n).indicator_order >= 4 for n in ALL if space_group(n).has_inversion)


def test_freedom_against_the_compatibility_relations():
    # A screw axis leaves band orders that end in a crossing, a plain axis with the same point group does not.
    assert space_group(4).compatibility_freedom == 4 and space_group(3).compatibility_freedom == 0


def test_rank_of_band_structures():
    # Po, Vishwanath, Watanabe, Nature Communications 8, 50 (2017), with parities at 8 TRIM and the number of bands.
    assert [space_group(n).d_bs for n in (1, 2)] == [1, 9]


def _with_dimension(dimension: int) -> set[int]:
    return {n for n in ALL for k in space_group(n).kpoints if dimension in k.dims}


def test_new_fermions():
    # Bradlyn et al., Science 353, aaf5037 (2016), table 1: all groups with 3-, 6- and 8-fold points.
    assert _with_dimension(3) == {199, 214, 220}
    assert _with_dimension(6) == {198, 205, 206, 212, 213, 230}
    assert _with_dimension(8) == {130, 135, 218, 220, 222, 223, 230}


def test_kramers_and_inversion():
    for n in ALL:
        group = space_group(n)
        for place in (*group.kpoints, *group.lines):
            if group.has_inversion or getattr(place, "is_trim", False):
                assert all(d % 2 == 0 for d in place.dims)


def test_eight_time_reversal_invariant_momenta_in_every_zone():
    for n in ALL:
        assert sum(k.star_size for k in space_group(n).kpoints if k.is_trim) == 8


def test_filling_meets_every_point_by_whole_representations():
    for n in ALL:
        group = space_group(n)
        assert group.kpoints[0].frac == (0.0, 0.0, 0.0) and group.kpoints[0].order == group.order
        assert all(d % group.filling_step == 0 for d in group.ebr_dims)
        assert all(group.ebr_dims[-1] >= max(k.dims) for k in group.kpoints)
        assert group.compatibility_freedom >= 0


def test_lines_have_less_symmetry_than_their_ends():
    for n in ALL:
        group = space_group(n)
        for line in group.lines:
            assert group.kpoints[line.i].order % line.order == 0
            assert group.kpoints[line.j].order % line.order == 0
            assert 0 <= line.n_relations <= len(line.dims) - 1


def test_lines_connect_all_points():
    for n in ALL:
        group = space_group(n)
        reached = {0}
        for _ in group.kpoints:
            reached |= {b for w in group.lines for a, b in ((w.i, w.j), (w.j, w.i)) if a in reached}
        assert reached == set(range(len(group.kpoints)))


def test_lines_end_on_an_arm_of_their_end():
    for n in ALL:
        group = space_group(n)
        for line in group.lines:
            doubled = [2 * c for c in line.end]
            is_trim = all(abs(c - round(c)) < 1e-9 for c in doubled)
            assert is_trim == group.kpoints[line.j].is_trim
            assert line.end != group.kpoints[line.i].frac


def test_indices_of_point_groups():
    assert POINT_GROUPS[space_group(225).point_group] == "m-3m"
    assert [POINT_GROUPS[k.little_co_group] for k in space_group(225).kpoints] == [
        "m-3m",
        "4/mmm",
        "-3m",
        "-42m",
    ]
    assert POINT_GROUPS[space_group(186).point_group] == "6mm"


def test_spinless_degeneracies_of_diamond():
    # All bands of diamond stick in pairs at X, with spin and without.
    gamma, x = space_group(227).kpoints[:2]
    assert gamma.spinless_dims == (1, 1, 1, 1, 2, 2, 3, 3, 3, 3)
    assert x.spinless_dims == (2, 2, 2, 2) and x.dims == (4,)


def test_encoding_round_trip():
    assert decode(encode(space_group(19))) == space_group(19)


@pytest.mark.parametrize("number", [0, 231, -1, 2.5, True])
def test_numbers_that_name_no_space_group(number):
    with pytest.raises(InputError, match="1 to 230"):
        space_group(number)


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        space_group(2).d_bs = 1


def test_agrees_with_the_reference_table():
    with _reference("space_groups.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 230
    for row in rows:
        group = space_group(int(row["sg"]))
        found = {
            "sg": str(group.number),
            "nu_step_m": str(group.filling_step),
            "ebr_dims": " ".join(map(str, group.ebr_dims)),
            "X_BS": "x".join(map(str, group.indicator_group)) or "1",
            "X_order": str(group.indicator_order),
            "d_BS": str(group.d_bs),
            "cr_free": str(group.compatibility_freedom),
        }
        assert found == row

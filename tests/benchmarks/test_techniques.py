"""The table of techniques: which systems are compared, who votes in each, and its arithmetic in closed form."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.grouped_scores import SCORES, print_means_with_errors
from benchmarks.technique_systems import (
    CLAIMED,
    Comparison,
    System,
    Voter,
    by_seed,
    comparisons,
    narrowed,
    report,
    thinned,
    voters,
    worth,
)
from configs import quick
from jaxboost.data.splits import Splits
from jaxboost.limits import check_config
from jaxboost.modalities import MODALITIES
from jaxboost.modalities.pooled_columns import PARTS, PooledColumns

FORMULAS = np.array(list("abc"))


@pytest.mark.parametrize("hidden", ["", *MODALITIES])
def test_teachers_do_not_hear_of_a_hidden_modality(monkeypatch, hidden):
    from benchmarks import networks  # here: it loads what trains
    from tests.training.tiny_population import tiny_population

    members, workshop = tiny_population()
    everyone = [
        replace(m, normalizer=m.normalizer._replace(known=np.ones(3, bool))) for m in members.values()
    ]  # the labels of three relatives
    table = PooledColumns(np.zeros((2, len(PARTS))), np.arange(len(PARTS)), np.zeros(len(PARTS), int))
    asked = {}

    def taught(pupils, pooled, *_, **__):
        asked.update(table=pooled.table, known=[member.normalizer.known for member in pupils])
        return pupils

    monkeypatch.setattr(networks, "taught", taught)
    monkeypatch.setattr(networks, "pooled_columns", lambda features: table)
    found = networks.teach(quick.get_config(), SimpleNamespace(features=None), everyone, workshop, hidden)
    silent = {part for part, column in zip(PARTS, asked["table"].T, strict=True) if np.isnan(column).all()}
    assert (
        silent
        == {
            "": set(),
            "crystal": {"distance"},
            "kspace": {"space_group", "kspace_columns"},
            "scalars": {"scalars"},
            "electrons": {"electrons"},
        }[hidden]
    )
    assert all(known.any() == (hidden != "scalars") for known in asked["known"])
    assert all(member.normalizer.known.all() for member in found)


def test_each_comparison_differs_in_one_thing():
    found = comparisons([])
    assert len(found) == 2 * len(CLAIMED) + len(MODALITIES)
    for one in found:
        if one.name in CLAIMED:
            assert one.with_it.on - one.without.on == {one.name} and one.with_it.on > one.without.on
            assert len(one.with_it.on) == (len(CLAIMED) if one.place == "beside others" else 1)
        else:
            assert one.with_it.on == one.without.on and one.without.hidden == one.name
    assert [(one.name, one.place) for one in comparisons(["kspace", "TTA"])] == [
        ("TTA", "beside others"),
        ("TTA", "alone"),
        ("kspace", "beside others"),
    ]


def test_techniques_of_the_vote_share_their_networks():
    everything = System(frozenset(CLAIMED))
    crowd = voters(everything, 4, 3)
    assert [voter.name for voter in crowd] == [f"kfold_{k}" for k in range(4)] + [f"ensemble_{i}" for i in range(3)]
    for name, count in (("TTA", 7), ("K folds", 4), ("ensembling", 4)):
        fewer = voters(System(everything.on - {name}), 4, 3)
        assert len(fewer) == count and set(fewer) <= set(crowd)
    assert voters(System(frozenset()), 4, 3) == [Voter("kfold_0", frozenset(), "")]
    assert not set(voters(System(everything.on - {"mixup"}), 4, 3)) & set(crowd)


def test_the_narrow_network_is_one_that_can_be_built():
    config, narrow = quick.get_config(), narrowed(quick.get_config())
    check_config(narrow)
    assert (narrow.network.token, narrow.network.crystal_layers) == (96, 1)
    assert narrow.network.classifier_widths == (128, 128) and len(config.network.classifier_widths) == 4


def test_no_held_out_row_is_in_a_fold_of_a_seed():
    fold = np.array([-1, -1, 0, 0, 1, 1, 2, 2, 3, 3])
    formulas = np.array(list("abcdeefghi"))
    held = np.array([[True] * 10, [False] * 10])
    own = thinned(Splits(fold < -1, fold < -1, fold, held), formulas, 4, 0)
    assert (own.fold[:4] == -1).all() and 4 <= (own.fold >= 0).sum() <= 5
    there = own.fold >= 0
    assert (own.fold[there] == fold[there] - 1).all() and own.fold[4] == own.fold[5]
    assert (own.ensemble_validation == held & there).all()


@pytest.fixture
def results():
    """Two seeds, three rows: with it one and two rows are right, without it none and one."""
    right = {"with": ([1, 0, 0], [1, 1, 0]), "without": ([0, 0, 0], [1, 0, 0])}
    return {
        name: np.stack([np.array(seed, float)[:, None].repeat(len(SCORES), 1) for seed in seeds])
        for name, seeds in right.items()
    }


def test_differences_are_paired_by_row_and_averaged_over_seeds(results, capsys):
    # Row differences 1/2, 1/2, 0: their mean is 1/3, the error sqrt(3 / 2 * (1/36 + 1/36 + 1/9)) / 3 = 1/6.
    assert worth(results["with"], results["without"], FORMULAS) == "+33.33 +- 16.67"
    assert by_seed(results["with"], results["without"]) == "+33.33  +33.33"
    on, off = System(frozenset({"TTA"})), System(frozenset())
    compared = [Comparison("TTA", "alone", on, off)]
    report(compared, {on: results["with"], off: results["without"]}, FORMULAS)
    out = capsys.readouterr().out
    assert "TTA, claimed: +0.5 points" in out and "  difference   +33.33 +- 16.67" in out
    assert out.splitlines()[-1].split() == ["TTA", "+0.5", "+33.33", "+-", "16.67"]
    assert max(len(line) for line in out.splitlines()) <= 80


def test_means_with_errors_by_formula(results, capsys):
    print_means_with_errors("x", results["with"][0], FORMULAS)
    # One of three: error sqrt(3 / 2 * (4/9 + 1/9 + 1/9)) / 3 = 1/3.
    assert "33.33 +- 33.33" in capsys.readouterr().out

"""Chunks are scored as a whole table would be, by one program as long as they are of like size."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxboost import chunk_scorer as module
from jaxboost.chunk_scorer import chunk_scorer, rung, voters_digest
from jaxboost.errors import InputError
from jaxboost.evaluation import cast_votes
from jaxboost.finished_run import config_of, reference_of, restore_members, scorer_of, vote_of
from jaxboost.inference import PARTS, Shuffle
from jaxboost.rows import features_of, split_table


@pytest.fixture(scope="module")
def run(tiny):
    workdir = tiny / "run"
    config, vote = config_of(workdir), vote_of(workdir)
    return SimpleNamespace(
        config=config,
        ballot=vote.ballot,
        classes=vote.classes,
        members=restore_members(config, workdir, vote.classes).members,
        reference=reference_of(workdir),
        dataset=features_of(config, split_table(config, workdir)[0]),
    )


@pytest.fixture(scope="module")
def scorer(run):
    """Of the rows of the table; it is compiled once."""
    return scorer_of(run.config, run.dataset, run.classes, len(run.members), run.reference)


def test_chunks_are_scored_as_the_table_by_one_program(run, scorer, monkeypatch):
    programs = []

    def counted(*arguments):
        programs.append(module_program(*arguments))
        return programs[-1]

    module_program = module.logits_program
    monkeypatch.setattr(module, "logits_program", counted)
    n = len(run.members)
    everything = np.arange(len(run.dataset))
    results = scorer(run.members, [everything] * n)
    scored = {m.name: r for m, r in zip(run.members, results, strict=True)}
    whole = cast_votes(scored, run.ballot, run.ballot.best)

    score = chunk_scorer(run.config, run.members, run.ballot, run.classes, run.reference, 12)
    features = run.dataset.features
    for rows in (everything[:12], everything[12:24], everything[24:33], everything[-1:]):
        found = score(features.take(rows))
        for name in ("probabilities", "uncertainty", "epistemic", "attention"):
            np.testing.assert_allclose(getattr(found, name), getattr(whole, name)[rows], rtol=1e-4, atol=1e-6)
    assert [program._cache_size() for program in programs] == [1]


def scored_within(scorer, seats, run, rows):
    """What devices with the memory for `seats` members each say of one more than three on each, and how many they were
    asked for in each call.
    """
    tried, width = [], scorer.mesh.shape["member"]

    def program(params, *others):
        tried.append(len(jax.tree.leaves(params)[0]) // width)
        if tried[-1] > seats:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
        return scorer.program(params, *others)

    members = [run.members[i % len(run.members)] for i in range(3 * width + 1)]
    return replace(scorer, program=program)(members, [rows[i:] for i in range(len(members))]), tried


def test_out_of_memory_fewer_members_are_scored_at_once_with_the_same_result(run, scorer):
    rows = np.arange(20)
    whole, tried = scored_within(scorer, 4, run, rows)
    assert set(tried) == {4}
    found, tried = scored_within(scorer, 1, run, rows)
    assert tried[:2] == [4, 2] and set(tried[2:]) == {1} and len(found) == len(whole)
    for number, (own, other) in enumerate(zip(found, whole, strict=True)):
        assert len(own.logits) == len(rows) - number
        for a, b in zip(own, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_device_without_the_memory_to_score_one_member_is_said_after_few_tries(run, scorer, caplog):
    with pytest.raises(InputError, match="single member; .* or config.vote.batch"):
        scored_within(scorer, 0, run, np.arange(20))
    assert [record.args for record in caplog.records] == [(4, 2), (2, 1)]


def test_a_shuffled_part_is_that_of_the_other_crystal(run, scorer):
    """Of two crystals, one of which has no count of electrons."""
    known = run.dataset.features.mask[:, 3]
    unknown, other = np.flatnonzero(~known)[0], np.flatnonzero(known)[0]
    member = run.members[:1]

    def said(rows, part=None):
        return scorer(member, [np.array(rows)], part and Shuffle(part, 0))[0]

    pair = said([unknown, other])
    assert (pair.attention[:, 3] > 0).tolist() == [False, True]
    assert (said([unknown, other], "electrons").attention[:, 3] > 0).tolist() == [True, False]
    for part in ("crystal", "kspace", "scalars"):
        shuffled = said([unknown, other], part)
        assert np.abs(shuffled.logits - pair.logits).min() > 1e-6
        assert (shuffled.attention[:, 3] > 0).tolist() == [False, True]
    for part in PARTS:
        # A crystal alone, or among its like, is given what it has.
        np.testing.assert_allclose(said([other], part).logits, pair.logits[1:], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pair.cross_attention.sum(2), [[1, 1, 1, 1]] * 2, atol=1e-5)


def test_sizes_are_few_and_hold_what_they_must():
    found = [rung(size) for size in range(1, 2000)]
    assert sorted(set(found)) == sorted([1, *(n for k in range(1, 11) for n in (2**k, 3 * 2 ** (k - 1))), 2048])
    assert all(size <= room <= 1.5 * size for size, room in zip(range(2, 2000), found[1:], strict=True))


def test_the_digest_knows_weights_members_temperatures_and_reference(run):
    digest = voters_digest(run.members, run.ballot, run.reference)
    assert digest == voters_digest(run.members, replace(run.ballot), run.reference)
    first, *others = run.members
    weights = dict(first.params, penalty=np.nextafter(first.params["penalty"], 3).astype(np.float32))
    labels = (run.reference.label + 1).astype(np.int32)
    changed = [
        ([replace(first, params=weights), *others], run.ballot, run.reference),
        (others, run.ballot, run.reference),
        (run.members, replace(run.ballot, temperatures=dict.fromkeys(run.ballot.voters, 1.1)), run.reference),
        (run.members, run.ballot, replace(run.reference, label=labels)),
    ]
    assert len({digest, *(voters_digest(*one) for one in changed)}) == 5

"""The population as one program: members do not touch each other, and a run that stopped goes on as if it had not."""

import functools
import re
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from jaxboost.data.batches import fit_normalizer, gather, make_materials
from jaxboost.data.isopointal import no_relatives
from jaxboost.errors import InputError
from jaxboost.modalities.bands import BandSettings
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.models import Memory, Network
from jaxboost.training import has_checkpoint, loop, restore_checkpoint
from jaxboost.training.member_checkpoint import is_finished
from jaxboost.training.member_state import init_state
from jaxboost.training.memory import Drawn
from jaxboost.training.objective import batch_loss
from jaxboost.training.population import init_program, make_mesh, population_program
from tests.crystals import prototype
from tests.training.tiny_population import BATCH, EPOCHS, HYPER, NETWORK


def _same(a: Any, b: Any) -> bool:
    """Whether two trees hold the same bits."""
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y, equal_nan=True) for x, y in leaves)


def test_members_learn_and_say_what_they_did(alone):
    for name in ("kfold_0", "kfold_1", "full"):
        losses = [row["train_loss"] for row in alone.rows_of(name)]
        assert len(losses) == EPOCHS and losses[-1] < losses[0]
    assert all(run.fitted["finished"] and not run.fitted["failed"] for run in alone.restored.values())
    assert {row["validation_loss"] for row in alone.rows_of("full")} == {None}
    assert alone.restored["full"].fitted["best_epoch"] == EPOCHS  # nothing to choose by: the last is kept
    assert not _same(alone.restored["kfold_0"].tree["params"], alone.restored["kfold_1"].tree["params"])


def test_the_epoch_with_the_least_validation_loss_is_kept(alone):
    for name in ("kfold_0", "kfold_1"):
        rows = alone.rows_of(name)
        best = min(rows, key=lambda row: row["validation_loss"])
        fitted = alone.restored[name].fitted
        assert (fitted["best_epoch"], fitted["best_accuracy"]) == (best["epoch"], best["validation_accuracy"])


def test_a_member_without_progress_stops_when_its_patience_is_spent(alone):
    assert alone.restored["still"].fitted["best_epoch"] == 1
    assert [row["epoch"] for row in alone.rows_of("still")] == [1, 2, 3]  # patience 2 after epoch 1, of 4
    assert len({row["validation_loss"] for row in alone.rows_of("still")}) == 1


@pytest.mark.parametrize("max_lr", [np.inf, np.nan])
def test_a_member_that_diverges_is_marked_and_touches_no_other(crew, train, alone, max_lr):
    members, _ = crew
    wild = replace(members["kfold_1"], hyperparameters=members["kfold_1"].hyperparameters._replace(max_lr=max_lr))
    found = train({**members, "kfold_1": wild}.values())
    assert found.restored["kfold_1"].fitted["failed"]
    assert re.match(
        r"step [1-4] of epoch [12], on the rows (\d+, ){7}\d+$", found.restored["kfold_1"].fitted["diverged"]
    )
    kept = found.restored["kfold_1"].tree["params"]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept))
    for name in set(members) - {"kfold_1"}:
        assert not found.restored[name].fitted["failed"] and found.restored[name].fitted["diverged"] is None
        assert _same(found.restored[name].tree, alone.restored[name].tree)
        assert found.rows_of(name) == alone.rows_of(name)


def test_where_all_diverge_it_is_an_error_that_says_where_and_what_is_left(crew, train, tmp_path):
    """And what is left is the epoch before, though no checkpoint of it was due."""
    members = [
        replace(m, hyperparameters=m.hyperparameters._replace(max_lr=np.inf, warmup_epochs=2, min_lr=0.0))
        for m in crew[0].values()
    ]
    ids = np.array([f"m{row}" for row in range(40)])
    with pytest.raises(InputError) as caught:
        train(members, tmp_path, ids=ids, checkpoint_every=100)
    said = re.search(
        r"at step (\d) of epoch (\d), on the rows (m\d+, ){7}m\d+\. .*max_lr.*of epoch (\d)$", str(caught.value)
    )
    assert said is not None, caught.value
    epoch, last = int(said[2]), int(said[4])
    assert last == epoch - 1
    for member in members:
        assert not has_checkpoint(tmp_path / member.name) or restore_checkpoint(tmp_path / member.name).step == last


class Exhausted:
    """Stands for a program of a device that has not the memory: at once, or once it has run some calls."""

    def __init__(self, program: Any = None, calls: int = 0) -> None:
        self._program, self._left = program, calls

    def lower(self, *shapes: Any) -> Any:
        if self._program is not None:
            self._program = self._program.lower(*shapes)
        return self

    def compile(self) -> Any:
        if self._program is None:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
        self._program = self._program.compile()
        return self

    def __call__(self, state: Any, *others: Any) -> Any:
        if self._left == 0:
            jax.tree.map(lambda array: array.delete(), state)  # donated, and gone
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")
        self._left -= 1
        return self._program(state, *others)


def test_out_of_memory_fewer_members_run_at_once_with_the_same_result(
    crew, train, programs, alone, monkeypatch, caplog
):
    """All four do not compile; two of them fail in the second epoch; one after the other they fit."""
    cached, whole = programs["population_program"], crew[1]
    tried = []

    def program(network: Any, settings: Any, mesh: Any, at_once: int | None) -> Any:
        tried.append(at_once)
        fits = cached(network, whole.settings, mesh, None)
        return {None: Exhausted(), 2: Exhausted(fits, calls=3), 1: fits}[at_once]

    monkeypatch.setitem(programs, "population_program", program)
    found = train(crew[0].values(), settings=replace(whole.settings, axis="vmap"))
    assert tried == [None, 2, 1] and "with 2 members at once: from now on 1" in caplog.text
    for name in crew[0]:
        assert _same(found.restored[name].tree, alone.restored[name].tree)
        assert found.rows_of(name) == alone.rows_of(name)


def test_a_device_without_the_memory_for_one_member_is_said_after_few_tries(crew, train, programs, monkeypatch):
    tried = []
    monkeypatch.setitem(programs, "population_program", lambda *asked: tried.append(asked[-1]) or Exhausted())
    with pytest.raises(InputError, match="a single member; lower config.optimizer.batch"):
        train(crew[0].values(), settings=replace(crew[1].settings, axis="vmap"))
    assert tried == [None, 2, 1]


@pytest.mark.parametrize(("calls", "every"), [(3, 1), (3, 100), (4, 100)])
def test_a_run_that_stopped_goes_on_as_if_it_had_not(crew, train, alone, tmp_path, calls, every):
    """Of two calls an epoch: after the first epoch and within the second, also where no checkpoint was due."""
    first = train(crew[0].values(), tmp_path, calls=calls, checkpoint_every=every)
    assert {run.step for run in first.restored.values()} == {1}
    assert not any(run.fitted["finished"] for run in first.restored.values())
    second = train(crew[0].values(), tmp_path)
    for name in crew[0]:
        assert _same(second.restored[name].tree, alone.restored[name].tree)
        assert second.restored[name].fitted == alone.restored[name].fitted
        assert first.rows_of(name) + second.rows_of(name) == alone.rows_of(name)
    assert train(crew[0].values(), tmp_path).rows == []  # finished: nothing left to do


def test_a_checkpoint_waits_for_both_its_epochs_and_its_seconds(crew, train, tmp_path):
    """What was saved on the way is the step before the last: the two newest are kept."""
    for name, seconds, steps in (("soon", 0.0, {"3", "4"}), ("late", 1e9, {"4"})):
        train([crew[0]["full"]], tmp_path / name, checkpoint_every=1, checkpoint_seconds=seconds)
        assert {path.name for path in (tmp_path / name / "full").glob("[0-9]*")} == steps


def test_another_identity_is_refused(crew, train, tmp_path):
    train(crew[0].values(), tmp_path, calls=3)
    with pytest.raises(InputError, match="classes"):
        is_finished(tmp_path / "full", {"classes": ["zincblende", "rocksalt"]})


def test_a_member_more_changes_no_other(crew, train, alone):
    few = train([crew[0]["kfold_0"], crew[0]["full"]])
    for name in ("kfold_0", "full"):
        assert _same(few.restored[name].tree, alone.restored[name].tree)
        assert few.rows_of(name) == alone.rows_of(name)


def test_nothing_goes_between_host_and_devices_inside_an_epoch(crew, train, alone, monkeypatch):
    """Not even what is asked for by name; the epoch's plan is there before it begins, its log is read after it.

    On a CPU the guard does not see what is read from a device: there the log shows that it was not.
    """
    guarded = []

    def train_epoch(*arguments, **options):
        with jax.transfer_guard("disallow_explicit"):
            guarded.append(loop_epoch(*arguments, **options))
        return guarded[-1]

    loop_epoch = loop.train_epoch
    monkeypatch.setattr(loop, "train_epoch", train_epoch)
    found = train(crew[0].values())
    assert len(guarded) == EPOCHS and found.rows == alone.rows
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(guarded))
    with pytest.raises(jax.errors.JaxRuntimeError, match="host-to-device"), jax.transfer_guard("disallow_explicit"):
        jax.device_put(np.zeros(1))  # the guard guards


@pytest.mark.parametrize("missing", ["bands", "bands and electrons"])
def test_a_member_none_of_whose_crystals_has_a_modality_trains_to_finite_numbers(crew, train, missing):
    members, whole = crew
    nowhere = FeaturizerSettings(neighbors=6, cutoff=5.0, bands=BandSettings(max_orbitals=0, max_cheap_orbitals=1))
    pairs = [(m, x) for m in (12, 20) for x in (8, 16, 34, 52)]
    structures = [prototype(name, pair, 5.0) for name in ("rocksalt", "zincblende") for pair in pairs]
    features = concatenate([featurize_one(structure, nowhere) for structure in structures])
    assert (features.band_reason != "").all()
    if missing == "bands and electrons":
        mask = features.mask & np.array([True, True, True, False])
        features = replace(features, mask=mask, electrons=np.full_like(features.electrons, np.nan))
    rows, labels = np.arange(len(features)), np.repeat([0, 1], len(pairs))
    normalizer = fit_normalizer(features, rows, np.zeros(1, bool), 3)
    assert all(np.isfinite(array).all() for array in normalizer)
    member = replace(members["kfold_0"], train=rows, validation=rows, normalizer=normalizer)
    run = train(
        [member],
        materials=make_materials(features, np.ones((len(labels), 2), bool), labels, no_relatives(len(labels))),
        sizes=features.n_orbits,
    )
    (state,) = run.restored.values()
    leaves = [leaf for leaf in jax.tree.leaves(state.tree) if np.issubdtype(np.asarray(leaf).dtype, np.floating)]
    assert leaves and all(np.isfinite(leaf).all() for leaf in leaves)
    assert len(run.rows) == EPOCHS and all(np.isfinite(row["train_loss"]) for row in run.rows)


def test_what_is_recalled_is_of_the_members_own_rows_and_outlives_a_stop(crew, train, tmp_path):
    member = crew[0]["kfold_0"]
    recalling = Network(replace(NETWORK, recall_width=4))
    found = train([member], network=recalling)
    train([member], tmp_path, network=recalling, calls=3)  # of two calls an epoch
    again = train([member], tmp_path, network=recalling)
    assert _same(again.restored["kfold_0"].tree, found.restored["kfold_0"].tree)
    memory = found.restored["kfold_0"].tree["memory"]
    assert memory["embedding"].shape == (len(member.train), 4) and memory["there"].all()
    assert np.abs(memory["embedding"]).sum(1).min() > 0  # each was embedded
    np.testing.assert_array_equal(memory["label"], np.asarray(crew[1].materials.label)[member.train])


def test_a_crystal_is_not_told_how_others_of_its_formula_are_labelled(crew):
    """Else it would learn to look there, and those that it will be asked about have none."""
    member, whole = crew[0]["kfold_0"], crew[1]
    network, settings = Network(replace(NETWORK, recall_width=4)), replace(whole.settings, mixup_probability=0.0)
    rows, theirs, others = member.train[:BATCH], member.train[8:12], member.train[12:16]
    formula = np.arange(40)
    formula[[*rows, *theirs]] = 100
    materials = jax.tree.map(jax.numpy.asarray, whole.materials._replace(formula=formula))
    batch = gather(
        materials, rows, nodes=settings.nodes, normalizer=member.normalizer, modalities=HYPER.modalities, cutoff=5.0
    )
    state = init_state(network, HYPER, batch, whole.tables, settings, 40)
    drawn_rows = np.concatenate([theirs, others])
    embedding = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)

    def loss(label: np.ndarray) -> float:
        drawn = Drawn(Memory(embedding, label, np.ones(8, bool)), drawn_rows)
        key = jax.random.key(0)
        rest = (jax.numpy.asarray(rows), materials, HYPER, whole.tables, drawn, None, key)
        return float(batch_loss(network, settings, state.params.named(), batch, *rest)[0])

    label = np.array([0, 1, 0, 1, 0, 1, 1, 0])
    assert loss(np.concatenate([1 - label[:4], label[4:]])) == loss(label)
    assert loss(np.concatenate([label[:4], 0 * label[4:]])) != loss(label)


def test_a_member_hears_its_own_teacher_and_no_other(crew):
    """To be taught the very labels changes nothing, to be taught the others does."""
    member, whole = crew[0]["kfold_0"], crew[1]
    settings = replace(whole.settings, smoothing=0.0, taught=0.5)
    labels = np.eye(2, dtype=np.float32)[whole.materials.label]
    resident = jax.tree.map(jax.numpy.asarray, (whole.materials, whole.tables))
    init = init_program(whole.network, settings, 40)
    fresh = jax.tree.map(np.asarray, init(HYPER, member.normalizer, *resident))
    nobody = np.full((2, 1, BATCH), -1, np.int32)
    batches = np.broadcast_to(member.train[: 2 * BATCH].reshape(2, BATCH), (2, 2, BATCH))

    def losses(settings, taught):
        program = population_program(whole.network, settings, make_mesh(1, 1))
        twice = functools.partial(jax.tree.map, lambda x: np.stack([np.asarray(x)] * 2))
        own = (twice(fresh), twice(HYPER), twice(member.normalizer), taught, batches, nobody, nobody)
        return np.asarray(program(*own, np.int32(0), *resident)[1].train_loss)

    plain = losses(replace(settings, taught=0.0), None)
    found = losses(settings, np.stack([labels, 1 - labels]))
    assert found[0] == pytest.approx(plain[0], rel=1e-5) and abs(found[1] - plain[1]) > 1e-2

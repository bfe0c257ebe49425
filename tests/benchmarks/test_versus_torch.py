"""The PyTorch side of the comparison computes what jaxboost computes; skipped where there is no PyTorch."""

import functools

import jax
import numpy as np
import pytest

from benchmarks.population_case import PopulationCase, initial_states
from jaxboost.data.batches import fit_normalizer, make_materials, node_budget, symmetry_tables
from jaxboost.data.isopointal import no_relatives
from jaxboost.modalities.features import concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.models import NetworkSettings
from jaxboost.training.member import Hyperparameters, Member
from jaxboost.training.optimizer import optimizer_of, updated
from jaxboost.training.training_settings import TrainingSettings
from tests.crystals import prototype

torch = pytest.importorskip("torch", reason="torch is not installed: requirements-bench.txt has it")

BATCH, STEPS = 6, 6  # the last of these steps is the first whose batch is not mixed
HYPER = Hyperparameters(
    seed=3, dropout=0.3, column_dropout=0.3, weight_decay=1e-2, mixup_alpha=0.4, min_lr=1e-4, max_lr=3e-3,
    warmup_epochs=1, cycle_epochs=4, cycles=1, epochs=4, patience=4, modalities=np.array([True, True, True, False]),
)  # fmt: skip
NETWORK = NetworkSettings(
    classes=3, cutoff=5.0, token=8, crystal_width=8, crystal_layers=1, radial=4, kspace_width=8, kspace_layers=1,
    kspace_heads=2, kspace_widths=(8,), scalar_widths=(8, 8), electron_widths=(8,), frequencies=0, column_width=1,
    group_width=2, fusion="attention", fusion_heads=2, fusion_width=8, classifier_widths=(8,),
    reader_width=8, reader_layers=2, recall_width=0, dtype="float32",
)  # fmt: skip


@pytest.fixture(scope="module")
def case() -> PopulationCase:
    """One member on crystals of three prototypes, of which the last class is not always possible."""
    settings = FeaturizerSettings(neighbors=6, cutoff=5.0)
    pairs = [(m, x) for m in (12, 20, 30) for x in (8, 16)]
    names = ("rocksalt", "zincblende", "cscl")
    features = concatenate([featurize_one(prototype(name, pair, 5.0), settings) for name in names for pair in pairs])
    labels = np.repeat([0, 1, 2], len(pairs))
    rows = np.random.default_rng(0).permutation(len(labels))
    member = Member("kfold_0", rows, rows[:0], fit_normalizer(features, rows, np.zeros(1, bool), 3), HYPER)
    training = TrainingSettings(
        steps_per_epoch=2 * STEPS, steps_per_call=STEPS, nodes=node_budget(features.n_orbits, BATCH), cutoff=5.0,
        neighbors=6, jitter=0.02, strain=0.01, gamma=2.0, smoothing=0.1, taught=0.0,
        mixup_probability=0.5, recall_weight=0.0,
        recall_draw=1, clip_norm=1.0, lr_decay=0.8, axis="map",
    )  # fmt: skip
    possible = np.ones((len(labels), 3), bool)
    possible[::2, 2] = labels[::2] == 2
    materials = make_materials(features, possible, labels, no_relatives(len(labels)))
    materials, tables = jax.tree.map(np.asarray, (materials, symmetry_tables()))
    batches = np.stack([[*rows.reshape(3, BATCH), *rows.reshape(BATCH, 3).T]]).astype(np.int32)
    states = initial_states(NETWORK, training, [member], materials, tables)
    return PopulationCase(NETWORK, training, [member], states, batches, materials, tables)


def step_of(params, state, grads, *, hyper, settings):
    return updated(optimizer_of(hyper, settings), grads, params, state, np.False_)


@pytest.mark.parametrize("layers", ["projected", "concatenated", "geometric"])
def test_losses_and_gradients_are_those_of_jaxboost(case, layers):
    from benchmarks.torch_agreement import compare_batches, make_member

    if layers == "geometric":
        pytest.importorskip("torch_geometric", reason="torch_geometric is not installed: requirements-bench.txt has it")
    options = [{"layers": layers}, *([{"padded": True}] if layers == "projected" else [])]
    found = compare_batches(case, 0, range(STEPS), [make_member(case, 0, **option) for option in options])
    assert {one.mixed for one in found[0]} == {True, False}
    for one in (one for own in found for one in own):
        assert one.torch == pytest.approx(one.flax, rel=1e-5)
        assert one.gradient < 1e-4


def test_updates_are_those_of_jaxboost(case):
    from benchmarks.torch_agreement import make_member
    from benchmarks.torch_network import flax_arrays

    member = make_member(case, 0)
    state, (hyper,) = case.states[0], (m.hyperparameters for m in case.members)
    params, optimizer = state.params, state.optimizer
    update = jax.jit(functools.partial(step_of, hyper=hyper, settings=case.settings))
    for step in range(3):
        # Of a norm that is clipped, then of ones that are not.
        size = 1e-3 if step else 1.0
        rng = np.random.default_rng(step)
        grads = jax.tree.map(lambda p, size=size, rng=rng: size * rng.normal(size=p.shape).astype(np.float32), params)
        params, optimizer = update(params, optimizer, grads)
        for parameter, array in flax_arrays(member.network, grads.named(), gradients=True):
            parameter.grad = torch.from_numpy(np.ascontiguousarray(array))  # in the layout of the parameter
        member.update()
    moved = 0.0
    for (parameter, array), (_, first) in zip(
        flax_arrays(member.network, params.named()), flax_arrays(member.network, state.params.named()), strict=True
    ):
        np.testing.assert_allclose(parameter.detach().numpy(), array, rtol=1e-5, atol=1e-6)
        moved = max(moved, float(np.abs(array - first).max()))
    assert moved > 1e-4
    assert not member.failed


def test_an_array_that_no_parameter_stands_for_is_refused(case):
    from benchmarks.torch_agreement import make_member
    from benchmarks.torch_network import flax_arrays

    params = case.states[0].params.named()
    with pytest.raises(ValueError, match="no parameter"):
        flax_arrays(make_member(case, 0).network, {**params, "other": {"bias": np.zeros(1)}})

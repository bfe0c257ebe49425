"""The same matter, described otherwise, gets the same logits: through the whole path from structure to network."""

from dataclasses import fields, replace

import jax
import numpy as np
import pytest

from jaxboost.crystal import Structure, make_crystal
from jaxboost.data.batches import fit_normalizer, gather, make_materials, node_budget, symmetry_tables
from jaxboost.data.isopointal import find_relatives, make_reference
from jaxboost.modalities.bands import BandSettings
from jaxboost.modalities.crystal_graph import atom_graph, crystal_graph
from jaxboost.modalities.features import Features, concatenate
from jaxboost.modalities.featurize import FeaturizerSettings, featurize_one
from jaxboost.modalities.kspace_graph import space_group_arrays
from jaxboost.models import Network, NetworkSettings

SETTINGS = FeaturizerSettings(neighbors=12, cutoff=7.0)
TOLERANCE = 1e-4

# Rocksalt, tetragonal rutile, wurtzite-like, perovskite, trigonal Bi2Te3 and a low-symmetry cell.
CUBIC = np.eye(3)
FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def _structure(lattice, coords, numbers):
    return Structure(np.array(lattice, float), np.array(coords, float), np.array(numbers))


def _trigonal(a: float, c: float) -> np.ndarray:
    """Primitive rhombohedral cell in obverse setting."""
    return np.array([[a / 2, a / (2 * 3**0.5), c / 3], [-a / 2, a / (2 * 3**0.5), c / 3], [0, -a / 3**0.5, c / 3]])


U = 0.305
PROTOTYPES = {
    "rocksalt": _structure(5.64 * FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17]),
    "rutile": _structure(
        np.diag([4.59, 4.59, 2.96]),
        [[0, 0, 0], [0.5, 0.5, 0.5], [U, U, 0], [-U, -U, 0], [0.5 + U, 0.5 - U, 0.5], [0.5 - U, 0.5 + U, 0.5]],
        [22, 22, 8, 8, 8, 8],
    ),
    "perovskite": _structure(
        3.9 * CUBIC, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], [38, 22, 8, 8, 8]
    ),
    "tetradymite": _structure(
        _trigonal(4.38, 30.5),
        [[0.4, 0.4, 0.4], [0.6, 0.6, 0.6], [0, 0, 0], [0.212, 0.212, 0.212], [0.788, 0.788, 0.788]],
        [83, 83, 52, 52, 52],
    ),
    "monoclinic": _structure(
        [[5.1, 0, 0], [0, 6.3, 0], [-1.4, 0, 7.2]],
        [[0.1, 0.2, 0.3], [0.9, 0.7, 0.2], [0.9, 0.8, 0.7], [0.1, 0.3, 0.8]],
        [20, 20, 20, 20],
    ),
}


def _permuted(s: Structure, rng: np.random.Generator) -> Structure:
    order = rng.permutation(len(s.atomic_numbers))
    return _structure(s.lattice, s.frac_coords[order], s.atomic_numbers[order])


def _other_cell(s: Structure, rng: np.random.Generator) -> Structure:
    change = np.array([[1, 1, 0], [0, 1, 0], [-1, 0, 1]])
    return _structure(change @ s.lattice, s.frac_coords @ np.linalg.inv(change), s.atomic_numbers)


def _supercell(s: Structure, rng: np.random.Generator) -> Structure:
    both = np.concatenate([s.frac_coords, s.frac_coords + [0, 0, 1]]) / [1, 1, 2]
    return _structure(s.lattice * [[1], [1], [2]], both, np.tile(s.atomic_numbers, 2))


def _rotated(s: Structure, rng: np.random.Generator) -> Structure:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return _structure(s.lattice @ (q * np.sign(np.linalg.det(q))), s.frac_coords, s.atomic_numbers)


def _shifted(s: Structure, rng: np.random.Generator) -> Structure:
    return _structure(s.lattice, s.frac_coords + rng.random(3), s.atomic_numbers)


CHANGES = {f.__name__[1:]: f for f in (_permuted, _other_cell, _supercell, _rotated, _shifted)}


@pytest.fixture(scope="module")
def scorer():
    """Logits of features by one small network with random weights, which nothing here trains."""
    base = concatenate([featurize_one(s, SETTINGS) for s in PROTOTYPES.values()])
    labels = np.arange(len(base))
    reference = make_reference(base, labels, labels)
    normalizer = fit_normalizer(base, labels, np.ones(len(base), bool), 3)
    network = Network(
        NetworkSettings(
            classes=5, cutoff=7.0, token=16, crystal_width=16, crystal_layers=2, radial=8, kspace_width=16,
            kspace_layers=1, kspace_heads=2, kspace_widths=(16,), scalar_widths=(16,), electron_widths=(16,),
            frequencies=2, column_width=2, group_width=4,
            fusion="attention", fusion_heads=2, fusion_width=16, classifier_widths=(16, 16),
            reader_width=8, reader_layers=2, recall_width=8,
            dtype="float32",
        )
    )  # fmt: skip
    tables = symmetry_tables()

    def batch_of(features: Features, rows, nodes, modalities=(True,) * 4):
        unlabelled = np.zeros(len(features))
        relatives = find_relatives(features, reference, 4)
        materials = make_materials(features, np.ones((len(features), 5), bool), unlabelled, relatives)
        return gather(
            materials, jax.numpy.asarray(rows), nodes=nodes, normalizer=normalizer,
            modalities=np.array(modalities), cutoff=7.0,
        )  # fmt: skip

    params = network.init(jax.random.key(0), batch_of(base, [0], 64), tables)
    run = jax.jit(network.apply)

    def score(features: Features, rows=None, nodes=64, modalities=(True,) * 4):
        rows = np.arange(len(features)) if rows is None else np.array(rows)
        logits, out = run(params, batch_of(features, rows, nodes, modalities), tables)
        return np.asarray(logits), jax.tree.map(np.asarray, out)

    return score


@pytest.fixture(scope="module")
def base():
    return concatenate([featurize_one(s, SETTINGS) for s in PROTOTYPES.values()])


@pytest.mark.parametrize("change", CHANGES)
def test_another_description_of_the_same_matter_gets_the_same_logits(scorer, base, change):
    rng = np.random.default_rng(3)
    changed = concatenate([featurize_one(CHANGES[change](s, rng), SETTINGS) for s in PROTOTYPES.values()])
    expected, _ = scorer(base)
    found, _ = scorer(changed)
    assert np.ptp(expected) > 0.05  # the network does tell crystals apart
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_order_company_and_padding_of_a_batch_change_nothing(scorer, base):
    expected, _ = scorer(base)
    reordered, _ = scorer(base, rows=[3, 1, 4, 0, 2])
    np.testing.assert_allclose(reordered, expected[[3, 1, 4, 0, 2]], atol=TOLERANCE)
    padded, _ = scorer(base, rows=[-1, 2, -1, 4, -1], nodes=96)
    np.testing.assert_allclose(padded[[1, 3]], expected[[2, 4]], atol=TOLERANCE)
    assert np.isfinite(padded).all()


@pytest.mark.parametrize("name", PROTOTYPES)
def test_all_atoms_of_an_orbit_see_the_same(name):
    """One node an orbit is exact: its atoms have the same orbits at the same distances, short of the last shell."""
    crystal = make_crystal(PROTOTYPES[name], symprec=SETTINGS.symprec)
    small = crystal_graph(crystal, cutoff=SETTINGS.cutoff, neighbors=SETTINGS.neighbors)
    large = atom_graph(crystal, cutoff=SETTINGS.cutoff, neighbors=SETTINGS.neighbors)
    for atom, orbit in enumerate(crystal.orbits):
        np.testing.assert_allclose(large.distance[atom], small.distance[orbit], atol=1e-5)
        whole = large.distance[atom] < large.distance[atom, -1] - 1e-3
        seen = sorted(zip(large.distance[atom][whole].round(3), crystal.orbits[large.target[atom][whole]], strict=True))
        expected = zip(small.distance[orbit][whole].round(3), small.target[orbit][whole], strict=True)
        assert seen == sorted(expected)


def test_two_crystals_of_one_space_group_have_different_kspace_tokens(scorer):
    salt = PROTOTYPES["rocksalt"]
    other_elements = _structure(salt.lattice, salt.frac_coords, [12, 8])
    other_orbits = _structure(salt.lattice, [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]], [20, 9, 9])
    features = concatenate([featurize_one(s, SETTINGS) for s in (salt, other_elements, other_orbits)])
    assert set(features.space_group) == {225}
    token = scorer(features)[1]["tokens"][:, 1]
    assert np.abs(token[0] - token[1]).max() > 1e-3
    assert np.abs(token[0] - token[2]).max() > 1e-3


def test_a_masked_modality_is_not_read(scorer, base):
    mask = (True, True, False, True)
    expected, _ = scorer(base, modalities=mask)
    values = {f.name: getattr(base, f.name) for f in fields(Features)}
    garbled = Features(**{**values, "scalars": base.scalars[::-1] * 3})
    found, _ = scorer(garbled, modalities=mask)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(scorer(garbled)[0] - scorer(base)[0]).max() > 1e-3


def test_what_a_crystal_puts_on_lines_is_read_where_there_are_lines(scorer, base):
    expected, _ = scorer(base)
    values = {f.name: getattr(base, f.name) for f in fields(Features)}
    is_line = space_group_arrays().line[base.space_group][..., :1] > 0
    elsewhere = Features(**{**values, "lines": np.where(is_line, base.lines, 7.0)})
    np.testing.assert_allclose(scorer(elsewhere)[0], expected, atol=1e-6)
    on_lines = Features(**{**values, "lines": np.where(is_line, base.lines[..., ::-1], base.lines)})
    assert np.abs(scorer(on_lines)[0] - expected).max() > 1e-4


def test_unknown_electrons_stay_finite(scorer, base):
    americium = _structure(3.5 * CUBIC, [[0, 0, 0], [0.5, 0.5, 0.5]], [95, 13])
    features = concatenate([base, featurize_one(americium, SETTINGS)])
    assert not features.mask[-1, 3] and np.isnan(features.points[-1]).any()
    assert np.isfinite(scorer(features, rows=[5, 0])[0]).all()


def test_unknown_scalars_stay_finite(scorer, base):
    values = {f.name: getattr(base, f.name) for f in fields(Features)}
    holes = base.scalars.copy()
    holes[:, ::3] = np.nan
    assert np.isfinite(scorer(Features(**{**values, "scalars": holes}))[0]).all()


def test_node_budget_holds_these_crystals(base):
    assert node_budget(base.n_orbits, 5) <= 64


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["rocksalt", "tetradymite"])
def test_bands_are_those_of_the_matter_not_of_its_description(name, change):
    settings = replace(SETTINGS, bands=BandSettings(mesh=2))
    before = featurize_one(PROTOTYPES[name], settings)
    after = featurize_one(CHANGES[change](PROTOTYPES[name], np.random.default_rng(5)), settings)
    np.testing.assert_allclose(after.electrons, before.electrons, rtol=1e-4, atol=1e-4)
    for array in ("points", "lines"):
        # Equivalent points of a group may change places with the choice of the cell.
        old, new = (np.sort(getattr(f, array).reshape(-1, getattr(f, array).shape[-1]), 0) for f in (before, after))
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-4)

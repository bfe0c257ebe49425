"""What trees say of a member's training rows comes from its other rows alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxboost.data.batches import Normalizer
from jaxboost.errors import InputError
from jaxboost.modalities.pooled_columns import PARTS, PooledColumns
from jaxboost.training.member import Member
from jaxboost.training.teacher import outlined, taught

ROWS, CLASSES = 240, 3
ENDS = ("mean", "std")
RNG = np.random.default_rng(5)
POOLED = RNG.normal(size=(ROWS, 6)).astype(np.float32)
LABEL = np.digitize(POOLED[:, 2], [-0.5, 0.5]).astype(np.int32)
TRAIN = np.arange(200)


def materials_of(label, formula):
    """Of crystals without relatives."""
    return SimpleNamespace(
        possible=np.ones((ROWS, CLASSES), bool), label=label, formula=formula,
        relative=np.full((ROWS, 1), -1), relative_distance=np.full((ROWS, 1), np.inf), relative_label=np.zeros(1, int),
    )  # fmt: skip


def member_of(name="kfold_0", train=TRAIN):
    part = {f"{name}_{what}": np.ones(8) for name in ("points", "lines", *PARTS[:2], "kspace_columns") for what in ENDS}
    normalizer, hyper = Normalizer(known=np.zeros(1, bool), **part), SimpleNamespace(seed=3)
    return Member(name, train, np.arange(200, ROWS), normalizer, hyper)


def of_scalars(table):
    """All of it scalars."""
    return PooledColumns(table, np.zeros(table.shape[1], int), np.arange(table.shape[1]))


def taught_by(members, table, materials, folds=4, workers=1, gain_power=0.5, **more):
    return taught(members, of_scalars(table), materials, gain_power=gain_power, folds=folds, workers=workers, **more)


def said(folder, label=LABEL, formula=None, members=None, folds=4, **more):
    formula = np.arange(ROWS) // 2 if formula is None else formula
    return taught_by(members or [member_of()], POOLED, materials_of(label, formula), folds=folds, folder=folder, **more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return said(tmp_path_factory.mktemp("plain"))[0].taught


def test_training_rows_get_probabilities_and_others_nothing(plain):
    assert plain.shape == (ROWS, CLASSES) and plain.dtype == np.float32
    np.testing.assert_allclose(plain[TRAIN].sum(1), 1, rtol=1e-5)
    assert not plain[200:].any()
    assert (plain[TRAIN].argmax(1) == LABEL[TRAIN]).mean() > 0.9


def test_the_column_that_decides_counts_most(tmp_path):
    weights = said(tmp_path)[0].normalizer.scalars_weight
    assert weights.argmax() == 2 and weights[2] > 3 * np.delete(weights, 2).max()
    assert (said(tmp_path, gain_power=0.0)[0].normalizer.scalars_weight == 1).all()


@pytest.mark.parametrize("gain_power", [0.0, 0.5])
def test_the_shapes_of_what_is_said_are_known_before(tmp_path, gain_power):
    after = said(tmp_path, gain_power=gain_power)[0]
    materials = materials_of(LABEL, np.arange(ROWS) // 2)
    before = outlined([member_of()], of_scalars(POOLED), materials, gain_power=gain_power, folds=4)[0]
    assert not before.taught.any()
    for early, late in zip((before.taught, *before.normalizer), (after.taught, *after.normalizer), strict=True):
        assert np.shape(early) == np.shape(late) and np.asarray(early).dtype == np.asarray(late).dtype


def test_a_row_has_no_say_in_what_is_said_of_it_nor_has_another_of_its_formula(tmp_path, plain):
    for row in (4, 5):  # of one formula
        label = LABEL.copy()
        label[row] = (label[row] + 1) % CLASSES
        changed = said(tmp_path / str(row), label)[0].taught
        np.testing.assert_array_equal(changed[[4, 5]], plain[[4, 5]])
        assert np.abs(changed - plain).max() > 1e-4


def test_what_a_member_holds_out_changes_nothing(tmp_path, plain):
    label = LABEL.copy()
    label[200:] = 0
    np.testing.assert_array_equal(said(tmp_path, label)[0].taught, plain)


def test_another_member_changes_nothing(tmp_path, plain):
    other = member_of("kfold_1", np.arange(40, 240))
    both = said(tmp_path, members=[other, member_of()])
    assert [member.name for member in both] == ["kfold_1", "kfold_0"]
    np.testing.assert_array_equal(both[1].taught, plain)


def test_processes_change_nothing(tmp_path, plain):
    found = taught_by([member_of()], POOLED, materials_of(LABEL, np.arange(ROWS) // 2), workers=2, folder=tmp_path)
    np.testing.assert_array_equal(found[0].taught, plain)
    weights = said(tmp_path / "one_process")[0].normalizer.scalars_weight
    np.testing.assert_array_equal(found[0].normalizer.scalars_weight, weights)


def test_a_stop_keeps_whole_members_and_the_next_start_goes_on(tmp_path, plain):
    crew = [member_of(), member_of("kfold_1", np.arange(40, 240))]
    done = []
    assert said(tmp_path, members=crew, progress=done.append, should_stop=lambda: done[-1] == 5) is None
    assert [path.name for path in tmp_path.iterdir()] == ["kfold_0.npz"]
    done = []
    found = said(tmp_path, members=crew, progress=done.append)
    assert done == [4, 5, 6, 7, 8]
    np.testing.assert_array_equal(found[0].taught, plain)


def test_a_class_that_no_training_row_has_is_never_said(tmp_path):
    label = LABEL.copy()
    label[TRAIN] = np.minimum(label[TRAIN], 1)
    found = said(tmp_path, label)[0].taught
    assert not found[:, 2].any()
    np.testing.assert_allclose(found[TRAIN].sum(1), 1, rtol=1e-5)


def test_one_class_alone_is_said_of_all(tmp_path):
    found = said(tmp_path, np.ones(ROWS, np.int32))[0].taught
    assert (found[TRAIN] == [0, 1, 0]).all()


def test_columns_that_say_nothing_are_left_out(tmp_path, plain):
    pooled = np.concatenate([POOLED, np.full((ROWS, 1), np.nan), np.ones((ROWS, 1))], axis=1).astype(np.float32)
    pooled[-1, -2:] = 0  # known, and of another value, in a row that the member does not have
    found = taught_by([member_of()], pooled, materials_of(LABEL, np.arange(ROWS) // 2), folder=tmp_path)
    np.testing.assert_array_equal(found[0].taught, plain)


def test_where_no_column_says_anything_the_shares_of_the_classes_are_said(tmp_path):
    nothing, formula = np.full((ROWS, 6), np.nan, np.float32), np.arange(ROWS)
    member = member_of()
    told = taught_by([member], nothing, materials_of(LABEL, formula), folder=tmp_path)[0]
    said_of = told.taught
    np.testing.assert_allclose(told.normalizer.scalars_weight, [1, 1, 1, 1, 1, 1, 0, 0])  # and all columns are alike
    shares = np.bincount(LABEL[TRAIN], minlength=CLASSES) / len(TRAIN)
    np.testing.assert_allclose(said_of[TRAIN], np.tile(shares, (200, 1)), atol=0.05)


def test_too_few_formulas_are_an_error_that_names_the_field(tmp_path):
    with pytest.raises(InputError, match=r"kfold_0 has 2 formulas.*config\.objective\.taught and gain_power to 0"):
        said(tmp_path, formula=np.arange(ROWS) % 2)
    with pytest.raises(InputError, match="kfold_0 has 2 formulas"):  # before anything is compiled for them
        materials = materials_of(LABEL, np.arange(ROWS) % 2)
        outlined([member_of()], of_scalars(POOLED), materials, gain_power=0.5, folds=4)


def test_a_damaged_file_says_what_to_do(tmp_path):
    (tmp_path / "kfold_0.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"kfold_0\.npz.*delete the file"):
        said(tmp_path)


def test_a_file_of_another_table_says_so(tmp_path):
    np.savez(tmp_path / "kfold_0.npz", probabilities=np.zeros((7, CLASSES), np.float32), gains=np.zeros((4, 8)))
    with pytest.raises(
        InputError, match=r"it is of \(7, 3\).*\(4, 8\).*the table has \(240, 3\) and \(4, 18\); delete the file"
    ):
        said(tmp_path)

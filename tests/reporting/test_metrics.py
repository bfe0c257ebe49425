import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from jaxboost.errors import InputError
from jaxboost.reporting.metrics import grouping_matrix, log_losses, paired_difference, score

CLASSES = ("trivial", "strong", "weak")
GROUPINGS = {"binary": {"trivial": "trivial", "strong": "topological", "weak": "topological"}}


def scored(probabilities, labels, formulas=None, classes=CLASSES, groupings=GROUPINGS, **settings):
    formulas = [f"F{i}" for i in range(len(labels))] if formulas is None else formulas
    return score(
        np.asarray(probabilities),
        np.asarray(labels),
        formulas,
        classes,
        groupings,
        members=["full"],
        **settings,
    )


def drawn(n, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    return (
        rng.dirichlet(np.ones(classes), n),
        rng.integers(0, classes, n),
        [f"F{i}" for i in rng.integers(0, n, n)],
    )


def test_perfect_predictions():
    labels = np.repeat([0, 1, 2], 20)
    result = scored(np.eye(3)[labels], labels)
    for name in ("accuracy", "macro_f1", "balanced_accuracy", "roc_auc"):
        assert result[name] == 1.0
    for name in ("log_loss", "brier", "ece"):
        assert result[name] == 0.0
    assert result["confusion"] == [[20, 0, 0], [0, 20, 0], [0, 0, 20]]
    assert result["accuracy_ci95"] == [1.0, 1.0]


def test_uniform_predictions():
    labels = np.repeat([0, 1, 2], 300)
    result = scored(np.full((900, 3), 1 / 3), labels)
    assert result["log_loss"] == pytest.approx(math.log(3))
    assert result["brier"] == pytest.approx(2 / 3)
    assert result["roc_auc"] == pytest.approx(0.5)
    assert result["accuracy"] == pytest.approx(1 / 3)
    assert result["ece"] == pytest.approx(0, abs=1e-7)  # one tied bin whose accuracy is its confidence


def test_constant_prediction():
    labels = np.array([0] * 60 + [1] * 40)
    result = scored(np.tile([0.9, 0.1, 0.0], (100, 1)), labels)
    assert result["accuracy"] == pytest.approx(0.6)
    assert result["balanced_accuracy"] == pytest.approx(0.5)
    # F1 of the first class is 2 * 60 / (60 + 100), of the second 0; the third does not occur at all.
    assert result["macro_f1"] == pytest.approx(0.75 / 2)
    assert result["brier"] == pytest.approx(0.6 * (0.01 + 0.01) + 0.4 * (0.81 + 0.81))
    assert result["ece"] == pytest.approx(math.sqrt(0.3**2 - 0.6 * 0.4 / 99))
    assert result["by_grouping"]["binary"]["accuracy"] == pytest.approx(0.6)


def test_a_certain_mistake_has_a_finite_loss():
    result = scored([[1.0, 0.0, 0.0]] * 2, [1, 1])
    assert result["log_loss"] == pytest.approx(-math.log(1e-12))


def test_agrees_with_scikit_learn():
    p, y, formulas = drawn(500)
    result, predicted = scored(p, y, formulas), p.argmax(axis=1)
    assert result["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(y, p, multi_class="ovr", average="macro"))
    assert result["log_loss"] == pytest.approx(sklearn_metrics.log_loss(y, p))
    assert result["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(y, predicted, average="macro"))
    assert result["balanced_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(y, predicted))
    assert result["confusion"] == sklearn_metrics.confusion_matrix(y, predicted).tolist()


def test_macro_f1_counts_a_class_that_is_only_predicted():
    p, y = np.eye(3)[[0, 0, 2]], np.array([0, 0, 0])
    assert scored(p, y)["macro_f1"] == pytest.approx((2 * 2 / (3 + 2) + 0) / 2)


def test_undefined_is_none_and_everything_is_strict_json():
    result = scored([[0.7, 0.2, 0.1]], [0])
    assert result["roc_auc"] is None
    assert result["ece"] is None
    assert result["by_grouping"]["binary"]["roc_auc"] is None
    assert result["accuracy_ci95"] == [0.0, 1.0]
    p, y, formulas = drawn(50)
    for fine in (result, scored(p.astype(np.float32), y.astype(np.int32), np.array(formulas))):
        assert json.loads(json.dumps(fine, allow_nan=False)) == fine


def test_schema():
    result = scored(*drawn(50))
    assert list(result) == [
        "n", "accuracy", "accuracy_ci95", "macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "brier",
        "ece", "confusion", "by_grouping", "members",
    ]  # fmt: skip
    assert list(result["by_grouping"]) == ["binary", "3-class"]
    assert set(result["by_grouping"]["binary"]) == {"accuracy", "macro_f1", "roc_auc", "log_loss"}
    assert result["members"] == ["full"]


def test_grouped_probabilities_are_summed_before_the_argmax():
    # The likeliest class is trivial, the likeliest group is topological.
    result = scored([[0.4, 0.3, 0.3]] * 2, [1, 2])
    assert result["accuracy"] == 0.0
    assert result["by_grouping"]["binary"]["accuracy"] == 1.0
    assert result["by_grouping"]["binary"]["log_loss"] == pytest.approx(-math.log(0.6))


def test_the_identity_grouping_repeats_the_scores():
    result = scored(*drawn(200))
    for name, value in result["by_grouping"]["3-class"].items():
        assert value == pytest.approx(result[name], abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_a_permutation_of_the_rows_changes_nothing(seed, n):
    p, y, formulas = drawn(n, seed)
    p = np.round(p, 1) + 1e-3  # many ties
    p /= p.sum(axis=1, keepdims=True)
    order = np.random.default_rng(seed).permutation(n)
    one, other = scored(p, y, formulas), scored(p[order], y[order], np.array(formulas)[order])
    for name in ("n", "confusion", "accuracy", "accuracy_ci95"):
        assert one[name] == other[name]
    for name in ("macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "brier"):
        assert one[name] == (None if other[name] is None else pytest.approx(other[name], abs=1e-12))
    # The root magnifies rounding at 0: squares that agree to 1e-16 have roots that agree to 1e-8.
    assert one["ece"] == pytest.approx(other["ece"], abs=1e-7)


def test_a_permutation_of_the_classes_changes_nothing():
    p, y, formulas = drawn(300)
    order = np.array([2, 0, 1])
    one = scored(p, y, formulas)
    other = scored(p[:, order], np.argsort(order)[y], formulas, classes=tuple(np.array(CLASSES)[order].tolist()))
    for name in ("accuracy", "accuracy_ci95", "macro_f1", "balanced_accuracy", "roc_auc", "log_loss", "ece"):
        assert one[name] == pytest.approx(other[name], abs=1e-12)


def test_interval_has_the_width_of_a_binomial():
    labels = np.zeros(2000, dtype=int)
    p = np.eye(3)[(np.arange(2000) % 5 == 0).astype(int)]  # 80% right, each formula once
    low, high = scored(p, labels)["accuracy_ci95"]
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / 2000), rel=0.1)
    assert low < 0.8 < high


def test_interval_widens_when_rows_share_a_formula():
    labels = np.zeros(2000, dtype=int)
    p = np.eye(3)[np.repeat(np.arange(200) % 5 == 0, 10).astype(int)]  # ten copies of each formula
    low, high = scored(p, labels, [f"F{i // 10}" for i in range(2000)])["accuracy_ci95"]
    assert (high - low) / 2 == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / 200), rel=0.1)


def test_interval_covers_the_expected_accuracy_of_clusters():
    rng, covered, trials = np.random.default_rng(2), 0, 300
    for trial in range(trials):
        sizes = rng.integers(1, 5, 150)
        right = np.repeat(rng.random(150) < 0.7, sizes)
        formulas = np.repeat(np.arange(150), sizes).astype(str)
        p = np.eye(3)[1 - right.astype(int)]
        low, high = scored(p, np.zeros(len(p), int), formulas, bootstrap=300, seed=trial)["accuracy_ci95"]
        covered += low <= 0.7 <= high
    assert 0.90 <= covered / trials <= 0.99


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "no rows"),
        (np.full((2, 2), 0.5), [0, 1], "give \\[n, c\\]"),
        (np.full((2, 3), 1 / 3), [0], "give \\[n, c\\]"),
        (np.full((2, 3), 0.5), [0, 1], "sums to 1.5"),
        ([[1.2, -0.2, 0.0]], [0], "least value -0.2"),
        ([[1.0, 0.0, 0.0], [np.nan, 0.5, 0.5]], [0, 1], "row 1 are not finite"),
        ([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [0, 3], "label of row 1 is 3"),
        ([[1.0, 0.0, 0.0]], [-1], "label of row 0 is -1"),
        ([[1.0, 0.0, 0.0]], [0.0], "give integers"),
    ],
)
def test_wrong_input_is_named(probabilities, labels, said):
    with pytest.raises(InputError, match=said):
        scored(probabilities, labels)


def test_wrong_classes_and_groupings_are_named():
    row = [[1.0, 0.0, 0.0]]
    with pytest.raises(InputError, match="not distinct"):
        scored(row, [0], classes=("a", "a", "b"), groupings={})
    with pytest.raises(InputError, match="'3-class' merges"):
        scored(row, [0], groupings={"3-class": GROUPINGS["binary"]})
    with pytest.raises(InputError, match="bootstrap is 0"):
        scored(row, [0], bootstrap=0)


def test_sums_of_float32_softmax_are_accepted():
    p = np.full((4, 3), 1 / 3, dtype=np.float32) * np.float32(1.00003)
    assert scored(p, [0, 1, 2, 0])["log_loss"] == pytest.approx(math.log(3), abs=1e-12)


def test_grouping_matrix():
    names, matrix = grouping_matrix(("a", "b", "c"), {"c": "odd", "b": "even", "a": "odd"})
    assert names == ("odd", "even")
    np.testing.assert_array_equal(matrix, [[1, 0], [0, 1], [1, 0]])


def test_grouping_matrix_names_what_does_not_fit():
    with pytest.raises(InputError, match=r"lacks \['b'\] and it names \['z'\]"):
        grouping_matrix(("a", "b"), {"a": "x", "z": "x"})


def test_log_losses():
    np.testing.assert_allclose(log_losses(np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([0, 0])), [math.log(4), 0])


def test_paired_difference_of_single_rows_is_the_error_of_a_mean():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))
    mean, error = paired_difference(a, b, [f"F{i}" for i in range(400)])
    assert mean == pytest.approx((a - b).mean())
    assert error == pytest.approx((a - b).std(ddof=1) / 20)


def test_copies_of_a_row_add_no_evidence():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    formulas = [f"F{i}" for i in range(50)]
    once = paired_difference(a, b, formulas)
    assert paired_difference(np.tile(a, 7), np.tile(b, 7), formulas * 7) == pytest.approx(once)


def test_paired_difference_edges():
    assert paired_difference([1.0, 0.0], [0.0, 0.0], ["A", "A"]) == (0.5, math.inf)
    with pytest.raises(InputError, match="one length"):
        paired_difference([1.0], [1.0, 2.0], ["A"])
    with pytest.raises(InputError, match="row 1 is not finite"):
        paired_difference([1.0, np.inf], [1.0, 2.0], ["A", "B"])

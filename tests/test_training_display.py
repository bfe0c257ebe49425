"""Lines and bar of a training: what is said of given epochs."""

import pytest

from jaxboost.training.loop import Progress
from jaxboost.training_display import _SoFar, training_display


def epoch(number, accuracies, steps=10, total=100, seconds=2.0):
    rows = [{"member": name, "epoch": number, "validation_accuracy": accuracy} for name, accuracy in accuracies.items()]
    return Progress(rows, steps, total, seconds)


def test_a_line_an_epoch_where_there_is_no_terminal(capfd):
    with training_display(24) as show:
        show(Progress([], 10, 100, 2.0))  # part of an epoch: nothing is said
        show(epoch(1, {"kfold_0": 0.5, "kfold_1": 0.25, "full": None}, total=90))
        show(epoch(2, {"kfold_0": 0.375, "kfold_1": 0.25, "full": None}, total=80))
    out, err = capfd.readouterr()
    lines = [line.strip().split("  ", 1)[1] for line in out.splitlines()]
    # 30 steps in 6 s and 70 left, so 14 s.
    assert lines == [
        "epoch 1/24, 3 members, accuracy 0.3750, best 0.5000; < 16 s left",
        "epoch 2/24, 3 members, accuracy 0.3125, best 0.5000; < 14 s left",
    ]
    assert err == "" and all(len(line) <= 80 for line in out.splitlines())


def test_the_best_of_all_epochs_and_members_is_kept_and_members_that_stop_shorten_the_rest():
    so_far = _SoFar(9)
    assert so_far.state() == "first epoch"
    so_far.add(epoch(1, {"kfold_0": 0.5}))
    so_far.add(epoch(2, {"kfold_0": 0.75, "ensemble_0": 0.6}, total=90))
    so_far.add(epoch(3, {"kfold_0": 0.7}, total=40))
    assert so_far.state() == "epoch 3/9, 1 member, best 0.7500"
    assert (so_far.done, so_far.total) == (30, 60) and so_far.line().endswith("left")
    so_far.add(epoch(4, {"kfold_0": 0.8}, total=10))
    assert so_far.line().endswith("epoch 4/9, 1 member, accuracy 0.8000, best 0.8000")


@pytest.mark.parametrize("members", [1, 100])
def test_without_validation_rows_there_is_no_best(members):
    so_far = _SoFar(100)
    so_far.add(epoch(100, {f"full_{i}": None for i in range(members)}))
    assert "best" not in so_far.line() and "accuracy" not in so_far.line() and len(so_far.line()) <= 80

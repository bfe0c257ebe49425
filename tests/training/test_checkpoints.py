"""Checkpoints: bitwise round trips, and every fault found, named and survived."""

import json
import logging
import os
import shutil
from collections import namedtuple
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from jaxboost.errors import InputError
from jaxboost.training import checkpoints
from jaxboost.training.checkpoints import has_checkpoint, restore_checkpoint, save_checkpoint

FITTED = {"classes": ["trivial", "NLC"], "scaler": {"mean": [0.1, 1e-30], "log": True}, "temperature": None}


def tree(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "params": {
            "dense": {"kernel": rng.standard_normal((3, 4)).astype(np.float32), "bias": jnp.full(4, np.nan)},
            "empty": np.zeros((0, 3), np.float32),
        },
        "stopped": np.array([True, False]),
        "epoch": np.int32(seed),
        "key": jax.random.key_data(jax.random.key(seed)),
    }


def assert_same(left, right):
    """Equal in structure and to the bit, NaN and dtype included."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())


def two_steps(folder):
    save_checkpoint(folder, 1, tree(1), {"step": 1})
    save_checkpoint(folder, 2, tree(2), {"step": 2})
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return two_steps(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "member")


def files_of(step_folder):
    return sorted(path for path in step_folder.rglob("*") if path.is_file())


def assert_falls_back(folder, caplog):
    caplog.clear()
    restored = restore_checkpoint(folder, tree())
    assert restored.step == 1 and restored.fitted == {"step": 1}
    assert_same(restored.tree, tree(1))
    assert "is passed over" in caplog.text and "step 1 is used instead" in caplog.text


def test_round_trip_is_bitwise(tmp_path):
    save_checkpoint(tmp_path, 7, tree(), FITTED)
    for template in (None, tree(3), jax.eval_shape(lambda: jax.tree.map(jnp.asarray, tree()))):
        restored = restore_checkpoint(tmp_path, template)
        assert restored.step == 7 and restored.fitted == FITTED
        assert_same(restored.tree, tree())
        assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(restored.tree))


def test_a_template_gives_back_tuples_and_named_tuples(tmp_path):
    State = namedtuple("State", "mu count")
    state = {
        "params": [np.ones(2), np.zeros(3, jnp.bfloat16)],
        "opt": (State({"w": np.eye(2)}, np.int32(4)), ()),
    }
    save_checkpoint(tmp_path, 0, state, {})
    assert_same(restore_checkpoint(tmp_path, state).tree, state)
    assert restore_checkpoint(tmp_path).tree["opt"]["0"]["count"] == 4


def test_a_tree_of_empty_arrays_only(tmp_path):
    save_checkpoint(tmp_path, 0, {"a": np.zeros((2, 0), np.int32)}, {})
    assert_same(restore_checkpoint(tmp_path).tree, {"a": np.zeros((2, 0), np.int32)})


def test_keeps_the_last_two_steps_and_nothing_else(tmp_path):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, step, tree(step), {})
    assert sorted(os.listdir(tmp_path)) == ["10", "2", "LAST_GOOD"]
    assert json.loads((tmp_path / "LAST_GOOD").read_text())["step"] == 10
    assert restore_checkpoint(tmp_path).step == 10


def test_saving_a_step_again_replaces_it(folder):
    save_checkpoint(folder, 2, tree(5), {"again": True})
    assert_same(restore_checkpoint(folder, tree()).tree, tree(5))
    assert sorted(os.listdir(folder)) == ["1", "2", "LAST_GOOD"]


def test_has_checkpoint(tmp_path, saved):
    assert not has_checkpoint(tmp_path) and not has_checkpoint(tmp_path / "absent")
    (tmp_path / "5").mkdir()
    assert not has_checkpoint(tmp_path)
    assert has_checkpoint(saved)


def test_one_flipped_byte_in_any_file_is_found(folder, caplog):
    files = files_of(folder / "2")
    assert len(files) > 5 and {"MANIFEST", "fitted.json", "_METADATA"} <= {file.name for file in files}
    for file in files:
        whole = file.read_bytes()
        for position in {0, len(whole) // 2, len(whole) - 1}:
            flipped = bytearray(whole)
            flipped[position] ^= 1
            file.write_bytes(flipped)
            assert_falls_back(folder, caplog)
        file.write_bytes(whole)
    assert restore_checkpoint(folder).step == 2


def test_a_flipped_byte_anywhere_in_the_manifest_is_found(folder):
    manifest = folder / "2" / "MANIFEST"
    whole = manifest.read_bytes()
    for position in range(0, len(whole), 41):
        flipped = bytearray(whole)
        flipped[position] ^= 4
        manifest.write_bytes(flipped)
        assert restore_checkpoint(folder).step == 1


def test_a_truncated_emptied_or_deleted_file_is_found(folder, caplog):
    for file in files_of(folder / "2"):
        whole = file.read_bytes()
        for content in (whole[:-1], whole[: len(whole) // 2], b""):
            file.write_bytes(content)
            assert_falls_back(folder, caplog)
        file.unlink()
        assert_falls_back(folder, caplog)
        assert file.name in caplog.text
        file.write_bytes(whole)
    shutil.rmtree(folder / "2")
    assert_falls_back(folder, caplog)


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"files": {}, "tree": {}}', b"\xff\xfe", b"null"])
def test_a_garbled_manifest_is_passed_over(folder, caplog, garbage):
    (folder / "2" / "MANIFEST").write_bytes(garbage)
    assert_falls_back(folder, caplog)


@pytest.mark.parametrize(
    "garbage", [None, b"", b"7", b'{"step": 1}', b'{"step": "2"}', b"\xff", b'{"step": 9, "sha256": "0"}']
)
def test_a_damaged_pointer_gives_way_to_the_newest_whole_step(folder, caplog, garbage):
    (folder / "LAST_GOOD").unlink()
    if garbage is not None:
        (folder / "LAST_GOOD").write_bytes(garbage)
    assert restore_checkpoint(folder).step == 2
    assert "missing or damaged" in caplog.text


def test_stray_and_left_over_folders_are_passed_over(folder, caplog):
    for name in ("5", "007", "1.orbax-checkpoint-tmp-12", ".saving-3", "notes"):
        (folder / name).mkdir()
    (folder / ".saving-3" / "arrays").mkdir()
    (folder / "9").write_text("a file")
    assert restore_checkpoint(folder).step == 2
    (folder / "LAST_GOOD").unlink()
    assert restore_checkpoint(folder).step == 2
    assert f"{folder / '5'} is passed over: MANIFEST is missing" in caplog.text
    save_checkpoint(folder, 3, tree(3), {})
    assert restore_checkpoint(folder).step == 3
    assert not (folder / ".saving-3").exists() and (folder / "5").exists()


def test_two_damaged_steps_are_both_named(folder):
    (folder / "2" / "fitted.json").write_text("{}")
    (folder / "1" / "MANIFEST").unlink()
    with pytest.raises(
        InputError, match=r"no usable checkpoint.*step 2: fitted\.json has.*step 1: MANIFEST is missing"
    ):
        restore_checkpoint(folder)


def test_nothing_saved(tmp_path):
    for where in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="no usable checkpoint in .*no step saved"):
            restore_checkpoint(where)


def test_a_damaged_older_step_is_not_what_is_kept(folder):
    (folder / "2" / "fitted.json").unlink()
    save_checkpoint(folder, 3, tree(3), {})
    assert sorted(os.listdir(folder)) == ["1", "3", "LAST_GOOD"]


def without(tree, key):
    return {name: leaf for name, leaf in tree.items() if name != key}


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (dict(tree(), stopped=np.zeros(3, bool)), "stopped: bool[2] in the checkpoint, expected bool[3]"),
        (dict(tree(), epoch=np.float32(0)), "epoch: int32[] in the checkpoint, expected float32[]"),
        (without(tree(), "key"), "key: uint32[2] in the checkpoint, not expected"),
        (dict(tree(), new=np.zeros(2)), "new: expected float64[2], not in the checkpoint"),
        (
            dict(tree(), params=np.zeros(2)),
            "params/dense/kernel: float32[3, 4] in the checkpoint, not expected",
        ),
    ],
)
def test_another_form_is_refused_naming_the_field(saved, caplog, template, line):
    with pytest.raises(InputError) as refused:
        restore_checkpoint(saved, template)
    assert line in str(refused.value)
    assert "passed over" not in caplog.text


def test_every_field_that_differs_is_listed_and_no_other(saved):
    template = dict(tree(), stopped=np.zeros(3, bool), epoch=np.float32(0))
    with pytest.raises(InputError) as refused:
        restore_checkpoint(saved, template)
    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:-1]] == [
        "epoch",
        "stopped",
    ]


@pytest.mark.parametrize(
    ("bad_tree", "fitted"),
    [
        ({"a/b": np.ones(1), "a": {"b": np.ones(1)}}, {}),
        ({"a.b": np.ones(1), "a": {"b": np.ones(1)}}, {}),
        (np.ones(1), {}),
        ({"a": np.array(["text"])}, {}),
        ({"a": np.ones(1)}, {"x": float("nan")}),
        ({"a": np.ones(1)}, {0: "trivial"}),
        ({"a": np.ones(1)}, {"x": (1, 2)}),
    ],
)
def test_what_would_not_come_back_is_refused_before_writing(tmp_path, bad_tree, fitted):
    with pytest.raises(ValueError):
        save_checkpoint(tmp_path, 0, bad_tree, fitted)
    assert os.listdir(tmp_path) == []


class Killed(BaseException):
    """Stands for the end of the process at a line."""


@pytest.mark.parametrize("step", [2, 3])
def test_killed_between_the_data_and_the_pointer(folder, monkeypatch, step):
    def dies(path, text):
        if Path(path).name == "LAST_GOOD":
            raise Killed
        real(path, text)

    real = checkpoints.write_text
    monkeypatch.setattr(checkpoints, "write_text", dies)
    with pytest.raises(Killed):
        save_checkpoint(folder, step, tree(9), {})
    restored = restore_checkpoint(folder, tree())
    assert restored.step == 2
    # The same step saved anew is whole already; another is not yet pointed to.
    assert_same(restored.tree, tree(9 if step == 2 else 2))


@pytest.mark.parametrize("part", ["arrays", "fitted.json", "MANIFEST", "LAST_GOOD"])
def test_no_space_is_raised_and_the_older_step_stays(folder, monkeypatch, part):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    real = os.replace
    if part == "arrays":
        monkeypatch.setattr(ocp.Checkpointer, "save", full)
    else:
        monkeypatch.setattr(os, "replace", lambda a, b: full() if Path(b).name == part else real(a, b))
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(folder, 3, tree(3), {})
    monkeypatch.undo()
    assert restore_checkpoint(folder).step == 2
    assert not list(folder.glob("**/.*"))
    save_checkpoint(folder, 3, tree(3), {})
    assert restore_checkpoint(folder).step == 3


def test_only_the_first_process_saves(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    with pytest.raises(ValueError, match="first process"):
        save_checkpoint(tmp_path, 0, tree(), {})


def test_nothing_is_logged_or_printed_when_all_is_well(tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    save_checkpoint(tmp_path, 1, tree(), FITTED)
    restore_checkpoint(tmp_path, tree())
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""

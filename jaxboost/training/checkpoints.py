"""Checkpoints that are whole or refused: Orbax holds the arrays, a manifest says what was written.

```
folder/LAST_GOOD            {"step", "sha256"}: the newest step written to its end, and the sum of that number
folder/<step>/MANIFEST      sizes and SHA-256 sums of the files, form of the tree (`manifest.py`)
folder/<step>/fitted.json   what was fitted beside the weights
folder/<step>/arrays/       Orbax
```

Orbax alone restores a flipped byte as wrong weights, casts to another dtype in silence and never falls back
to an older step. A step is therefore written in a hidden folder, its sums taken, the folder renamed, and only
then does LAST_GOOD move.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from jaxboost.errors import InputError
from jaxboost.run_folder import sync_folder, write_text
from jaxboost.training.manifest import MANIFEST, Damaged, check_step, looks_whole, write_manifest

logger = logging.getLogger(__name__)

_KEPT = 2
_TEMPORARY = ".saving-"


@dataclass(frozen=True)
class Restored:
    """A checkpoint as it was saved.

    Attributes:
        step: the step it was saved at.
        tree: numpy arrays, in the template's structure; without a template nested dicts with string keys.
        fitted: what was fitted beside the weights.
    """

    step: int
    tree: Any
    fitted: dict[str, Any]


def save_checkpoint(folder: Path, step: int, tree: Any, fitted: Mapping[str, Any]) -> None:
    """Save a pytree of arrays and what was fitted; on return the step is on disk and LAST_GOOD names it.

    The two newest whole steps are kept. A step of the same number is replaced. In a run of several processes
    the first alone calls this, with arrays that it holds wholly; each may restore.

    Args:
        folder: the checkpoints of one member; one writer at a time (`run_folder.RunLock`).
        step: 0 or more.
        tree: a pytree of JAX or numpy arrays of any shape; its keys hold no '/'.
        fitted: plain JSON: string keys, lists rather than tuples, finite numbers.

    Raises:
        ValueError: `step`, `tree` or `fitted` is not as above, or another process calls; nothing was written.
        OSError: no space, no permission; LAST_GOOD and the steps before are as they were.
    """
    if jax.process_index() != 0:  # Orbax would write what it cannot read again
        raise ValueError("only the first process saves checkpoints")
    if step < 0:
        raise ValueError(f"step = {step} must be 0 or more")
    fitted_text = json.dumps(fitted, indent=1, allow_nan=False)
    if json.loads(fitted_text) != fitted:
        raise ValueError("fitted does not survive JSON: use string keys and lists")
    arrays = {name: np.asarray(leaf) for name, leaf in _leaves(tree).items()}
    if strange := [name for name, array in arrays.items() if array.dtype.kind in "OSUmM"]:
        raise ValueError(f"no arrays of numbers: {strange}")

    folder = Path(folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left_over)
    written = folder / f"{_TEMPORARY}{step}"
    written.mkdir()
    try:
        _write_arrays(written / "arrays", arrays)
        write_text(written / "fitted.json", fitted_text)
        write_manifest(written, {name: _form(array) for name, array in arrays.items()})
        for inner in [written, *(path for path in written.rglob("*") if path.is_dir())]:
            sync_folder(inner)
        if (folder / str(step)).exists():
            os.replace(folder / str(step), folder / f"{_TEMPORARY}{step}-replaced")
        os.replace(written, folder / str(step))
    except BaseException:
        # On a full disk the space is needed, and the error that matters is the one under way.
        shutil.rmtree(written, ignore_errors=True)
        raise
    sync_folder(folder)
    write_text(folder / "LAST_GOOD", _pointer_text(step))
    _remove_old(folder, step)


def restore_checkpoint(folder: Path, template: Any = None) -> Restored:
    """Restore the step that LAST_GOOD names, or with a logged warning the next older one that is whole.

    Every byte is compared with the manifest first. The devices it was saved from do not matter: the arrays
    come back in host memory.

    Args:
        folder: as given to `save_checkpoint`.
        template: a pytree of arrays or `jax.ShapeDtypeStruct`: the keys, shapes and dtypes to find.

    Raises:
        InputError: no step can be used, or the template's form is another (the difference is listed).
    """
    folder = Path(folder).absolute()
    reasons = []
    for step in _candidates(folder):
        try:
            tree_form = check_step(folder / str(step))
            if template is not None:
                _compare(folder / str(step), tree_form, template)
            arrays = _read_arrays(folder / str(step), tree_form, template)
            fitted = json.loads((folder / str(step) / "fitted.json").read_text(encoding="utf-8"))
        except Damaged as damage:
            logger.warning("checkpoint %s is passed over: %s", folder / str(step), damage)
            reasons.append(f"step {step}: {damage}")
        else:
            if reasons:
                logger.warning("checkpoint of step %d is used instead, in %s", step, folder)
            return Restored(step, arrays, fitted)
    found = "; ".join(reasons) or "no step saved to its end"
    raise InputError(f"no usable checkpoint in {folder} ({found}); remove the folder to train this member anew")


def has_checkpoint(folder: Path) -> bool:
    """Whether a step was saved to its end here; whether it is still whole, `restore_checkpoint` tells."""
    folder = Path(folder)
    return (folder / "LAST_GOOD").is_file() or any((folder / str(step) / MANIFEST).is_file() for step in _steps(folder))


# The tree as paths.


def _leaves(tree: Any) -> dict[str, Any]:
    """Leaves by path, 'params/dense/kernel'."""
    pairs = [
        (jax.tree_util.keystr(path, simple=True, separator="/"), leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]
    leaves = dict(pairs)
    # Orbax joins keys by dots, so 'a.b' and 'a' -> 'b' would be one file there.
    if len({name.replace("/", ".") for name in leaves}) != len(pairs) or any("" in name.split("/") for name in leaves):
        raise ValueError(
            f"a checkpoint needs a dict (or sequence) of arrays with keys free of '/': {sorted(leaves)[:5]}"
        )
    return leaves


def _nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts of leaves by path."""
    root: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *parents, last = name.split("/")
        node = root
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = leaf
    return root


def _form(leaf: Any) -> dict[str, Any]:
    """Shape and dtype of an array, a `jax.ShapeDtypeStruct` or a number."""
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    return {"shape": list(np.shape(leaf)), "dtype": str(dtype)}


def _compare(where: Path, tree_form: Mapping[str, Any], template: Any) -> None:
    """Refuse a checkpoint that differs from the template, with a line a field."""

    def text(form: Mapping[str, Any]) -> str:
        return f"{form['dtype']}{form['shape']}"

    expected = {name: _form(leaf) for name, leaf in _leaves(template).items()}
    lines = []
    for name in sorted(expected.keys() | tree_form.keys()):
        if name not in tree_form:
            lines.append(f"{name}: expected {text(expected[name])}, not in the checkpoint")
        elif name not in expected:
            lines.append(f"{name}: {text(tree_form[name])} in the checkpoint, not expected")
        elif expected[name] != tree_form[name]:
            lines.append(f"{name}: {text(tree_form[name])} in the checkpoint, expected {text(expected[name])}")
    if lines:
        difference = "\n  ".join(lines)
        raise InputError(
            f"checkpoint {where} was saved by another configuration:\n  {difference}\n"
            "use the config.json beside it or another --workdir"
        )


# The arrays in Orbax.


def _write_arrays(where: Path, arrays: Mapping[str, np.ndarray]) -> None:
    # Orbax refuses arrays without elements; the manifest's shape and dtype say all there is of them.
    filled = {name: array for name, array in arrays.items() if array.size}
    if filled:
        with _orbax() as orbax:
            try:
                orbax.save(where, args=ocp.args.StandardSave(_nested(filled)))
            except ValueError as error:  # so it reports a full disk
                raise OSError(f"Orbax cannot write {where}: {error}") from error


def _read_arrays(where: Path, tree_form: Mapping[str, Any], template: Any) -> Any:
    arrays = {
        name: np.zeros(form["shape"], jnp.dtype(form["dtype"]))  # JAX's: it knows bfloat16
        for name, form in tree_form.items()
        if 0 in form["shape"]
    }
    if len(arrays) < len(tree_form):
        with _orbax() as orbax:
            try:
                arrays |= _leaves(orbax.restore(where / "arrays", args=ocp.args.StandardRestore()))
            except (ValueError, OSError, KeyError) as error:
                raise Damaged(f"Orbax cannot read arrays/ ({error})") from error
    for name, form in tree_form.items():
        if name not in arrays or _form(arrays[name]) != form:
            raise Damaged(f"arrays/ does not hold {name} as {MANIFEST} says")
    if template is None:
        return _nested({name: arrays[name] for name in tree_form})
    return jax.tree.unflatten(jax.tree.structure(template), [arrays[name] for name in _leaves(template)])


@contextlib.contextmanager
def _orbax() -> Iterator[ocp.Checkpointer]:
    """A blocking checkpointer of this process alone. Its log stays off the console: it raises its errors."""
    process = jax.process_index()
    options = ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        handler = ocp.StandardCheckpointHandler(multiprocessing_options=options)
        with ocp.Checkpointer(handler, multiprocessing_options=options) as checkpointer:
            yield checkpointer
    finally:
        log.setLevel(level)


# The steps and the pointer.


def _steps(folder: Path) -> list[int]:
    """Numbers of the step folders, whole or not, newest first."""
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdecimal() and name == str(int(name))), reverse=True)


def _pointer_text(step: int) -> str:
    return json.dumps({"step": step, "sha256": hashlib.sha256(str(step).encode()).hexdigest()})


def _candidates(folder: Path) -> list[int]:
    """Steps to try in turn: those up to LAST_GOOD; all, with a warning, where LAST_GOOD itself is damaged."""
    steps = _steps(folder)
    try:
        text = (folder / "LAST_GOOD").read_bytes().decode()
        step = json.loads(text)["step"]
        if text == _pointer_text(step):
            return [step, *(older for older in steps if older < step)]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # said below, for every kind of damage
    if steps:
        logger.warning("LAST_GOOD in %s is missing or damaged: the newest whole step is looked for", folder)
    return steps


def _remove_old(folder: Path, step: int) -> None:
    """Keep `step` and the newest older one that looks whole; newer ones are of a course that was given up."""
    whole = [older for older in _steps(folder) if older < step and looks_whole(folder / str(older))]
    for other in _steps(folder):
        is_ours = (folder / str(other) / "arrays").exists() or (folder / str(other) / MANIFEST).exists()
        if is_ours and other != step and other not in whole[: _KEPT - 1]:
            shutil.rmtree(folder / str(other))
    for left_over in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left_over)

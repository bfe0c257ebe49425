"""The manifest of a checkpoint's step: what every byte and every array of it must be."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxboost.run_folder import write_text

MANIFEST = "MANIFEST"


class Damaged(Exception):
    """A step cannot be used: the message says which file and why."""


def write_manifest(step_folder: Path, tree_form: Mapping[str, Any]) -> None:
    """Make every file of a step durable and write the sums of all into its MANIFEST.

    ```
    {"files": {name: {"bytes", "sha256"}}, "tree": {path: {"shape", "dtype"}}, "sha256": of the two before}
    ```
    """
    files = {name: file_sum(step_folder / name, durable=True) for name in _files(step_folder)}
    write_text(step_folder / MANIFEST, _text(files, tree_form))


def check_step(step_folder: Path) -> dict[str, Any]:
    """Compare every byte of a step with its manifest; files that the manifest does not name are passed over.

    Returns:
        The form of the tree: path -> {"shape", "dtype"}.

    Raises:
        Damaged: a file is missing, has another size or another sum, or the manifest itself is garbled.
    """
    manifest = _read(step_folder)
    present = set(_files(step_folder))
    for name, expected in manifest["files"].items():
        if name not in present:
            raise Damaged(f"{name} is missing")
        found = file_sum(step_folder / name)
        if found["bytes"] != expected["bytes"]:
            raise Damaged(f"{name} has {found['bytes']} bytes instead of {expected['bytes']}")
        if found != expected:
            raise Damaged(f"{name} was changed after it was saved")
    return manifest["tree"]


def looks_whole(step_folder: Path) -> bool:
    """Whether the manifest is whole and every file there in its size, without reading the arrays."""
    try:
        files = _read(step_folder)["files"]
    except Damaged:
        return False
    paths = {step_folder / name: entry["bytes"] for name, entry in files.items()}
    return all(path.is_file() and path.stat().st_size == size for path, size in paths.items())


def file_sum(path: Path, durable: bool = False) -> dict[str, Any]:
    """Size and SHA-256 of a file, which `durable` also forces to the disk."""
    with open(path, "rb") as file:
        if durable:
            os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
        return {"bytes": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _files(step_folder: Path) -> list[str]:
    names = (path.relative_to(step_folder).as_posix() for path in step_folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name != MANIFEST)


def _text(files: Mapping[str, Any], tree_form: Mapping[str, Any]) -> str:
    body = {"files": files, "tree": tree_form}
    return json.dumps(body | {"sha256": hashlib.sha256(json.dumps(body).encode()).hexdigest()}, indent=1)


def _read(step_folder: Path) -> dict[str, Any]:
    """The manifest, if it is to the byte what `write_manifest` writes."""
    try:
        text = (step_folder / MANIFEST).read_bytes().decode()
        manifest = json.loads(text)
        whole = text == _text(manifest["files"], manifest["tree"])
    except OSError as error:
        raise Damaged(f"{MANIFEST} is missing") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{MANIFEST} is garbled") from error
    if not whole:
        raise Damaged(f"{MANIFEST} is garbled")
    return manifest

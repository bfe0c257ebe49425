"""What a result depends on besides the config."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from jaxboost import __version__
from jaxboost.errors import InputError

_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "scikit-learn",
    "gemmi",
    "moyopy",
    "spgrep",
    "vesin",
)


def found_devices() -> list[Any]:
    """The devices that jax runs on, as `jax.devices()` has them.

    Raises:
      InputError: there are none of the kind that the environment variable JAX_PLATFORMS names.
    """
    import jax  # here, so that the lock of a run is taken before its accelerator is

    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter, without a word, for a kind whose plugin is missing
        named = jax.config.jax_platforms  # type: ignore[attr-defined]
        if not named:
            raise
        why = f" ({str(error).splitlines()[0]})" if str(error) else ""
        raise InputError(
            f"JAX_PLATFORMS={named}: jax finds no such device{why}; install what it needs, as by pip install "
            "'jax[cuda13]' or 'jax[tpu]', or unset JAX_PLATFORMS"
        ) from error


def environment() -> dict[str, Any]:
    """Versions, platform, devices, processors, and the commit where there is one: plain JSON."""
    import jax  # as above

    devices = found_devices()
    versions = {"jaxboost": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "packages": versions,
        "backend": jax.default_backend(),
        "devices": [device.device_kind for device in devices],
        "processes": jax.process_count(),
        "commit": git_commit(Path(__file__).parent),
    }


def git_commit(folder: Path) -> str | None:
    """The commit checked out around `folder`, None outside a repository.

    It reads `.git` itself: the program git may not be there.
    """
    for parent in (folder, *folder.parents):
        git = parent / ".git"
        if git.is_file():  # a worktree: the file names the folder
            git = parent / git.read_text().removeprefix("gitdir:").strip()
        if not (git / "HEAD").is_file():
            continue
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        common = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
        if (common / name).is_file():
            return (common / name).read_text().strip()
        packed = (common / "packed-refs").read_text().splitlines() if (common / "packed-refs").is_file() else []
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
    return None

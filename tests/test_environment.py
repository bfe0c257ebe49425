"""What a run records of where it ran."""

import json

import jax
import numpy as np
import pytest

import jaxboost
from jaxboost.environment import environment, git_commit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_environment_is_plain_json_and_names_versions_and_devices():
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["packages"]["jax"] == jax.__version__ and found["packages"]["numpy"] == np.__version__
    assert found["packages"]["jaxboost"] == jaxboost.__version__
    assert len(found["devices"]) == jax.device_count() and found["cpus"] >= 1


@pytest.mark.parametrize("kind", ["loose", "packed", "detached", "worktree"])
def test_the_commit_is_read_from_git(tmp_path, kind):
    git = tmp_path / ".git"
    git.mkdir()
    (git / "HEAD").write_text(f"{COMMIT}\n" if kind == "detached" else "ref: refs/heads/main\n")
    if kind == "packed":
        (git / "packed-refs").write_text(f"# pack-refs\n{'f' * 40} refs/heads/not/main\n{COMMIT} refs/heads/main\n")
    else:
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    root = tmp_path
    if kind == "worktree":
        own = git / "worktrees" / "w"
        own.mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/main\n")
        (own / "commondir").write_text("../..\n")
        root = tmp_path / "elsewhere"
        root.mkdir()
        (root / ".git").write_text(f"gitdir: {own}\n")
    (root / "package" / "inner").mkdir(parents=True)
    assert git_commit(root / "package" / "inner") == COMMIT


def test_no_commit_before_the_first_and_outside_a_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None

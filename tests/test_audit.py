"""What is made of pip-audit's report: a vulnerability fails, what it cannot look up is said."""

import json
import sys

import pytest

from tests import audit

CLEAN = {"name": "numpy", "version": "2.4.0", "vulns": []}
LACKING = {"name": "jax", "skip_reason": "Dependency not found on PyPI and could not be audited: jax (0.10.2)"}
BAD = {"name": "Jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"]}]}
OF_PIP = {"name": "pip", "version": "24.0", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}


def run(said, tmp_path, capsys):
    """Exit status and what is printed, where pip-audit says this."""
    file = tmp_path / "said.py"
    file.write_text(f"print({said!r})")
    return audit.main((sys.executable, str(file))), capsys.readouterr().out


@pytest.mark.parametrize(
    "packages,status,words",
    [
        ([CLEAN, OF_PIP], 0, ["1 of", "0 known ones\n"]),
        ([CLEAN, BAD], 1, ["jinja2 3.1.0: PYSEC-1, mended in 3.1.6", "1 known ones\n"]),
        ([CLEAN, LACKING], 0, ["1 of", "skipped, since pip-audit found no data: 1 packages"]),
    ],
)
def test_a_vulnerability_fails_and_what_is_not_known_is_said(packages, status, words, tmp_path, capsys):
    found, printed = run(json.dumps({"dependencies": packages}), tmp_path, capsys)
    assert found == status and all(word in printed for word in words)
    assert "pip 24.0" not in printed


@pytest.mark.parametrize(
    "last,status,words",
    [
        ("requests.exceptions.ConnectionError: no route", 0, "skipped: pip-audit reached no data"),
        ("No module named pip_audit", 2, "pip-audit failed: No module named pip_audit"),
    ],
)
def test_without_data_it_is_skipped_and_a_failure_is_none_of_that(last, status, words, tmp_path, capsys):
    file = tmp_path / "said.py"
    file.write_text(f"import sys\nsys.exit({last!r})")
    assert audit.main((sys.executable, str(file))) == status
    assert capsys.readouterr().out.startswith(words)


def test_what_the_requirements_need_in_turn_is_asked_for_too():
    names = audit.needed(["# a comment", "", "flax>=0.12,<1"])
    assert {"flax", "jax", "jaxlib", "numpy", "msgpack"} <= names and not {"pytest", "pip", "sphinx"} & names

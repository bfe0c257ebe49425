"""What an installed package has: every table beside the code, and the dependencies that a checkout installs."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import jaxboost
from jaxboost import doctor

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def listed(file: str) -> set[str]:
    """The requirements in a file, without those of the files that it names."""
    lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    return {str(Requirement(line)) for line in lines if line and not line.startswith("-r")}


def test_dependencies_are_those_of_the_file():
    assert PROJECT["project"]["dynamic"] == ["version", "dependencies"]
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic == {"version": {"attr": "jaxboost.__version__"}, "dependencies": {"file": ["requirements.txt"]}}
    assert {str(one) for one in doctor.requirements()} == listed("requirements.txt")


def test_extras_are_those_of_the_file_for_benchmarks():
    extras = {name: {str(Requirement(one)) for one in needed} for name, needed in
              PROJECT["project"]["optional-dependencies"].items()}  # fmt: skip
    assert set(extras) == {"pymatgen", "ase", "dask", "bench"}
    assert extras["bench"] | extras["dask"] == listed("requirements-bench.txt")


def test_python_is_the_one_that_is_asked_for_everywhere():
    oldest = SpecifierSet(PROJECT["project"]["requires-python"])
    version = ".".join(map(str, doctor.OLDEST_PYTHON))
    assert oldest == SpecifierSet(f">={version}") and PROJECT["tool"]["mypy"]["python_version"] == version
    assert f"version: {jaxboost.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_command_is_there():
    entrance, function = PROJECT["project"]["scripts"]["jaxboost"].split(":")
    assert f"\ndef {function}() -> None:\n" in (ROOT / f"{entrance.replace('.', '/')}.py").read_text()


def test_every_file_of_the_package_is_packed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["jaxboost"]
    packed = {path.suffix for path in (ROOT / "jaxboost").rglob("*") if path.is_file()} - {".py", ".pyc"}
    assert {".npz", ".json", ".csv", ".jinja"} <= packed
    assert [suffix for suffix in packed if not any(fnmatch(f"x/y{suffix}", one) for one in patterns)] == []
    inside = [path for path in (ROOT / "jaxboost").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    assert inside == [], "setuptools leaves out folders without an __init__.py"


def test_nothing_in_the_package_imports_what_lies_outside():
    outside = re.compile(r"^\s*(?:from|import) (configs|benchmarks|tests|main)\b", re.MULTILINE)
    found = [path for path in (ROOT / "jaxboost").rglob("*.py") if outside.search(path.read_text())]
    assert found == []

"""Who may import whom inside the package: down the floors only, and never in a circle."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jaxboost"
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}

GROUND = {"", "errors", "run_folder"}  # '' is the package itself: its version
FLOOR = {
    "crystal": 1,
    "models": 1,
    "reporting": 1,
    "physics": 2,
    "modalities": 3,
    "data": 4,
    "training": 5,
    "inference": 5,
}
# Of the package: models know only JAX and Flax, reporting knows only arrays.
KNOW_NOTHING = GROUND | {"models", "reporting"}
ONLY_FROM_ABOVE = {"recipe", "estimator"}
MODELS_KNOW = {"jax", "flax", "numpy"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def allowed(importer: str) -> set[str]:
    """A module beside the folders (recipe and its like) knows all; only the estimator knows the recipe."""
    if importer in KNOW_NOTHING:
        return GROUND | {importer}
    if importer in FLOOR:
        return GROUND | {importer} | {name for name, floor in FLOOR.items() if floor < FLOOR[importer]}
    top = {room(module) for module in MODULES} - ONLY_FROM_ABOVE
    return top | {importer} | ({"recipe"} if importer == "estimator" else set())


def imports(module: str, source: str, is_package: bool = False) -> Iterator[str]:
    """Every module that `source` imports, also inside functions; names that are modules count as such."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) + is_package - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in MODULES else base


def graph() -> dict[str, set[str]]:
    return {
        module: set(imports(module, file.read_text(), file.name == "__init__.py")) for module, file in MODULES.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    file = MODULES[module]
    found = imports(module, file.read_text(), file.name == "__init__.py")
    own = {name for name in found if name.split(".")[0] == "jaxboost"}
    wrong = sorted(name for name in own if room(name) not in allowed(room(module)))
    assert not wrong, f"{module} may not import {wrong}; it may: {sorted(allowed(room(module)))}"


def test_no_circle():
    TopologicalSorter({module: found & set(MODULES) for module, found in graph().items()}).prepare()


def test_models_know_only_jax_and_flax():
    roots = {name.split(".")[0] for module, found in graph().items() if room(module) == "models" for name in found}
    assert roots - set(sys.stdlib_module_names) - {"jaxboost"} <= MODELS_KNOW


def test_every_folder_has_a_floor():
    folders = {file.name for file in PACKAGE.iterdir() if file.is_dir() and list(file.glob("*.py"))}
    assert folders <= set(FLOOR), f"give {sorted(folders - set(FLOOR))} a floor"


def test_the_rules_see_every_way_to_import():
    source = "import jaxboost.models\nfrom ..data import splits\ndef f():\n    from jaxboost import errors\n"
    found = set(imports("jaxboost.crystal.crystal", source))
    assert {room(name) for name in found} == {"models", "data", "errors"}
    assert "training" not in allowed("inference") and "crystal" not in allowed("models")
    assert "recipe" in allowed("estimator") and "recipe" not in allowed("doctor")
    assert set(imports("jaxboost.data", "from . import splits", is_package=True)) == {"jaxboost.data.splits"}

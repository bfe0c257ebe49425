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

GROUND = {"", "errors", "run_folder", "array_file", "out_of_memory"}  # '' is the package itself: its version
FLOOR = {
    "crystal": 1,
    "models": 1,
    "reporting": 1,
    "physics": 2,
    "modalities": 3,
    "data": 4,
    "configs": 5,
    "training": 5,
    "inference": 5,
}
# Files beside the folders. These know nothing of crystals or networks, only of those before them:
ENTRANCE = ("console", "environment", "limits", "command_line")
# These know every folder, the entrance, and those before them:
SIXTH_FLOOR = (
    "settings", "inputs", "estimate", "rows", "baselines", "evaluation", "importance", "chunk_scorer",
    "prediction_table", "part_folder", "finished_run", "screening", "scoring", "doctor", "trained_model",
    "training_display", "recipe", "classifier", "learn_bands", "program", "__main__",
)  # fmt: skip
# Of the package: models know only JAX and Flax, reporting knows only arrays.
KNOW_NOTHING = GROUND | {"models", "reporting"}
MODELS_KNOW = {"jax", "flax", "numpy"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def allowed(importer: str) -> set[str]:
    """The rooms that a room may import from."""
    if importer in KNOW_NOTHING:
        return GROUND | {importer}
    if importer in FLOOR:
        return GROUND | {importer} | {name for name, floor in FLOOR.items() if floor < FLOOR[importer]}
    if importer in ENTRANCE:
        return GROUND | set(ENTRANCE[: ENTRANCE.index(importer)])
    return GROUND | set(FLOOR) | set(ENTRANCE) | set(SIXTH_FLOOR[: SIXTH_FLOOR.index(importer)])


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


def test_everything_has_a_floor():
    rooms = {room(module) for module in MODULES}
    assert rooms <= GROUND | set(FLOOR) | set(ENTRANCE) | set(SIXTH_FLOOR), "give the new ones a floor"


def test_the_rules_see_every_way_to_import():
    source = "import jaxboost.models\nfrom ..data import splits\ndef f():\n    from jaxboost import errors\n"
    found = set(imports("jaxboost.crystal.crystal", source))
    assert {room(name) for name in found} == {"models", "data", "errors"}
    assert "training" not in allowed("inference") and "crystal" not in allowed("models")
    assert "recipe" in allowed("classifier") and "recipe" not in allowed("scoring")
    assert "settings" not in allowed("limits") and "console" not in allowed("training")
    assert set(imports("jaxboost.data", "from . import splits", is_package=True)) == {"jaxboost.data.splits"}

"""Each config is a plain tree of fields, all of them read somewhere; a wrong override is refused."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest
from absl import flags
from ml_collections import ConfigDict, config_flags

ROOT = Path(__file__).parents[1]
# ml-collections 1.1 still loads the file by the old call.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")
CONFIGS = {file.stem: file for file in sorted((ROOT / "configs").glob("*.py")) if file.stem != "__init__"}


def load(name: str) -> ConfigDict:
    spec = importlib.util.spec_from_file_location(f"config_{name}", CONFIGS[name])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def fields(config: ConfigDict) -> dict[str, object]:
    """'section.field' -> value. A mapping inside a section is a value: its keys are names of classes."""
    leaves = {}
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            leaves |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            leaves[name] = value
    return leaves


def attributes_read() -> set[str]:
    """Names read as attributes in the code; by `ast`: a docstring that mentions a field does not count."""
    sources = [file for file in (ROOT / "jaxboost").rglob("*.py") if file.parent.name != "configs"]
    return {
        node.attr
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def parse(name: str, monkeypatch, *overrides: str) -> ConfigDict:
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", flag_values=values)
    arguments = ["main.py", f"--config={CONFIGS[name]}", *overrides]
    monkeypatch.setattr(sys, "argv", arguments)  # where config_flags looks for overrides
    values(arguments)
    return values.config


def test_the_contract_names_two_configs():
    assert {"extreme", "quick"} <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_field_is_read(name):
    read = attributes_read()
    unread = sorted(field for field in fields(load(name)) if field.split(".")[-1] not in read)
    assert not unread, f"configs/{name}.py has fields that nothing reads: {unread}"


def test_configs_have_the_same_fields():
    trees = {name: set(fields(load(name))) for name in CONFIGS}
    first = next(iter(trees.values()))
    assert all(tree == first for tree in trees.values()), trees


@pytest.mark.parametrize("name", CONFIGS)
def test_an_override_is_taken(name, monkeypatch):
    assert parse(name, monkeypatch, "--config.data.path=some/table.parquet").data.path == "some/table.parquet"


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_name_is_refused_and_the_nearest_named(name, monkeypatch):
    with pytest.raises(AttributeError, match='Did you mean "path"'):
        parse(name, monkeypatch, "--config.data.pth=x")


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_type_is_refused(name, monkeypatch):
    for field, value in fields(load(name)).items():
        if isinstance(value, int | float):
            with pytest.raises(flags.IllegalFlagValueError, match=field):
                parse(name, monkeypatch, f"--config.{field}=no_number")

"""The command that builds the table of real materials, in a folder of its own and without a wait."""

from functools import partial

import pytest

from jaxboost.data import topomat_command
from jaxboost.data.materials_project import MaterialsProject
from jaxboost.data.topomat import ALIASES


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; gives (exit status, what was printed, the error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MP_API_KEY", raising=False)

    def run(*arguments, key=None, **options):
        if key is not None:
            monkeypatch.setenv("MP_API_KEY", key)
        connect = partial(MaterialsProject, **options)
        done = topomat_command.run(list(arguments), ALIASES, connect=connect, sleep=lambda _: None)
        out, err = capsys.readouterr()
        return done, out, err

    return run

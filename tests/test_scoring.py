"""What is written of crystals without bands when a table is scored, by a run whose member knows nothing."""

from types import SimpleNamespace

import numpy as np
import pytest

from configs import quick
from jaxboost import finished_run, scoring
from jaxboost.evaluation import Ballot
from jaxboost.finished_run import Restored, RunVote
from jaxboost.inference import Scored, TrainedMember
from tests.crystals import prototype, write_parquet

CLASSES = ("a", "b")
STRUCTURES = {
    "close": prototype("rocksalt", (11, 17), 0.5),
    "americium": prototype("cscl", (95, 13), 3.4),
    "salt": prototype("rocksalt", (12, 8), 4.21),
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of one member, with a table of `STRUCTURES`; its config's tight binding is enabled."""
    config = quick.get_config()
    config.data.cache_dir = str(tmp_path / "cache")
    config.data.label_column = "kind"
    config.data.workers = 1
    with config.unlocked():
        config.data.groupings = {}
    config.tight_binding.enabled = True
    config.tight_binding.mesh = 0
    ballot = Ballot("logits", "", {"full": ["full"]}, {"full": 1.0}, "full")
    monkeypatch.setattr(scoring.of, "compilation_cache", lambda config: None)
    monkeypatch.setattr(scoring, "config_of", lambda workdir: config)
    monkeypatch.setattr(scoring, "vote_of", lambda workdir: RunVote(ballot, CLASSES, frozenset()))
    monkeypatch.setattr(finished_run, "restore_members", _one_member)
    monkeypatch.setattr(finished_run, "scorer_of", lambda *_: _no_idea)
    monkeypatch.setattr(finished_run, "reference_of", lambda workdir: None)
    table = write_parquet(tmp_path / "table.parquet", STRUCTURES.items(), {"kind": ["a", "b", "a"]})
    return SimpleNamespace(config=config, folder=tmp_path, table=str(table))


def _one_member(*_):
    return Restored([TrainedMember("full", None, None, np.ones(4, bool), None)], {"full": {}}, [])


def _no_idea(members, rows):
    said = lambda n: Scored(np.zeros((n, len(CLASSES))), np.full((n, 4), 0.25), np.full((n, 4, 4), 0.25))  # noqa: E731
    return [said(len(where)) for where in rows]


@pytest.mark.parametrize("enabled", [True, False])
def test_another_table_is_scored_with_the_reasons(run, monkeypatch, enabled):
    run.config.tight_binding.enabled = enabled
    written = {}

    def keep(folder, metrics, evaluation, *_):
        written.update(evaluation.predictions)

    monkeypatch.setattr(scoring, "write_results", keep)
    monkeypatch.setattr(scoring, "console_table", lambda metrics: "")
    scoring.score_run(run.folder, [run.table])
    assert list(written["material_id"]) == ["americium", "salt"]
    assert ("without_bands" in written) == enabled
    if enabled:
        assert "atomic number 95" in written["without_bands"][0] and written["without_bands"][1] == ""

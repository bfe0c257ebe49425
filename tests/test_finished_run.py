"""Members restored for the vote: the missing, the unfinished, the failed and the foreign ones."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from configs import quick
from jaxboost import settings
from jaxboost.data.batches import Normalizer
from jaxboost.errors import InputError
from jaxboost.evaluation import Ballot
from jaxboost.finished_run import config_of, keep_vote, member_names, present, restore_members, vote_of
from jaxboost.models import Memory
from jaxboost.run_folder import write_json
from jaxboost.training.checkpoints import save_checkpoint

CLASSES = ("a", "b")
NAMES = ["kfold_0", "kfold_1", "ensemble_0", "full"]


@pytest.fixture
def config():
    config = quick.get_config()
    config.kfold.folds = 2
    config.ensemble.members = 1
    return config


MEMORY = Memory(np.zeros((3, 2), np.float32), np.arange(3), np.ones(3, bool))


@pytest.fixture
def run(tmp_path, config):
    """A folder with a checkpoint a member; returns a function that writes one anew."""

    def save(name, step=0, classes=CLASSES, finished=True, failed=False):
        fitted = {
            "identity": settings.checkpoint_identity(config, classes),
            "finished": finished,
            "failed": failed,
            "modalities": [True, True, True, False],
        }
        normalizer = Normalizer(*(np.full(2, i, np.float32) for i in range(len(Normalizer._fields))))
        tree = {"params": {"w": np.full(2, NAMES.index(name), np.float32)}, "normalizer": normalizer, "memory": MEMORY}
        save_checkpoint(tmp_path / "members" / name, step, tree, fitted)

    for name in NAMES:
        save(name)
    return SimpleNamespace(folder=tmp_path, save=save)


def test_all_members_come_back_in_order(run, config):
    assert member_names(config) == NAMES
    restored = restore_members(config, run.folder, CLASSES)
    assert [member.name for member in restored.members] == NAMES and restored.notes == []
    assert [member.params["w"][0] for member in restored.members] == [0, 1, 2, 3]
    assert restored.members[0].modalities.tolist() == [True, True, True, False]
    for i, name in enumerate(Normalizer._fields):
        assert getattr(restored.members[0].normalizer, name).tolist() == [i, i]


def test_a_failed_member_is_left_out_and_named(run, config, capsys):
    run.save("ensemble_0", step=1, failed=True)
    restored = restore_members(config, run.folder, CLASSES)
    assert [member.name for member in restored.members] == ["kfold_0", "kfold_1", "full"]
    assert "ensemble_0" not in restored.found
    assert "not finite: ensemble_0" in restored.notes[0] and restored.notes[0] in capsys.readouterr().out


def test_a_missing_or_unfinished_member_is_refused_unless_partial_is_allowed(run, config):
    (run.folder / "members" / "full").rename(run.folder / "away")
    run.save("kfold_1", step=1, finished=False)
    with pytest.raises(InputError, match=r"(?s)2 of 4 members.*kfold_1: training is not.*full: there is no.*partial"):
        restore_members(config, run.folder, CLASSES)
    restored = restore_members(config, run.folder, CLASSES, allow_partial=True)
    assert [member.name for member in restored.members] == ["kfold_0", "ensemble_0"]
    assert restored.notes[0].startswith("2 of 4 members vote")


def test_another_class_order_is_refused(run, config):
    with pytest.raises(InputError, match=r"classes: \['a', 'b'\] there, \['b', 'a'\] wanted"):
        restore_members(config, run.folder, ("b", "a"), allow_partial=True)


def test_what_the_vote_rows_decided_comes_back(tmp_path):
    ballot = Ballot("logits", "kfold_0", {"full": ["full"]}, {"full": 1.25}, "full")
    dataset = SimpleNamespace(classes=CLASSES, formulas=np.array(["NaCl", "KCl", "KCl", "LiF"]))
    keep_vote(tmp_path, ballot, dataset, SimpleNamespace(fold=np.array([0, 1, 0, -1])))
    vote = vote_of(tmp_path)
    assert asdict(vote.ballot) == asdict(ballot)
    assert vote.classes == CLASSES and vote.formulas == {"NaCl", "KCl"}


def test_the_ballot_among_those_present():
    ballot = Ballot("logits", "kfold_0", {"kfold_vote": ["kfold_0", "kfold_1"], "full": ["full"]}, {}, "full")
    assert present(ballot, ["kfold_1", "full"]).voters == {"kfold_vote": ["kfold_1"], "full": ["full"]}
    with pytest.raises(InputError, match="'full'"):
        present(ballot, ["kfold_0"])


def test_an_unfinished_run_is_named(tmp_path, config):
    with pytest.raises(InputError, match="no run is here"):
        config_of(tmp_path)
    write_json(tmp_path / "config.json", settings.plain(config))
    assert config_of(tmp_path).kfold.folds == 2
    with pytest.raises(InputError, match="not finished"):
        vote_of(tmp_path)

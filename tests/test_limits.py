"""What a config may hold: each field has a limit, and what lies outside is named with what is allowed."""

import math
import re

import pytest
from ml_collections import ConfigDict

from configs import embedded, extreme, quick
from jaxboost.errors import InputError
from jaxboost.limits import LIMITS, check_classes, check_config, unknown_field
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS


def changed(**values) -> ConfigDict:
    """The quick config with fields set, as `kfold__folds=1`."""
    config = quick.get_config()
    for name, value in values.items():
        *sections, last = name.split("__")
        holder = config
        for section in sections:
            holder = holder[section]
        with holder.unlocked(), holder.ignore_type():
            holder[last] = value
    return config


@pytest.mark.parametrize("module", [embedded, extreme, quick])
def test_the_configs_are_within_their_limits(module):
    config = module.get_config()
    check_config(config)
    check_classes(config, config.data.classes)


def test_every_field_has_a_limit_and_every_limit_a_field():
    config = extreme.get_config()
    found = {
        f"{name}.{inner}" if isinstance(value, ConfigDict) else name
        for name, value in config.items()
        for inner in (value if isinstance(value, ConfigDict) else [""])
    }
    assert found == set(LIMITS)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("vote__members", "foo", r"config.vote.members = 'foo': give 'all' or 'best'"),
        ("vote__average", "bar", "'logits' or 'probabilities'"),
        ("population__axis", "x", "'auto' or 'vmap' or 'map'"),
        ("network__dtype", "int8", "'auto' or 'float32' or 'bfloat16'"),
        ("views__count", 0, "config.views.count = 0: give a whole number, 1 or more"),
        ("kfold__folds", 1, "config.kfold.folds = 1: give a whole number, 2 or more"),
        ("kfold__folds", 2.5, "whole number"),
        ("kfold__folds", True, "whole number"),
        ("full__epochs", -3, "config.full.epochs = -3: give a whole number, 1 or more"),
        ("ensemble__members", -1, "0 or more"),
        ("kfold__dropout", 1.0, "0 or more and below 1"),
        ("data__vote_fraction", 0, "above 0 and below 1"),
        ("optimizer__clip_norm", math.nan, "above 0"),
        ("optimizer__max_lr", math.inf, "above 0"),
        ("optimizer__lr_decay", 1.2, "at most 1"),
        ("data__embedded_crystals", 0, "whole number, 1 or more"),
        ("data__workers", 0, "-1 for one a core"),
        ("data__classes", ("a",), "two or more different names"),
        ("data__classes", ("a", "a"), "two or more different names"),
        ("network__scalar_widths", (8, 0), "widths of layers"),
        ("network__scalar_widths", (), "widths of layers"),
        ("name", "a/b", "without /"),
        ("seed", -1, "0 to 400,000"),
        ("crystal__neighbors", 2, "4 or more"),
        ("tight_binding__enabled", 1, "config.tight_binding.enabled = 1: give True or False"),
        ("tight_binding__max_orbitals", -1, "whole number, 0 or more"),
        ("tight_binding__max_orbitals", 900, "max_orbitals = 900 is above config.tight_binding.max_cheap_orbitals"),
        ("tight_binding__max_cheap_orbitals", 0, "whole number, 1 or more"),
        ("tight_binding__window", 0.0, "above 0"),
        ("tight_binding__mesh", 17, "0 to 16"),
        ("tight_binding__parameters", "learnt", "published"),
        ("network__fusion", "mean", "config.network.fusion = 'mean': give"),
        ("network__fusion_heads", 7, r"config.network.fusion_heads = 7 must divide config.network.token = \d+"),
        ("network__kspace_heads", 5, "must divide config.network.kspace_width"),
        ("optimizer__min_lr", 1.0, "config.optimizer.min_lr = 1.0 is above config.optimizer.max_lr"),
        ("ensemble__dropout_step", 0.5, r"the last of 3 members a dropout of 1\.25"),
        ("ensemble__weight_decay_step", -0.6, "negative weight decay"),
        ("population__data_devices", 3, "must divide config.optimizer.batch"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(field, value, said):
    with pytest.raises(InputError, match=said):
        check_config(changed(**{field: value}))


def test_all_offenders_are_named_at_once():
    with pytest.raises(
        InputError, match=r"(?s)config.kfold.folds.*config.vote.batch|config.vote.batch.*config.kfold.folds"
    ):
        check_config(changed(kfold__folds=0, vote__batch=0))


def test_a_field_too_many_or_too_few_is_found():
    with pytest.raises(InputError, match="config.kfold.fold: there is no such field; did you mean config.kfold.folds"):
        check_config(changed(kfold__fold=3))
    config = quick.get_config()
    with config.unlocked():
        del config.kfold["folds"]
    with pytest.raises(InputError, match="config.kfold.folds is missing: give a whole number, 2 or more"):
        check_config(config)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dat.path", r"did you mean config.data.path\?"),
        ("data.pth", r"did you mean config.data.path\?"),
        ("folds", r"did you mean config.kfold.folds\?"),
        ("ensemble.gamma", r"did you mean config.objective.gamma\?"),
        ("kfold", "is a section, its fields are .*kfold.folds"),
        ("qqqqq", "see jaxboost/configs/extreme.py"),
    ],
)
def test_the_nearest_field_is_named(name, said):
    assert re.search(said, unknown_field(name))


def test_rules_and_groupings_must_fit_the_classes():
    config = quick.get_config()
    with pytest.raises(InputError, match=r"config.data.rules has 'HSLSM'.*the classes are 'trivial', 'TI'"):
        check_classes(config, ("trivial", "TI"))
    config = changed(data__rules=ConfigDict({"trivial": "boring"}))
    with pytest.raises(InputError, match="'boring'"):
        check_classes(config, config.data.classes)
    config = changed(data__rules=ConfigDict())
    with pytest.raises(InputError, match="config.data.groupings.3-class is for .*give each one group"):
        check_classes(config, ("a", "b"))
    check_classes(changed(data__rules=ConfigDict(), data__groupings=ConfigDict()), ("a", "b"))


def test_every_set_of_tight_binding_figures_has_a_name_that_a_config_may_hold():
    config = quick.get_config()
    for name in PARAMETER_SETS:
        config.tight_binding.parameters = name
        check_config(config)

"""Every field of a config and what it may hold: wrong names and values are found before any compute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxboost.errors import InputError


class Limit(NamedTuple):
    """What a field may hold, in words and as a test."""

    text: str
    allows: Callable[[Any], bool]


def _whole(least: int, most: float = math.inf) -> Limit:
    text = f"a whole number, {least} or more" if most == math.inf else f"a whole number, {least} to {most:,}"
    return Limit(text, lambda x: _is_whole(x) and least <= x <= most)


def _number(text: str, holds: Callable[[float], bool]) -> Limit:
    return Limit(f"a number, {text}", lambda x: _is_number(x) and holds(x))


def _one_of(*names: str) -> Limit:
    return Limit(" or ".join(map(repr, names)), lambda x: x in names)


def _is_whole(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _is_names(x: Any) -> bool:
    return isinstance(x, tuple | list) and all(isinstance(name, str) and name for name in x)


def _is_mapping(x: Any) -> bool:
    return isinstance(x, Mapping | ConfigDict)


_ANY_TEXT = Limit("text", lambda x: isinstance(x, str))
_TEXT = Limit("text, not empty", lambda x: isinstance(x, str) and bool(x))
_POSITIVE = _number("above 0", lambda x: x > 0)
_NOT_NEGATIVE = _number("0 or more", lambda x: x >= 0)
_SHARE = _number("above 0 and below 1", lambda x: 0 < x < 1)
_RATE = _number("0 or more and below 1", lambda x: 0 <= x < 1)
_FINITE = _number("finite", lambda x: True)
_WIDTHS = Limit(
    "widths of layers, as (256, 128)",
    lambda x: isinstance(x, tuple | list) and len(x) > 0 and all(_is_whole(w) and w > 0 for w in x),
)
_WIDTHS_OR_NONE = Limit(f"() or {_WIDTHS.text}", lambda x: isinstance(x, tuple | list) and (not x or _WIDTHS.allows(x)))
_SCHEDULE = {"epochs": _whole(1), "cycle_epochs": _whole(1), "cycles": _whole(0), "dropout": _RATE}

LIMITS: dict[str, Limit] = {
    "name": Limit("a name for a folder, without /", lambda x: isinstance(x, str) and x != "" and "/" not in x),
    "seed": _whole(0, 400_000),  # the members' seeds are ten thousand times as large and have 32 bits
    "data.path": _ANY_TEXT,
    "data.embedded_crystals": _whole(1),
    "data.label_column": _TEXT,
    "data.classes": Limit(
        "two or more different names, or () for the labels of the table",
        lambda x: _is_names(x) and len(x) != 1 and len(set(x)) == len(x),
    ),
    "data.groupings": Limit(
        "{grouping: {class: group}}", lambda x: _is_mapping(x) and all(map(_is_mapping, x.values()))
    ),
    "data.rules": Limit("{class: 'trivial', 'insulator' or 'semimetal'}", _is_mapping),
    "data.vote_fraction": _SHARE,
    "data.test_fraction": _SHARE,
    "data.relatives": _whole(0),
    "data.cache_dir": _TEXT,
    "data.workers": Limit(
        "a whole number of processes, or -1 for one a core", lambda x: _is_whole(x) and (x == -1 or x >= 1)
    ),
    "crystal.symprec": _number("above 0, at most 1 (Angstrom)", lambda x: 0 < x <= 1),
    "crystal.max_atoms": _whole(1),
    "crystal.cutoff": _POSITIVE,
    "crystal.neighbors": _whole(4),  # a view drops up to a quarter of them
    "tight_binding.enabled": Limit("True or False", lambda x: isinstance(x, bool)),
    "tight_binding.max_orbitals": _whole(0),
    "tight_binding.max_cheap_orbitals": _whole(1),
    "tight_binding.window": _POSITIVE,
    "tight_binding.mesh": _whole(0, 16),  # points of the mesh grow with its cube
    "tight_binding.parameters": _one_of("published", "learned"),
    "network.token": _whole(1),
    "network.crystal_width": _whole(1),
    "network.crystal_layers": _whole(1),
    "network.radial": _whole(2),
    "network.kspace_width": _whole(1),
    "network.kspace_layers": _whole(1),
    "network.kspace_heads": _whole(1),
    "network.kspace_widths": _WIDTHS_OR_NONE,
    "network.scalar_widths": _WIDTHS,
    "network.electron_widths": _WIDTHS,
    "network.frequencies": _whole(0),
    "network.column_width": _whole(1),
    "network.group_width": _whole(1),
    "network.fusion": _one_of("attention", "concatenation"),
    "network.fusion_heads": _whole(1),
    "network.fusion_width": _whole(1),
    "network.classifier_widths": _WIDTHS,
    "network.reader_width": _whole(0),
    "network.reader_layers": _whole(1),
    "network.reader_steps": _whole(1),
    "network.recall_width": _whole(0),
    "network.dtype": _one_of("auto", "float32", "bfloat16"),
    "optimizer.batch": _whole(1),
    "optimizer.min_lr": _NOT_NEGATIVE,
    "optimizer.max_lr": _POSITIVE,
    "optimizer.warmup_epochs": _whole(0),
    "optimizer.lr_decay": _number("above 0, at most 1", lambda x: 0 < x <= 1),
    "optimizer.weight_decay": _NOT_NEGATIVE,
    "optimizer.clip_norm": _POSITIVE,
    "objective.gamma": _NOT_NEGATIVE,
    "objective.smoothing": _RATE,
    "objective.taught": _number("0 to 1", lambda x: 0 <= x <= 1),
    "objective.taught_folds": _whole(2),
    "objective.gain_power": _number("0 to 2", lambda x: 0 <= x <= 2),
    "objective.mixup_probability": _number("0 to 1", lambda x: 0 <= x <= 1),
    "objective.column_dropout": _RATE,
    "objective.recall_weight": _NOT_NEGATIVE,
    "objective.recall_draw": _whole(1),
    "views.count": _whole(1),
    "views.jitter": _NOT_NEGATIVE,
    "views.strain": _number("0 or more and below 0.5", lambda x: 0 <= x < 0.5),
    "kfold.folds": _whole(2),
    "kfold.patience": _whole(1),
    "kfold.mixup_alpha": _NOT_NEGATIVE,
    **{f"kfold.{name}": limit for name, limit in _SCHEDULE.items()},
    "ensemble.members": _whole(0),
    "ensemble.patience": _whole(1),
    "ensemble.dropout_step": _FINITE,
    "ensemble.weight_decay_step": _FINITE,
    "ensemble.mixup_alpha": _NOT_NEGATIVE,
    "ensemble.mixup_alpha_step": _FINITE,
    "ensemble.validation_fraction": _SHARE,
    **{f"ensemble.{name}": limit for name, limit in _SCHEDULE.items()},
    "full.mixup_alpha": _NOT_NEGATIVE,
    **{f"full.{name}": limit for name, limit in _SCHEDULE.items()},
    "vote.average": _one_of("logits", "probabilities"),
    "vote.members": _one_of("all", "best"),
    "vote.batch": _whole(1),
    "population.axis": _one_of("auto", "vmap", "map"),
    "population.data_devices": _whole(1),
    "population.steps_per_call": _whole(1),
    "population.checkpoint_every": _whole(1),
    "population.checkpoint_seconds": _NOT_NEGATIVE,
}
"""Field -> limit. A mapping inside a section is one field: its keys are names of classes."""


def check_config(config: ConfigDict) -> None:
    """Returns where a run can start from `config`.

    Raises:
      InputError: a field is missing, unknown, or holds what it may not, or two fields do not fit each other; every
        offender is named with what is allowed.
    """
    found = dict(_fields(config))
    wrong = [unknown_field(name) for name in found if name not in LIMITS]
    wrong += [f"config.{name} is missing: give {LIMITS[name].text}" for name in LIMITS if name not in found]
    wrong += [
        f"config.{name} = {value!r}: give {LIMITS[name].text}"
        for name, value in found.items()
        if name in LIMITS and not LIMITS[name].allows(value)
    ]
    if not wrong:
        wrong = list(_misfits(config))
    if wrong:
        raise InputError("\n".join(wrong))


def check_classes(config: ConfigDict, classes: Sequence[str]) -> None:
    """Returns where rules and groupings of `config` speak of `classes`, the labels of the table.

    Raises:
      InputError: a class that is not there, a class that a grouping leaves out, a rule that does not exist.
    """
    rules = ("trivial", "insulator", "semimetal")
    known = ", ".join(map(repr, classes))
    for name, rule in config.data.rules.items():
        if name not in classes or rule not in rules:
            raise InputError(
                f"config.data.rules has {name!r}: {rule!r}; the classes are {known}, the rules "
                f"{', '.join(map(repr, rules))}; for no rules give --config.data.rules={{}}"
            )
    for grouping, groups in config.data.groupings.items():
        if set(groups) != set(classes):
            raise InputError(
                f"config.data.groupings.{grouping} is for {', '.join(map(repr, groups))}; the classes are "
                f"{known}; give each one group, or --config.data.groupings={{}}"
            )


def unknown_field(name: str) -> str:
    """The message for a field that no config has: the nearest right ones, or what is in the section."""
    inside = [field for field in LIMITS if field.startswith(f"{name}.")]
    if inside:
        return f"config.{name} is a section, its fields are {', '.join(inside)}: set one of them"
    nearest = get_close_matches(name, LIMITS, n=1, cutoff=0.5)
    last = name.rsplit(".", 1)[-1]
    # A right name in a wrong section is nearer than any spelling.
    nearest = [field for field in LIMITS if field.rsplit(".", 1)[-1] == last] or nearest
    hint = (
        f"did you mean {' or '.join(f'config.{field}' for field in nearest)}?"
        if nearest
        else "see jaxboost/configs/extreme.py"
    )
    return f"config.{name}: there is no such field; {hint}"


def _fields(tree: Mapping[str, Any] | ConfigDict, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if _is_mapping(value) and path not in LIMITS:
            yield from _fields(value, f"{path}.")
        else:
            yield path, value


def _misfits(config: ConfigDict) -> Iterable[str]:
    """Fields that are right alone and wrong together."""
    for width, heads in (("token", "fusion_heads"), ("kspace_width", "kspace_heads")):
        if config.network[width] % config.network[heads]:
            yield (
                f"config.network.{heads} = {config.network[heads]} must divide "
                f"config.network.{width} = {config.network[width]}"
            )
    if config.tight_binding.max_orbitals > config.tight_binding.max_cheap_orbitals:
        yield (
            f"config.tight_binding.max_orbitals = {config.tight_binding.max_orbitals} is above "
            f"config.tight_binding.max_cheap_orbitals = {config.tight_binding.max_cheap_orbitals}: lower the one or "
            "raise the other"
        )
    if config.optimizer.min_lr > config.optimizer.max_lr:
        yield (
            f"config.optimizer.min_lr = {config.optimizer.min_lr} is above config.optimizer.max_lr = "
            f"{config.optimizer.max_lr}: lower the one or raise the other"
        )
    last = max(config.ensemble.members - 1, 0)
    for field, base, limit in (
        ("dropout", config.ensemble.dropout, _RATE),
        ("mixup_alpha", config.ensemble.mixup_alpha, _NOT_NEGATIVE),
    ):
        value = base + last * config.ensemble[f"{field}_step"]
        if not limit.allows(value):
            yield (
                f"config.ensemble.{field}_step gives the last of {last + 1} members a {field} of {value:.3g}: give a "
                f"step for which it is {limit.text}"
            )
    if 1 + last * config.ensemble.weight_decay_step < 0:
        yield (
            f"config.ensemble.weight_decay_step = {config.ensemble.weight_decay_step} gives the last of {last + 1} "
            "members a negative weight decay: raise it"
        )
    for field in ("optimizer.batch", "vote.batch"):
        section, name = field.split(".")
        if config[section][name] % config.population.data_devices:
            yield (
                f"config.population.data_devices = {config.population.data_devices} must divide config.{field} = "
                f"{config[section][name]}"
            )

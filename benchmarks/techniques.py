"""What each of the seven techniques of the recipe and each modality is worth: switched off in turn, and alone.

    python -m benchmarks.techniques --config=configs/quick.py --config.data.path=TABLE

Each technique is taken from the recipe while all the others are on, and put alone on a recipe that has none:

    capacity         the network of the config; without it one of half the widths and layers
    attention        across modalities; without it the tokens are concatenated (`config.network.fusion`)
    cyclic rate      three cosine cycles after the warmup; without it one cosine of the same length
    mixup            of fused features; without it plain batches
    TTA              logits averaged over `config.views.count` views; without it the crystal as it is
    K folds          the models of all folds vote; without it that of one of these splits
    ensembling       the ensemble's members vote as well; without it they do not

Held out is fold 0 of the training rows (test and vote rows take no part); the other folds, thinned to `--rows` in
whole formulas that each seed draws anew, are the K folds and the rows of which the ensemble's members draw their own
splits. Trees teach every network, as in the recipe. A modality is left out of a single network (all techniques on but
K folds and ensembling); its trees do not hear of it either.

Printed are differences of row scores averaged over the seeds, paired by row, with a standard error that counts
formulas, and the difference of each seed beside it: the chance of seeds and training rows is in their spread, not in
the error. One temperature a vote is fitted on the held-out rows, on all sides alike.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags
from scipy.special import softmax

from benchmarks.grouped_scores import grouped_scores
from benchmarks.networks import load, reference_of, score, teach, train, workshop_of
from benchmarks.technique_systems import System, Voter, comparisons, narrowed, report, thinned, voters
from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.data.dataset import Dataset
from jaxboost.data.isopointal import Reference
from jaxboost.data.splits import Splits
from jaxboost.inference import TrainedMember, fit_temperature, vote
from jaxboost.modalities import MODALITIES
from jaxboost.training.member import Member
from jaxboost.training.roster import make_roster

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_ROWS = flags.DEFINE_integer(
    "rows", 2500, "training rows that a seed draws from the folds but the first", lower_bound=1
)
_EPOCHS = flags.DEFINE_integer("epochs", 10, "of every network", lower_bound=2)
_SEEDS = flags.DEFINE_integer("seeds", 3, "of training rows and initial weights", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 64, "crystals a step: few rows need small batches", lower_bound=1)
_ONLY = flags.DEFINE_list("only", [], "techniques and modalities to compare; none: all of them")

_CYCLES = 3  # of the cyclic rate
_ALPHA = 0.2  # of mixup, the predecessor's
_TOGETHER = 9  # networks a population: two dozen of them and their moments need more than 12 GB


def shape_of(config: ConfigDict, on: frozenset[str]) -> ConfigDict:
    """The config of the networks that have these techniques."""
    config = config.copy_and_resolve_references() if "capacity" in on else narrowed(config)
    config.network.fusion = "attention" if "attention" in on else "concatenation"
    return config


def pupils_of(
    config: ConfigDict, dataset: Dataset, splits: Splits, crowd: Iterable[Voter], reference: Reference
) -> dict[tuple[str, str], Member]:
    """(name in the roster, hidden modality) -> the member that the voters are made of, with what trees say."""
    roster = {member.name: member for member in make_roster(config, splits, dataset.features)}
    asked: dict[str, set[str]] = {}
    for voter in crowd:
        asked.setdefault(voter.hidden, set()).add(voter.name)
    found = {}
    for hidden, names in sorted(asked.items()):
        members = [roster[name] for name in sorted(names)]
        with tempfile.TemporaryDirectory() as folder:
            place = (len(members), len(members[0].train), reference, Path(folder), 1)
            members = teach(config, dataset, members, workshop_of(config, dataset, *place), hidden)
        found |= {(member.name, hidden): member for member in members}
    return found


def member_of(voter: Voter, name: str, pupils: Mapping[tuple[str, str], Member]) -> Member:
    """The voter's network to train."""
    member = pupils[voter.name, voter.hidden]
    figures = member.hyperparameters
    figures = figures._replace(mixup_alpha=_ALPHA if "mixup" in voter.on else 0.0)
    if "cyclic rate" not in voter.on:
        figures = figures._replace(cycle_epochs=figures.epochs - figures.warmup_epochs, cycles=1)
    seen = figures.modalities & (np.array(MODALITIES) != voter.hidden)
    return replace(member, name=name, hyperparameters=figures._replace(modalities=seen))


def scores_of_seed(
    config: ConfigDict, dataset: Dataset, splits: Splits, systems: list[System], held: np.ndarray, seed: int
) -> dict[System, np.ndarray]:
    """System -> `[n, len(SCORES)]` of the held-out rows [n], with networks of one seed."""
    config = config.copy_and_resolve_references()
    config.seed = seed
    own = thinned(splits, dataset.formulas, _ROWS.value, seed)
    reference = reference_of(dataset, own)
    crowd = {system: voters(system, config.kfold.folds, config.ensemble.members) for system in systems}
    everyone = list(dict.fromkeys(voter for group in crowd.values() for voter in group))
    pupils = pupils_of(config, dataset, own, everyone, reference)
    epoch = len(pupils["kfold_0", ""].train)
    logits: dict[tuple[Voter, int], np.ndarray] = {}
    views = {system: config.views.count if "TTA" in system.on else 1 for system in systems}
    for shape in sorted({voter.on & {"capacity", "attention"} for voter in everyone}, key=sorted):
        wanted = [voter for voter in everyone if voter.on & {"capacity", "attention"} == shape]
        settings = shape_of(config, shape)
        members = [member_of(voter, f"network_{i}", pupils) for i, voter in enumerate(wanted)]
        trained: dict[Voter, TrainedMember] = {}
        for some in np.array_split(np.arange(len(wanted)), -(-len(wanted) // _TOGETHER)):
            found = train(settings, dataset, [members[i] for i in some], epoch, reference)
            trained |= {wanted[i]: member for i, member in zip(some, found, strict=True)}
        for count in sorted(set(views.values())):
            needed = [v for v in wanted if any(v in crowd[s] and views[s] == count for s in systems)]
            said = views_scored(settings, dataset, [trained[v] for v in needed], held, count, reference)
            logits |= {(voter, count): one for voter, one in zip(needed, said, strict=True)}
    results = {}
    for system in systems:
        voted = vote(np.stack([logits[voter, views[system]] for voter in crowd[system]]), average="logits")
        temperature = fit_temperature(voted, dataset.labels[held])
        results[system] = grouped_scores(softmax(voted / temperature, axis=-1), dataset.labels[held], dataset.classes)
    return results


def views_scored(
    config: ConfigDict,
    dataset: Dataset,
    members: list[TrainedMember],
    held: np.ndarray,
    count: int,
    reference: Reference,
) -> list[np.ndarray]:
    """Logits [n, class] of each member on the held-out rows, averaged over so many views."""
    if not members:
        return []
    config = config.copy_and_resolve_references()
    config.views.count = count
    return score(config, dataset, members, [held] * len(members), reference)


def main(_: list[str]) -> None:
    """Trains, scores, prints."""
    config = _CONFIG.value
    of.start_jax()
    of.compilation_cache(config)
    compared = comparisons(_ONLY.value)
    systems = list(dict.fromkeys(system for one in compared for system in (one.with_it, one.without)))
    _, dataset, splits = load(config)
    held = np.flatnonzero(splits.fold == 0)
    config.kfold.folds -= 1  # one of them is held out
    config.optimizer.batch = _BATCH.value
    for kind in (config.kfold, config.ensemble, config.full):
        kind.epochs = _EPOCHS.value
        kind.cycle_epochs, kind.cycles = -(-(_EPOCHS.value - config.optimizer.warmup_epochs) // _CYCLES), _CYCLES
    config.kfold.patience = config.ensemble.patience = _EPOCHS.value
    results: dict[System, list[np.ndarray]] = {system: [] for system in systems}
    for seed in range(_SEEDS.value):
        say(f"seed {seed} of {_SEEDS.value}, {len(systems)} systems")
        for system, result in scores_of_seed(config, dataset, splits, systems, held, seed).items():
            results[system].append(result)
    stacked = {system: np.stack(own) for system, own in results.items()}
    print(
        f"\n{len(held)} held-out rows, {_ROWS.value} rows to train, {_EPOCHS.value} epochs, batch {_BATCH.value}, "
        f"token {config.network.token}, {config.kfold.folds} folds, {config.ensemble.members} ensemble members, "
        f"{_SEEDS.value} seeds"
    )
    report(compared, stacked, dataset.formulas[held])


if __name__ == "__main__":
    app.run(main)

"""What each setting in which the recipe departs from its predecessor is worth: put back in turn, and all together.

    python -m benchmarks.settings --config=configs/quick.py --config.data.path=TABLE

`benchmarks/departures.py` lists them. Networks are fold models of the config: each of `--seeds` seeds draws `--rows`
training rows in whole formulas from folds 2 and on, fold 1 chooses epoch and temperature of every network, fold 0 is
held out; test and vote rows take no part. All sides of a seed have the same rows, and the same trees teach
them, but where relatives are left out: those trees hear of none either.

Printed is what the recipe has beyond the network with one setting put back: row scores averaged over the seeds, paired
by row, with a standard error that counts formulas, and the difference of each seed, in whose spread the chance of seeds
and training rows is. One view is scored.
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import app, flags
from ml_collections import ConfigDict, config_flags
from scipy.special import softmax

from benchmarks.departures import Departure, departures
from benchmarks.grouped_scores import grouped_scores, print_difference, print_header, print_means
from benchmarks.networks import load, reference_of, score, teach, train, workshop_of
from benchmarks.row_sets import draw_groups
from benchmarks.technique_systems import by_seed
from jaxboost import settings as of
from jaxboost.console import say
from jaxboost.data.batches import fit_normalizer
from jaxboost.data.dataset import Dataset
from jaxboost.data.splits import Splits
from jaxboost.errors import InputError
from jaxboost.inference import fit_temperature
from jaxboost.training.member import Member
from jaxboost.training.roster import figures_of, reader_steps, reference_rows

_CONFIG = config_flags.DEFINE_config_file("config", "configs/quick.py")
_ROWS = flags.DEFINE_integer("rows", 2000, "training rows that a seed draws", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 10, "of every network", lower_bound=3)
_SEEDS = flags.DEFINE_integer("seeds", 3, "of training rows and initial weights", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 64, "crystals a step: few rows need small batches", lower_bound=8)
_ONLY = flags.DEFINE_list("only", [], "names of settings; none: all of them")


def members_of(config: ConfigDict, dataset: Dataset, splits: Splits, lessons: Path) -> list[Member]:
    """A network a seed, as the config makes it; what trees say of its rows is kept in `lessons`."""
    pool, validation = np.flatnonzero(splits.fold >= 2), np.flatnonzero(splits.fold == 1)
    everyone, members = reference_rows(splits), []
    for seed in range(_SEEDS.value):
        rows = draw_groups(dataset.formulas, pool, _ROWS.value, np.random.default_rng([seed, 2]))
        known = np.isin(everyone, rows) if config.data.relatives else np.zeros(1, bool)
        normalizer = fit_normalizer(dataset.features, rows, known, reader_steps(config))
        members.append(Member(f"seed_{seed}", rows, validation, normalizer, figures_of(config, config.kfold, seed)))
    heard = lessons / f"{config.data.relatives}_relatives"  # the trees hear of them too
    place = (reference_of(dataset, splits), heard, config.kfold.epochs)
    return teach(config, dataset, members, workshop_of(config, dataset, len(members), _ROWS.value, *place))


def scores_without(
    one: Departure, config: ConfigDict, dataset: Dataset, splits: Splits, held: np.ndarray, lessons: Path
) -> np.ndarray:
    """[seed, n, len(SCORES)] of the rows `held` [n] by networks with the setting put back."""
    say(one.name)
    config = one.undone(config)
    members, reference = members_of(config, dataset, splits, lessons), reference_of(dataset, splits)
    trained = train(config, dataset, members, _ROWS.value, reference)
    there, logits = (
        score(config, dataset, trained, rows, reference)
        for rows in ([member.validation for member in members], [held] * len(members))
    )
    found = []
    for member, own, asked in zip(members, there, logits, strict=True):
        heat = fit_temperature(own, dataset.labels[member.validation])
        found.append(grouped_scores(softmax(asked / heat, axis=-1), dataset.labels[held], dataset.classes))
    return np.stack(found)


def main(_: list[str]) -> None:
    """Trains, scores, prints."""
    config = _CONFIG.value
    of.start_jax()
    of.compilation_cache(config)
    config.optimizer.batch, config.kfold.epochs, config.views.count = _BATCH.value, _EPOCHS.value, 1
    wanted = departures(config)
    names = [one.name for one in wanted]
    if unknown := sorted(set(_ONLY.value) - set(names)):
        raise InputError(f"no settings {', '.join(unknown)}; there are {', '.join(names)}")
    wanted = [one for one in wanted if not _ONLY.value or one.name in _ONLY.value]
    _, dataset, splits = load(config)
    held = np.flatnonzero(splits.fold == 0)
    print(
        f"{len(held)} held-out rows, {_ROWS.value} rows to train, {_EPOCHS.value} epochs, batch {_BATCH.value}, "
        f"token {config.network.token}, {_SEEDS.value} seeds"
    )
    with tempfile.TemporaryDirectory() as lessons:
        rest = (config, dataset, splits, held, Path(lessons))
        recipe = scores_without(Departure("the recipe", {}), *rest)
        print_header("")
        print_means("recipe", recipe.mean(0))
        for one in wanted:
            without = scores_without(one, *rest)
            print(f"\n{one.name}: {in_words(one, config)}")
            print_means("  put back", without.mean(0))
            print_difference("  worth", recipe.mean(0), without.mean(0), dataset.formulas[held])
            print(f"  by seed, 5-class: {by_seed(recipe, without)}", flush=True)


def in_words(one: Departure, config: ConfigDict) -> str:
    """Its fields, as the config has them and as the predecessor had."""
    flat = config.to_dict()
    changes = []
    for path, value in one.fields.items():
        here = flat
        for name in path.split("."):
            here = here[name]
        changes.append(f"{path} {here}, was {value}")
    return "; ".join(changes) if len(changes) < 3 else "each as above"


if __name__ == "__main__":
    app.run(main)

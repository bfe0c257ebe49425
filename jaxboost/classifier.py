"""The recipe with scikit-learn's conventions: crystals in, classes and calibrated probabilities out."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from ml_collections import ConfigDict
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from jaxboost import recipe
from jaxboost import settings as of
from jaxboost.chunk_scorer import ChunkScorer, chunk_scorer, rung
from jaxboost.console import bar, silence
from jaxboost.crystal import Structure, StructureError, as_structure
from jaxboost.data.materials import Table
from jaxboost.environment import found_devices
from jaxboost.errors import InputError
from jaxboost.evaluation import Forecast
from jaxboost.finished_run import present
from jaxboost.inference import logits_program
from jaxboost.modalities.feature_cache import structure_key
from jaxboost.modalities.features import Features
from jaxboost.modalities.featurize import featurize
from jaxboost.prediction_table import prediction_columns
from jaxboost.trained_model import TrainedModel, read_model, write_labels, write_model

RECIPES = ("quick", "extreme", "embedded")
SOURCE = "crystals in memory"
_CHUNK = 1024  # crystals scored at a time
_MAX_SEED = 400_000  # of `config.seed`
_program = lru_cache(maxsize=16)(logits_program)  # compiled once a shape, however many estimators a search makes


class TopologyClassifier(ClassifierMixin, BaseEstimator):
    """Says the class of a crystal: the population of `jaxboost.recipe`, trained on what `fit` is given.

    Crystals are `jaxboost.crystal.Structure`, paths of structure files, pymatgen `Structure` or ASE `Atoms`, in any
    sequence. A crystal that cannot be used is an error that names its place. Labels are text or whole numbers, two
    classes or more; those of the Materiae database bring the symmetry rules of the recipe along.

    A fit splits its crystals by formula as a run does: vote rows, on which temperature and best candidate are chosen,
    folds, own validation rows of each ensemble member. There are no test rows: hold them out yourself, and by formula,
    as `cross_val_score(..., groups=formulas, cv=GroupKFold())` does, or relatives of the test crystals are trained on.
    The recipes' tight-binding figures were fitted to training rows of the reference table (docs/tight_binding.md).

    Args:
      config: 'quick' (two CPU cores), 'extreme' or 'embedded', or a `ConfigDict` with all fields of
        `jaxboost/configs/extreme.py`.
      random_state: whole number, the seed of splits and networks; a `RandomState`; None for that of the config.
      workdir: folder in which `fit` trains: checkpoints, log, splits. The same fit started again goes on there, another
        is refused. None trains in a temporary folder: what searches and cross-validations need.
      cache_dir: of featurised crystals and compiled programs; None for that of the config.
      n_jobs: processes that featurise; None for those of the config (one a core).
      verbose: says how far a fit is.

    Attributes:
      classes_: [class] sorted labels, in the order of the columns of `predict_proba`.

    A fitted one is kept by `save` and `load`, whose checkpoints hold arrays and JSON. It can be pickled too, which
    joblib does between processes; a pickle from elsewhere runs whatever code it holds, so don't keep models that way.
    """

    def __init__(
        self,
        config: str | ConfigDict = "quick",
        *,
        random_state: Any = None,
        workdir: str | Path | None = None,
        cache_dir: str | Path | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.config = config
        self.random_state = random_state
        self.workdir = workdir
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Sequence[Any], y: Sequence[Any]) -> Self:
        """Trains the recipe on crystals with their labels.

        Args:
          X: [n] crystals.
          y: [n] labels.

        Raises:
          InputError (a ValueError): a crystal cannot be used, there are too few of a class, or the config is wrong.
        """
        structures = _structures(X)
        if y is None:
            raise ValueError("y is None: a classifier needs a label for each crystal")
        y = column_or_1d(y, warn=True)
        check_consistent_length(structures, y)
        check_classification_targets(y)
        labels, index = np.unique(y, return_inverse=True)
        if len(labels) < 2:
            raise InputError(f"one class only: all {len(y)} labels are {labels[0]!s}; give crystals of two or more")
        names = tuple(str(label) for label in labels.tolist())
        config = self._recipe(names)
        folder = tempfile.TemporaryDirectory(prefix="jaxboost-") if self.workdir is None else nullcontext(self.workdir)
        _start_jax()
        with silence(not self.verbose), folder as place:
            workdir = Path(place)
            recipe.fit(config, workdir, _table(structures, index, names))
            write_labels(workdir, labels.tolist())
            self._take(read_model(workdir)[0], labels)
        return self

    def predict(self, X: Sequence[Any]) -> np.ndarray:
        """[n] the likeliest class of each crystal."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(1)]

    def predict_proba(self, X: Sequence[Any]) -> np.ndarray:
        """[n, class] the calibrated vote of the members, in the order of `classes_`."""
        check_is_fitted(self)
        parts = [forecast.probabilities for _, forecast in self._forecasts(X)]
        return np.concatenate(parts)[:, self._order].astype(np.float64)

    def predict_details(self, X: Sequence[Any]) -> dict[str, np.ndarray]:
        """What `--mode=predict` says of each crystal, column by column.

        Formula, space group, class, its probabilities `p_<class>`, total and epistemic uncertainty in nats, agreement
        of the members, what electron count and space group alone allow (`rule`), and the weight of each modality.
        """
        check_is_fitted(self)
        names = self._fitted.vote.classes
        parts = [prediction_columns(features, forecast, names) for features, forecast in self._forecasts(X)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def save(self, folder: str | Path) -> None:
        """Writes the members as Orbax checkpoints, and what they vote by: a folder as --workdir of --mode=predict.

        Raises:
          InputError: a run is there already, or the folder cannot be written.
        """
        check_is_fitted(self)
        write_model(Path(folder), self._fitted, self.classes_[np.argsort(self._order)].tolist())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What `save` wrote, or any finished run of `main.py`; `config` is then the run's.

        Raises:
          InputError: no run is there, or it is not finished or damaged.
        """
        folder = Path(folder)
        with silence():
            model, labels = read_model(folder)
        found = cls(config=ConfigDict(json.loads(model.config)))
        found._take(model, np.array(labels))
        return found

    def _take(self, model: TrainedModel, labels: np.ndarray) -> None:
        """Makes this estimator a fitted one; `labels` are in the order of the model's classes."""
        self._fitted = model
        self._order = np.argsort(labels, kind="stable")  # scikit-learn's scores want them sorted
        self._scorers: dict[int, ChunkScorer] = {}
        self.classes_ = labels[self._order]

    def _recipe(self, names: tuple[str, ...]) -> ConfigDict:
        """The config of a fit on these classes."""
        if isinstance(self.config, ConfigDict):
            config = ConfigDict(of.plain(self.config))
        elif self.config in RECIPES:
            config = import_module(f"jaxboost.configs.{self.config}").get_config()
        else:
            raise InputError(f"config = {self.config!r}: give one of {', '.join(RECIPES)}, or a ConfigDict")
        data = config.data
        with config.unlocked():
            data.path, data.classes = SOURCE, names
            data.rules = ConfigDict(_of_classes(data.rules.to_dict(), names))
            groupings = {name: _of_classes(groups.to_dict(), names) for name, groups in data.groupings.items()}
            data.groupings = ConfigDict({name: groups for name, groups in groupings.items() if groups})
            if self.cache_dir is not None:
                data.cache_dir = str(self.cache_dir)
            if self.n_jobs is not None:
                data.workers = self.n_jobs
            if isinstance(self.random_state, int | np.integer):
                config.seed = int(self.random_state)
            elif self.random_state is not None:
                config.seed = int(check_random_state(self.random_state).randint(_MAX_SEED))
        return config

    def _forecasts(self, X: Sequence[Any]) -> list[tuple[Features, Forecast]]:
        """Features and forecast of each chunk of crystals."""
        structures = _structures(X)
        config = ConfigDict(json.loads(self._fitted.config))
        if self.cache_dir is not None:
            config.data.cache_dir = str(self.cache_dir)
        if self.n_jobs is not None:
            config.data.workers = self.n_jobs
        _start_jax()
        of.compilation_cache(config)
        found = []
        with silence(not self.verbose), bar("predicting", len(structures)) as progress:
            for begin in range(0, len(structures), _CHUNK):
                part = structures[begin : begin + _CHUNK]
                features, _, refused = featurize(
                    part,
                    of.featurizer_settings(config),
                    cache_dir=Path(config.data.cache_dir).expanduser(),
                    workers=of.workers(config),
                )
                if refused or features is None:
                    place, reason = refused[0]
                    raise StructureError(f"crystal {begin + place} of X cannot be used: {reason}")
                found.append((features, self._scorer(config, min(rung(len(part)), _CHUNK))(features)))
                progress(begin + len(part))
        return found

    def _scorer(self, config: ConfigDict, rows: int) -> ChunkScorer:
        """Of at most `rows` crystals; compiled once and kept, but not in a copy of the estimator."""
        if rows not in self._scorers:
            model = self._fitted
            ballot = present(model.vote.ballot, model.restored.found)
            members = model.restored.members
            self._scorers[rows] = chunk_scorer(
                config, members, ballot, model.vote.classes, model.reference, rows, _program
            )
        return self._scorers[rows]

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return state | {"_scorers": {}} if "_scorers" in state else state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # crystals are no table of numbers
        tags.no_validation = True
        return tags


def _structures(X: Sequence[Any]) -> list[Structure]:
    """[n] of whatever holds them. Raises `StructureError` with the place of the first that is none."""
    if isinstance(X, str | Path):
        raise TypeError(f"X is one path ({X}): give a sequence of crystals or of paths")
    found = []
    for place, one in enumerate(X):
        try:
            found.append(as_structure(one))
        except StructureError as error:
            raise StructureError(f"crystal {place} of X cannot be used: {error}") from error
    if not found:
        raise ValueError("X is empty: give at least one crystal")
    return found


def _table(structures: list[Structure], index: np.ndarray, names: tuple[str, ...]) -> Table:
    """Named by place, contents and label, so that a folder tells other crystals apart."""
    ids = np.array([f"{row}-{structure_key(structure)[:16]}-{index[row]}" for row, structure in enumerate(structures)])
    digest = hashlib.sha256("\n".join([*ids, *names]).encode()).hexdigest()
    return Table(ids, tuple(structures), index.astype(np.int64), names, None, SOURCE, digest)


def _of_classes(rules: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those of these classes; none where a class has none, for then they were made for other classes."""
    return {name: rules[name] for name in names} if set(names) <= set(rules) else {}


def _start_jax() -> None:
    with suppress(RuntimeError):  # the caller has begun to use jax: its devices are taken as they are
        of.start_jax()
    found_devices()

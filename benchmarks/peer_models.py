"""The peers that read one row of fixed length a crystal. Each is fitted by (task, training rows) -> `Fitted`.

What each searches is in its docstring: two or three settings, and where a model grows round by round the number of
rounds, by log loss on formulas held out of the training rows (`peer_task.best_setting`). The best is then fitted to all
training rows. Probabilities are raw: no temperature is fitted.
"""

from itertools import islice

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.peer_task import Fitted, Task, best_setting
from jaxboost.data.batches import CLIP
from jaxboost.modalities.kspace_graph import space_group_arrays
from jaxboost.reporting.metrics import log_losses

LOGISTIC = (0.001, 0.003, 0.01)  # C, the inverse of the penalty on squared weights
FOREST = ((1, 0.04), (3, 0.04), (3, 0.15))  # least rows of a leaf, share of the columns tried at a split
SEARCH_TREES, TREES = 50, 300  # of a forest, to choose by and at the end
MLP = (0.1, 1.0, 5.0)  # alpha, the penalty on squared weights
MLP_EPOCHS = 20
# Learning rate and leaves of a tree; XGBoost grows by depth instead: `BOOSTING_DEPTH`.
BOOSTING = ((0.1, 15), (0.05, 31))
BOOSTING_DEPTH = {15: 4, 31: 6}
ROUNDS, PATIENCE = 300, 20  # at most; without a better inner log loss
STEP = 20  # rounds that scikit-learn's boosting adds before it is scored again
COLUMN_SHARE = 0.3  # of the columns, for a tree (LightGBM, XGBoost) or a split (scikit-learn)


def of_all_classes(model, columns: np.ndarray, classes: int) -> np.ndarray:
    """[m, class] of a scikit-learn model; zero for a class that it never saw."""
    found = np.zeros((len(columns), classes))
    found[:, model.classes_] = model.predict_proba(columns)
    return found


def mean_loss(probabilities: np.ndarray, task: Task, rows: np.ndarray) -> float:
    """Log loss, nats a row."""
    return float(log_losses(probabilities, task.dataset.labels[rows]).mean())


def standardised(task: Task, train: np.ndarray) -> np.ndarray:
    """[n, columns + groups] in standard deviations of the training rows, at most `CLIP`; unknown values are the mean.

    The space group is one-hot.
    """
    scaler = StandardScaler().fit(task.columns[train])
    columns = np.clip(np.nan_to_num(scaler.transform(task.columns)), -CLIP, CLIP)
    groups = np.eye(len(space_group_arrays().present), dtype=np.float32)[task.dataset.features.space_group]
    return np.concatenate([columns, groups], axis=1)


def majority(task: Task, train: np.ndarray) -> Fitted:
    """The shares of the classes, for every row alike; nothing is searched."""
    share = np.bincount(task.dataset.labels[train], minlength=len(task.dataset.classes)) / len(train)
    return Fitted(lambda rows: np.tile(share, (len(rows), 1)), "shares of the classes")


def logistic(task: Task, train: np.ndarray) -> Fitted:
    """Multinomial logistic regression. Searched: C (`LOGISTIC`)."""
    columns, labels, classes = standardised(task, train), task.dataset.labels, len(task.dataset.classes)

    def fit(strength: float, rows: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=strength, max_iter=1000, tol=1e-3).fit(columns[rows], labels[rows])

    def losses(strength: float, seen: np.ndarray, held: np.ndarray) -> list[float]:
        return [mean_loss(of_all_classes(fit(strength, seen), columns[held], classes), task, held)]

    strength, _ = best_setting(task, train, LOGISTIC, losses)
    model = fit(strength, train)
    return Fitted(lambda rows: of_all_classes(model, columns[rows], classes), f"C {strength:g}")


def forest(task: Task, train: np.ndarray) -> Fitted:
    """Random forest. Searched: rows of a leaf and columns of a split (`FOREST`)."""
    columns, labels, classes = task.columns, task.dataset.labels, len(task.dataset.classes)

    def fit(setting: tuple[int, float], rows: np.ndarray, trees: int) -> RandomForestClassifier:
        leaf, share = setting
        model = RandomForestClassifier(
            trees, min_samples_leaf=leaf, max_features=share, n_jobs=task.threads, random_state=task.seed
        )
        return model.fit(columns[rows], labels[rows])

    def losses(setting: tuple[int, float], seen: np.ndarray, held: np.ndarray) -> list[float]:
        return [mean_loss(of_all_classes(fit(setting, seen, SEARCH_TREES), columns[held], classes), task, held)]

    setting, _ = best_setting(task, train, FOREST, losses)
    model = fit(setting, train, TREES)
    words = f"leaves of {setting[0]} rows, {setting[1]:.0%} of the columns a split"
    return Fitted(lambda rows: of_all_classes(model, columns[rows], classes), words)


def mlp(task: Task, train: np.ndarray) -> Fitted:
    """Two hidden layers of 256 (scikit-learn; no dropout). Searched: alpha (`MLP`) and the epochs."""
    columns, labels, classes = standardised(task, train), task.dataset.labels, len(task.dataset.classes)

    def epochs(alpha: float, rows: np.ndarray):
        """The network after each epoch, without end."""
        model = MLPClassifier((256, 256), alpha=alpha, batch_size=min(256, len(rows)), random_state=task.seed)
        while True:
            yield model.partial_fit(columns[rows], labels[rows], classes=np.arange(classes))

    def losses(alpha: float, seen: np.ndarray, held: np.ndarray) -> list[float]:
        states = islice(epochs(alpha, seen), MLP_EPOCHS)
        return [mean_loss(of_all_classes(model, columns[held], classes), task, held) for model in states]

    alpha, count = best_setting(task, train, MLP, losses)
    model = next(islice(epochs(alpha, train), count - 1, None))
    words = f"alpha {alpha:g}, {count} epochs"
    return Fitted(lambda rows: of_all_classes(model, columns[rows], classes), words)


def histogram(task: Task, train: np.ndarray) -> Fitted:
    """scikit-learn's histogram boosting. Searched: rate and leaves (`BOOSTING`), and the rounds by `STEP`."""
    columns, labels, classes = task.columns, task.dataset.labels, len(task.dataset.classes)

    def model_of(setting: tuple[float, int]) -> HistGradientBoostingClassifier:
        rate, leaves = setting
        return HistGradientBoostingClassifier(
            learning_rate=rate,
            max_leaf_nodes=leaves,
            l2_regularization=1.0,
            max_features=COLUMN_SHARE,
            early_stopping=False,
            warm_start=True,
            random_state=task.seed,
        )

    def losses(setting: tuple[float, int], seen: np.ndarray, held: np.ndarray) -> list[float]:
        model, found = model_of(setting), []
        for steps in range(1, ROUNDS // STEP + 1):
            model.set_params(max_iter=steps * STEP).fit(columns[seen], labels[seen])
            found.append(mean_loss(of_all_classes(model, columns[held], classes), task, held))
            if (steps - 1 - np.argmin(found)) * STEP >= PATIENCE:
                break
        return found

    setting, steps = best_setting(task, train, BOOSTING, losses)
    model = model_of(setting).set_params(max_iter=steps * STEP).fit(columns[train], labels[train])
    words = boosting_words(setting, steps * STEP)
    return Fitted(lambda rows: of_all_classes(model, columns[rows], classes), words)


def lightgbm(task: Task, train: np.ndarray) -> Fitted:
    """LightGBM. Searched: rate and leaves (`BOOSTING`) and the rounds."""
    import lightgbm as library

    columns, labels = task.columns, task.dataset.labels

    def parameters(setting: tuple[float, int]) -> dict[str, object]:
        rate, leaves = setting
        return {
            "objective": "multiclass",
            "num_class": len(task.dataset.classes),
            "learning_rate": rate,
            "num_leaves": leaves,
            "lambda_l2": 1.0,
            "feature_fraction": COLUMN_SHARE,
            "num_threads": task.threads,
            "seed": task.seed,
            "verbosity": -1,
        }

    def losses(setting: tuple[float, int], seen: np.ndarray, held: np.ndarray) -> list[float]:
        data = library.Dataset(columns[seen], labels[seen])
        scored = library.Dataset(columns[held], labels[held], reference=data)
        found: dict[str, dict[str, list[float]]] = {}
        callbacks = [library.early_stopping(PATIENCE, verbose=False), library.record_evaluation(found)]
        library.train(parameters(setting), data, ROUNDS, valid_sets=[scored], valid_names=["held"], callbacks=callbacks)
        return found["held"]["multi_logloss"]

    setting, rounds = best_setting(task, train, BOOSTING, losses)
    model = library.train(parameters(setting), library.Dataset(columns[train], labels[train]), rounds)
    return Fitted(lambda rows: np.asarray(model.predict(columns[rows])), boosting_words(setting, rounds))


def xgboost(task: Task, train: np.ndarray) -> Fitted:
    """XGBoost. Searched: rate and depth (`BOOSTING_DEPTH` of the leaves in `BOOSTING`) and the rounds."""
    import xgboost as library

    columns, labels = task.columns, task.dataset.labels

    def parameters(setting: tuple[float, int]) -> dict[str, object]:
        rate, leaves = setting
        return {
            "objective": "multi:softprob",
            "num_class": len(task.dataset.classes),
            "eval_metric": "mlogloss",
            "eta": rate,
            "max_depth": BOOSTING_DEPTH[leaves],
            "lambda": 1.0,
            "colsample_bytree": COLUMN_SHARE,
            "nthread": task.threads,
            "seed": task.seed,
        }

    def data(rows: np.ndarray) -> "library.DMatrix":
        return library.DMatrix(columns[rows], labels[rows], nthread=task.threads)

    def losses(setting: tuple[float, int], seen: np.ndarray, held: np.ndarray) -> list[float]:
        found: dict[str, dict[str, list[float]]] = {}
        library.train(
            parameters(setting),
            data(seen),
            ROUNDS,
            evals=[(data(held), "held")],
            evals_result=found,
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        return found["held"]["mlogloss"]

    setting, rounds = best_setting(task, train, BOOSTING, losses)
    model = library.train(parameters(setting), data(train), rounds)
    return Fitted(lambda rows: model.predict(data(rows)), boosting_words(setting, rounds))


def boosting_words(setting: tuple[float, int], rounds: int) -> str:
    """What was chosen, for the log."""
    return f"rate {setting[0]:g}, {setting[1]} leaves, {rounds} rounds"

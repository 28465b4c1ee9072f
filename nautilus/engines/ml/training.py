"""Training: scores from purged folds first, then one fit on everything; nothing that a fold tests has trained it."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.ml.boosted_trees import BoostedTrees
from nautilus.engines.ml.computation import Steps, run_here
from nautilus.engines.ml.dataset import Dataset
from nautilus.engines.ml.linear_model import LinearModel
from nautilus.engines.ml.network_settings import NetworkSettings
from nautilus.engines.ml.network_training import fit_network
from nautilus.engines.ml.neural_network import NeuralNetwork
from nautilus.engines.ml.purged_validation import purged_folds
from nautilus.engines.ml.scores import direction_scores, scores
from nautilus.errors import NotReady

Floats = NDArray[np.float64]
ModelKind = Literal["linear", "lightgbm", "mlp"]
Target = Literal["log_return", "up_probability"]
Report = Callable[[float, str], None]


class Model(Protocol):
    """What every kind of model can do."""

    def predict(self, features: Floats) -> Floats:
        """Values [rows] for `features` [rows, columns]."""

    def importance(self, features: Floats) -> Floats:
        """How much each feature matters, [columns]; the scale is the model's own."""

    def weights(self) -> bytes:
        """The whole model; nothing in it is executed when it is read back."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is made: with the same data it gives the same model, on the same backend to the bit."""

    kind: ModelKind
    folds: int = 5
    embargo: int = 0
    penalty: float = 1.0
    rounds: int = 100
    seed: int = 1
    parameters: dict[str, float] = msgspec.field(default_factory=dict)
    target: Target = "log_return"
    network: NetworkSettings | None = None


class Fitted(msgspec.Struct, frozen=True):
    """A model, the backends that computed it, and for a network the epochs it was trained for."""

    model: Model
    backends: frozenset[str]
    epochs: int | None = None


class Trained(msgspec.Struct, frozen=True):
    """A model, its scores outside of its training data, and how much each feature matters (adds up to 1)."""

    model: Model
    rows: int
    scores: dict[str, float | None]
    importance: dict[str, float]
    backend: str = "numpy"
    epochs: int | None = None


def fit(recipe: Recipe, data: Dataset, report: Report) -> Steps[Fitted]:
    """One fit."""
    if recipe.kind == "mlp":
        settings = recipe.network or NetworkSettings()
        loss: Literal["squared", "logistic"] = "squared" if recipe.target == "log_return" else "logistic"
        found = yield from fit_network(settings, loss, recipe.seed, data, recipe.embargo, report)
        return Fitted(found.network, frozenset(found.backends), found.epochs)
    if recipe.kind == "linear":
        return Fitted(LinearModel.fit(data.features, data.labels, recipe.penalty), frozenset({"numpy"}))
    trees = BoostedTrees.fit(
        data.features, data.labels, rounds=recipe.rounds, seed=recipe.seed, parameters=recipe.parameters
    )
    return Fitted(trees, frozenset({"lightgbm"}))


def load(kind: ModelKind, weights: bytes) -> Model:
    """The model that `weights` came from."""
    if kind == "mlp":
        return NeuralNetwork.from_weights(weights)
    return LinearModel.from_weights(weights) if kind == "linear" else BoostedTrees.from_weights(weights)


def training(recipe: Recipe, data: Dataset, report: Report) -> Steps[Trained]:
    """Purged cross-validation, then the fit on all rows, in steps. `report` gets the fraction done. Raises NotReady."""
    used = data.complete() if recipe.kind == "linear" else data
    if len(used.labels) < 2 * recipe.folds:
        raise NotReady(f"{len(used.labels)} usable rows are too few for {recipe.folds} folds")
    predicted = np.full(len(used.labels), np.nan)
    backends: set[str] = set()
    folds = purged_folds(used.starts, used.ends, recipe.folds, recipe.embargo)
    for number, (rows, test) in enumerate(folds):
        within = _within(report, number, recipe.folds + 1, f"fold {number + 1} of {recipe.folds}")
        within(0.0, "")
        if len(rows) < 2:
            raise NotReady("purging leaves a fold without training rows: fewer folds, a shorter horizon or more data")
        fitted = yield from fit(recipe, used.taken(rows), within)
        backends |= fitted.backends
        predicted[test] = fitted.model.predict(used.features[test])
    within = _within(report, recipe.folds, recipe.folds + 1, "fitting on all rows")
    within(0.0, "")
    fitted = yield from fit(recipe, used, within)
    sizes = np.nan_to_num(fitted.model.importance(used.features))
    shares = sizes / sizes.sum() if sizes.sum() > 0 else sizes
    return Trained(
        fitted.model,
        len(used.labels),
        _scores(recipe.target, predicted, used.labels),
        dict(zip(used.names, shares.tolist(), strict=True)),
        "+".join(sorted(backends | fitted.backends)),
        fitted.epochs,
    )


def train(recipe: Recipe, data: Dataset, report: Report) -> Trained:
    """The whole training on this thread, with kernels in their CPU form. Raises NotReady."""
    return run_here(training(recipe, data, report))


def _within(report: Report, number: int, parts: int, what: str) -> Report:
    """Reports of one part of the work as reports of the whole."""
    return lambda fraction, message: report((number + fraction) / parts, f"{what}: {message}" if message else what)


def _scores(target: Target, predicted: Floats, labels: Floats) -> dict[str, float | None]:
    """Scores over the rows that could be predicted."""
    known = np.isfinite(predicted)
    score = scores if target == "log_return" else direction_scores
    return score(predicted[known], labels[known])

"""Training: scores from purged folds first, then one fit on everything; nothing that a fold tests has trained it."""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.engines.ml.boosted_trees import BoostedTrees
from nautilus.engines.ml.dataset import Dataset
from nautilus.engines.ml.linear_model import LinearModel
from nautilus.engines.ml.purged_validation import purged_folds
from nautilus.engines.ml.scores import scores
from nautilus.errors import NotReady

Floats = NDArray[np.float64]
ModelKind = Literal["linear", "lightgbm"]


class Model(Protocol):
    """What both kinds of model can do."""

    def predict(self, features: Floats) -> Floats:
        """Values [rows] for `features` [rows, columns]."""

    def importance(self, features: Floats) -> Floats:
        """How much each feature matters, [columns]; the scale is the model's own."""

    def weights(self) -> bytes:
        """The model as text."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is made: with the same data it gives the same model, to the bit."""

    kind: ModelKind
    folds: int = 5
    embargo: int = 0
    penalty: float = 1.0
    rounds: int = 100
    seed: int = 1
    parameters: dict[str, float] = msgspec.field(default_factory=dict)


class Trained(msgspec.Struct, frozen=True):
    """A model, its scores outside of its training data, and how much each feature matters (adds up to 1)."""

    model: Model
    rows: int
    scores: dict[str, float | None]
    importance: dict[str, float]


def fit(recipe: Recipe, features: Floats, labels: Floats) -> Model:
    """One fit."""
    if recipe.kind == "linear":
        return LinearModel.fit(features, labels, recipe.penalty)
    return BoostedTrees.fit(features, labels, rounds=recipe.rounds, seed=recipe.seed, parameters=recipe.parameters)


def load(kind: ModelKind, weights: bytes) -> Model:
    """The model that `weights` came from."""
    return LinearModel.from_weights(weights) if kind == "linear" else BoostedTrees.from_weights(weights)


def train(recipe: Recipe, data: Dataset, report: Callable[[float, str], None]) -> Trained:
    """Purged cross-validation, then the fit on all rows. `report` gets the fraction done. Raises NotReady."""
    used = data.complete() if recipe.kind == "linear" else data
    if len(used.labels) < 2 * recipe.folds:
        raise NotReady(f"{len(used.labels)} usable rows are too few for {recipe.folds} folds")
    predicted = np.full(len(used.labels), np.nan)
    folds = purged_folds(used.starts, used.ends, recipe.folds, recipe.embargo)
    for number, (training, test) in enumerate(folds):
        report(number / (recipe.folds + 1), f"fold {number + 1} of {recipe.folds}")
        if len(training) < 2:
            raise NotReady("purging leaves a fold without training rows: fewer folds, a shorter horizon or more data")
        predicted[test] = fit(recipe, used.features[training], used.labels[training]).predict(used.features[test])
    report(recipe.folds / (recipe.folds + 1), "fitting on all rows")
    model = fit(recipe, used.features, used.labels)
    sizes = np.nan_to_num(model.importance(used.features))
    shares = sizes / sizes.sum() if sizes.sum() > 0 else sizes
    return Trained(
        model, len(used.labels), scores(predicted, used.labels), dict(zip(used.names, shares.tolist(), strict=True))
    )

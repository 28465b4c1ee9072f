"""Labels, purged validation and models, trained on the user's own data; nothing here pretends to know."""

from nautilus.engines.ml.boosted_trees import BoostedTrees
from nautilus.engines.ml.dataset import Dataset, dataset_from_rows
from nautilus.engines.ml.labels import fixed_horizon_returns, triple_barrier
from nautilus.engines.ml.linear_model import LinearModel
from nautilus.engines.ml.network_settings import NetworkSettings
from nautilus.engines.ml.neural_network import NeuralNetwork
from nautilus.engines.ml.purged_validation import purged_folds
from nautilus.engines.ml.scores import (
    direction_scores,
    hit_rate,
    information_coefficient,
    out_of_sample_r2,
    rank_information_coefficient,
    scores,
)
from nautilus.engines.ml.training import Recipe, Trained, train

__all__ = [
    "BoostedTrees",
    "Dataset",
    "LinearModel",
    "NetworkSettings",
    "NeuralNetwork",
    "Recipe",
    "Trained",
    "dataset_from_rows",
    "direction_scores",
    "fixed_horizon_returns",
    "hit_rate",
    "information_coefficient",
    "out_of_sample_r2",
    "purged_folds",
    "rank_information_coefficient",
    "scores",
    "train",
    "triple_barrier",
]

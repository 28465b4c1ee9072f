"""Labels, purged validation and models, trained on the user's own data; nothing here pretends to know."""

from nautilus.engines.ml.boosted_trees import BoostedTrees
from nautilus.engines.ml.dataset import Dataset, dataset_from_rows
from nautilus.engines.ml.labels import fixed_horizon_returns, triple_barrier
from nautilus.engines.ml.linear_model import LinearModel
from nautilus.engines.ml.purged_validation import purged_folds
from nautilus.engines.ml.scores import (
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
    "Recipe",
    "Trained",
    "dataset_from_rows",
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

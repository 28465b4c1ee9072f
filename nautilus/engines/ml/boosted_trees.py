"""Gradient-boosted trees by LightGBM, deterministic: one thread, fixed seed, weights kept as LightGBM's own text."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Unavailable

Floats = NDArray[np.float64]
DEFAULTS = {"num_leaves": 15, "learning_rate": 0.05, "min_data_in_leaf": 20, "lambda_l2": 1.0}


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # OSError: the wheel is there, but not the OpenMP library that it needs
        raise Unavailable(f"LightGBM cannot be loaded: {error}") from error
    return lightgbm


class BoostedTrees:
    """A fitted ensemble of regression trees (squared loss)."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster

    @classmethod
    def fit(cls, features: Floats, labels: Floats, *, rounds: int, seed: int, parameters: dict[str, float]) -> Self:
        """Fit `rounds` trees to `labels` [rows] from `features` [rows, columns]; NaN features are missing values.

        Raises Unavailable where LightGBM cannot be loaded. Source: Ke et al. (2017).
        """
        lightgbm = _lightgbm()
        settings = {
            **DEFAULTS,
            **parameters,
            "objective": "regression",
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(features, labels, free_raw_data=True)
        return cls(lightgbm.train(settings, data, num_boost_round=rounds))

    def predict(self, features: Floats) -> Floats:
        """Values [rows] for `features` [rows, columns]."""
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)

    def importance(self, _: Floats) -> Floats:
        """Gain of each feature over all splits, [columns]."""
        return np.asarray(self._booster.feature_importance("gain"), dtype=np.float64)

    def weights(self) -> bytes:
        """The model as LightGBM text."""
        text: str = self._booster.model_to_string()
        return text.encode()

    @classmethod
    def from_weights(cls, weights: bytes) -> Self:
        """The model that `weights` came from."""
        return cls(_lightgbm().Booster(model_str=weights.decode()))

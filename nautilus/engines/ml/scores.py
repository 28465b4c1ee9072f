"""How good predictions are: information coefficients, hit rate, explained variance."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


def information_coefficient(predicted: Floats, realised: Floats) -> float | None:
    """Pearson correlation of predictions and outcomes [rows]; None where one of them does not vary.

    >>> information_coefficient(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    """
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(realised) == 0:
        return None
    return float(np.clip(np.corrcoef(predicted, realised)[0, 1], -1.0, 1.0).round(15))


def rank_information_coefficient(predicted: Floats, realised: Floats) -> float | None:
    """Spearman correlation, ties by average rank; None where one of them does not vary."""
    return information_coefficient(rankdata(predicted), rankdata(realised))


def hit_rate(predicted: Floats, realised: Floats) -> float | None:
    """Share of outcomes other than zero whose sign was predicted; None without any."""
    moved = realised != 0
    if not moved.any():
        return None
    return float(np.mean(np.sign(predicted[moved]) == np.sign(realised[moved])))


def out_of_sample_r2(predicted: Floats, realised: Floats) -> float | None:
    """1 - squared errors / squared outcomes: against predicting zero (Campbell and Thompson 2008); None for zeros."""
    total = float(np.sum(realised**2))
    return 1.0 - float(np.sum((realised - predicted) ** 2)) / total if total > 0 else None


def scores(predicted: Floats, realised: Floats) -> dict[str, float | None]:
    """All of them by name."""
    return {
        "information_coefficient": information_coefficient(predicted, realised),
        "rank_information_coefficient": rank_information_coefficient(predicted, realised),
        "hit_rate": hit_rate(predicted, realised),
        "out_of_sample_r2": out_of_sample_r2(predicted, realised),
    }


def direction_scores(probabilities: Floats, realised: Floats) -> dict[str, float | None]:
    """The same of probabilities of a rise [rows], by how far they lie from one half; they explain no variance.

    `log_loss` is the mean of minus the log of the probability given to what happened, without the outcomes of zero:
    0.693 says nothing, less is better.
    """
    found = scores(probabilities - 0.5, realised)
    moved = realised != 0
    given = np.where(realised > 0, probabilities, 1.0 - probabilities)[moved]
    loss = float(-np.log(np.maximum(given, 1e-300)).mean()) if moved.any() else None
    return {**found, "out_of_sample_r2": None, "log_loss": loss}

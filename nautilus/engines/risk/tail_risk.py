"""One call for every method: value at risk and expected shortfall of a return series, with what they rest on."""

import math
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.expected_shortfall import (
    cornish_fisher_expected_shortfall,
    historical_expected_shortfall,
    normal_expected_shortfall,
)
from nautilus.engines.risk.monte_carlo import simulated_returns
from nautilus.engines.risk.return_sample import checked_returns, moments
from nautilus.engines.risk.value_at_risk import (
    cornish_fisher_value_at_risk,
    historical_value_at_risk,
    normal_value_at_risk,
)
from nautilus.engines.risk.volatility import RISKMETRICS_DECAY, filtered_returns
from nautilus.errors import Invalid

type TailMethod = Literal["historical", "filtered_historical", "normal", "cornish_fisher", "monte_carlo"]
TAIL_METHODS: tuple[str, ...] = get_args(TailMethod.__value__)


class TailRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Losses as positive fractions of value over `horizon` observation intervals, at one confidence.

    `horizon` beyond one scales the one-interval figures by its square root: right for independent returns of zero
    mean, an approximation otherwise.
    """

    method: str
    confidence: float
    horizon: float
    value_at_risk: float
    expected_shortfall: float
    observations: int


def tail_risk(
    returns: ArrayLike,
    method: TailMethod = "historical",
    confidence: float = 0.99,
    *,
    horizon: float = 1.0,
    decay: float = RISKMETRICS_DECAY,
    paths: int = 100_000,
    seed: int = 0,
) -> TailRisk:
    """Value at risk and expected shortfall of a vector of simple returns, oldest first.

    `decay` serves filtered_historical, `paths` and `seed` monte_carlo (Student t copula of one instrument is a t
    return; here normal). Raises Invalid for too few or non-finite returns, or where a method does not apply.

    >>> risk = tail_risk([-0.02, 0.01, -0.01, 0.03], confidence=0.75)
    >>> risk.value_at_risk, risk.expected_shortfall
    (0.01, 0.02)
    """
    if not 0.0 < horizon < math.inf:
        raise Invalid("horizon", f"must be positive and finite, not {horizon}")
    sample = checked_returns(returns, 2)
    loss, shortfall = _one_interval(sample, method, confidence, decay, paths, seed)
    scale = math.sqrt(horizon)
    return TailRisk(
        method=method,
        confidence=confidence,
        horizon=horizon,
        value_at_risk=scale * loss,
        expected_shortfall=scale * shortfall,
        observations=sample.size,
    )


def _one_interval(
    sample: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    method: TailMethod,
    confidence: float,
    decay: float,
    paths: int,
    seed: int,
) -> tuple[float, float]:
    mean, deviation, skewness, kurtosis = moments(sample)
    match method:
        case "normal":
            return (
                normal_value_at_risk(mean, deviation, confidence),
                normal_expected_shortfall(mean, deviation, confidence),
            )
        case "cornish_fisher":
            return (
                cornish_fisher_value_at_risk(mean, deviation, skewness, kurtosis, confidence),
                cornish_fisher_expected_shortfall(mean, deviation, skewness, kurtosis, confidence),
            )
        case "historical":
            cases = sample
        case "filtered_historical":
            cases = filtered_returns(sample, decay)
        case "monte_carlo":
            cases = mean + simulated_returns(sample[:, None], paths=paths, seed=seed)[:, 0]
        case _:
            raise Invalid("method", f"must be one of {', '.join(TAIL_METHODS)}, not {method!r}")
    return historical_value_at_risk(cases, confidence), historical_expected_shortfall(cases, confidence)

"""Risk of what is held now: today's exposures on yesterday's returns, by every method, and who contributes what."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.risk.contributions import historical_contributions, normal_contributions
from nautilus.engines.risk.covariance import correlation, sample_covariance
from nautilus.engines.risk.expected_shortfall import historical_expected_shortfall
from nautilus.engines.risk.monte_carlo import simulated_returns
from nautilus.engines.risk.return_sample import checked_panel, checked_weights
from nautilus.engines.risk.tail_risk import TailMethod, tail_risk
from nautilus.engines.risk.value_at_risk import historical_value_at_risk
from nautilus.engines.risk.volatility import RISKMETRICS_DECAY, ewma_volatility


class RiskShare(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: signed exposure, its part of value at risk (normal), and of expected shortfall (historical)."""

    instrument_id: str
    exposure: float
    component_value_at_risk: float
    component_expected_shortfall: float


class PortfolioRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Value at risk and expected shortfall in money over `horizon_intervals` of the returns, at one confidence.

    Beyond one interval the figures are scaled by the square root of their number.
    """

    method: str
    confidence: float
    horizon_intervals: float
    value_at_risk: float
    expected_shortfall: float
    observations: int
    shares: tuple[RiskShare, ...]


def portfolio_risk(
    instrument_ids: Sequence[str],
    exposures: ArrayLike,
    returns: ArrayLike,
    method: TailMethod = "historical",
    confidence: float = 0.99,
    *,
    horizon_intervals: float = 1.0,
    decay: float = RISKMETRICS_DECAY,
    paths: int = 20_000,
    seed: int = 0,
) -> PortfolioRisk:
    """Risk of signed money `exposures` under (observations, instruments) `returns`.

    Monte Carlo joins normal margins by a Student t copula of 5 degrees; the other methods work on the portfolio's own
    profit series. Raises Invalid as `tail_risk` does.
    """
    panel = checked_panel(returns)
    held = checked_weights(exposures, panel.shape[1], "exposures")
    scale = math.sqrt(horizon_intervals)
    if method == "monte_carlo":
        profit = simulated_returns(panel, paths=paths, seed=seed, copula="student") @ held
        loss, shortfall = (
            historical_value_at_risk(profit, confidence),
            historical_expected_shortfall(profit, confidence),
        )
    else:
        risk = tail_risk(panel @ held, method, confidence, decay=decay)
        loss, shortfall = risk.value_at_risk, risk.expected_shortfall
    normal = normal_contributions(held, sample_covariance(panel), confidence).component
    tail = historical_contributions(held, panel, confidence).component
    return PortfolioRisk(
        method=method,
        confidence=confidence,
        horizon_intervals=horizon_intervals,
        value_at_risk=scale * loss,
        expected_shortfall=scale * shortfall,
        observations=panel.shape[0],
        shares=tuple(
            RiskShare(
                instrument_id=name,
                exposure=float(value),
                component_value_at_risk=scale * value_part,
                component_expected_shortfall=scale * tail_part,
            )
            for name, value, value_part, tail_part in zip(instrument_ids, held, normal, tail, strict=True)
        ),
    )


def portfolio_volatility(exposures: ArrayLike, returns: ArrayLike, equity: float, decay: float) -> float:
    """Exponentially weighted deviation of the portfolio's profit for each interval, as a share of equity."""
    panel = checked_panel(returns)
    return ewma_volatility(panel @ checked_weights(exposures, panel.shape[1], "exposures"), decay) / equity


def largest_correlation(returns: ArrayLike) -> float | None:
    """The largest correlation of two different instruments; None for fewer than two."""
    panel = checked_panel(returns)
    if panel.shape[1] < 2:
        return None
    matrix = correlation(sample_covariance(panel))
    return float(matrix[~np.eye(panel.shape[1], dtype=bool)].max())

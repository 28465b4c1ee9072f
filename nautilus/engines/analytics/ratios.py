"""Return for risk: Sharpe, Sortino, Calmar, omega and their kin."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.analytics.drawdowns import max_drawdown, ulcer_index
from nautilus.engines.analytics.growth import annual_return
from nautilus.engines.analytics.moments import (
    TRADING_DAYS,
    Series,
    Statistic,
    mean,
    ratio,
    standard_deviation,
    undefined,
)


def sharpe_ratio(returns: Series, risk_free: ArrayLike = 0.0, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Mean excess return over its standard deviation (n - 1), times the square root of the periods per year.

    `risk_free` is per period. Infinite for a constant return that is not zero; NaN below two periods.
    """
    if len(returns) < 2:
        return undefined(returns)
    excess = np.asarray(returns - np.asarray(risk_free))
    return np.asarray(ratio(mean(excess), standard_deviation(excess)) * np.sqrt(periods_per_year))


def downside_risk(
    returns: Series, required_return: ArrayLike = 0.0, periods_per_year: float = TRADING_DAYS
) -> Statistic:
    """Root mean square of the shortfalls below the required return (per period) over all periods, annualised."""
    if not len(returns):
        return undefined(returns)
    shortfall = np.minimum(returns - np.asarray(required_return), 0.0)
    shortfall *= shortfall
    return np.asarray(np.sqrt(mean(shortfall)) * np.sqrt(periods_per_year))


def sortino_ratio(
    returns: Series, required_return: ArrayLike = 0.0, periods_per_year: float = TRADING_DAYS
) -> Statistic:
    """Annualised mean (not compounded) return above the required one, over the downside risk."""
    if len(returns) < 2:
        return undefined(returns)
    above = mean(np.asarray(returns - np.asarray(required_return))) * periods_per_year
    return ratio(above, downside_risk(returns, required_return, periods_per_year))


def calmar_ratio(returns: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Compound annual return over the size of the worst drawdown; NaN where there was none."""
    return calmar_of(annual_return(returns, periods_per_year), max_drawdown(returns))


def calmar_of(annual: Statistic, deepest: Statistic) -> Statistic:
    """`calmar_ratio` of an annual return and a worst drawdown that are known."""
    quotient = ratio(annual, -deepest)
    return np.asarray(np.where((deepest < 0.0) & ~np.isinf(quotient), quotient, np.nan))


def martin_ratio(returns: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Compound annual return over the ulcer index; infinite or NaN where there was no drawdown."""
    return ratio(annual_return(returns, periods_per_year), ulcer_index(returns))


def omega_ratio(
    returns: Series,
    risk_free: float = 0.0,
    required_return: float = 0.0,
    periods_per_year: float = TRADING_DAYS,
) -> Statistic:
    """Sum of what exceeds the threshold over the sum of what falls short (Keating and Shadwick 2002).

    `risk_free` is per period, `required_return` per year (made per period by compounding; at -1 or below: NaN).
    NaN where nothing falls short, and below two periods.
    """
    if len(returns) < 2 or (periods_per_year != 1.0 and required_return <= -1.0):
        return undefined(returns)
    per_period = (
        required_return if periods_per_year == 1.0 else (1.0 + required_return) ** (1.0 / periods_per_year) - 1.0
    )
    above = np.nan_to_num(returns - risk_free - per_period, nan=0.0)
    gains, losses = np.maximum(above, 0.0).sum(axis=0), -np.minimum(above, 0.0).sum(axis=0)
    return np.asarray(np.where(losses > 0.0, ratio(gains, losses), np.nan))


def gain_to_pain(returns: Series) -> Statistic:
    """Sum of all returns over the sum of the losses' sizes (Schwager 2012)."""
    there = np.nan_to_num(returns, nan=0.0)
    return ratio(there.sum(axis=0), -np.minimum(there, 0.0).sum(axis=0))


def win_rate(returns: Series) -> Statistic:
    """Share of the periods with a return other than zero whose return is positive."""
    return ratio((returns > 0.0).sum(axis=0), ((returns > 0.0) | (returns < 0.0)).sum(axis=0))

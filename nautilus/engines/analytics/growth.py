"""Growth of returns: cumulative and total return, the annual return by number of periods and by the calendar."""

from __future__ import annotations

import numpy as np

from nautilus.engines.analytics.moments import TRADING_DAYS, Series, Statistic, standard_deviation, undefined
from nautilus.errors import Invalid


def simple_returns(prices: Series) -> Series:
    """Returns [periods - 1, ...] from one price to the next.

    >>> simple_returns(np.array([100.0, 110.0, 99.0])).round(6).tolist()
    [0.1, -0.1]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.diff(prices, axis=0) / prices[:-1])


def cumulative_returns(returns: Series) -> Series:
    """Return since before the first period, after each period; a missing return counts as zero.

    >>> cumulative_returns(np.array([0.1, -0.5, np.nan])).round(6).tolist()
    [0.1, -0.45, -0.45]
    """
    return np.cumprod(1.0 + np.where(np.isnan(returns), 0.0, returns), axis=0) - 1.0


def total_return(returns: Series) -> Statistic:
    """Return over all periods; NaN without any."""
    if not len(returns):
        return undefined(returns)
    return np.asarray(np.nanprod(1.0 + returns, axis=0) - 1.0)


def annual_return(returns: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Compound annual growth rate, years counted as periods / periods_per_year (empyrical's convention).

    Missing returns count as periods without return. See `calendar_growth` for years by the calendar.
    """
    if not len(returns):
        return undefined(returns)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return np.asarray(np.nanprod(1.0 + returns, axis=0) ** (periods_per_year / len(returns)) - 1.0)


def calendar_growth(total: Statistic, elapsed_days: float) -> Statistic:
    """Compound annual growth rate of a total return, years counted as elapsed days / 365.25 (ffn's convention).

    >>> float(calendar_growth(np.array(0.21), 730.5).round(6))
    0.1
    """
    if not elapsed_days > 0.0:
        raise Invalid("elapsed_days", "must be positive")
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((1.0 + total) ** (365.25 / elapsed_days) - 1.0)


def annual_volatility(returns: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Sample standard deviation times the square root of the periods per year."""
    if len(returns) < 2:
        return undefined(returns)
    return np.asarray(standard_deviation(returns) * np.sqrt(periods_per_year))

"""Every statistic of many return series in one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nautilus.engines.analytics import benchmark as against
from nautilus.engines.analytics import distribution, drawdowns, growth, ratios
from nautilus.engines.analytics.moments import TRADING_DAYS, Series, Statistic, checked_series, ratio, undefined


def performance(
    returns: ArrayLike,
    benchmark: ArrayLike | None = None,
    *,
    risk_free: float = 0.0,
    required_return: float = 0.0,
    periods_per_year: float = TRADING_DAYS,
    cutoff: float = 0.05,
) -> dict[str, Statistic]:
    """Statistics by name, each [series] (or [] for one series [periods]).

    `returns` [periods, series] are simple returns per period, NaN where missing; `benchmark` [periods] adds the
    measures against it. `risk_free` and `required_return` are per period, `cutoff` is the tail of the values at risk.
    Names follow empyrical; each function's docstring states its convention. Raises Invalid for other shapes and
    infinities.

    >>> found = performance(np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, 0.0]]))
    >>> found["max_drawdown"].round(6).tolist()
    [-0.02, 0.0]
    """
    series = checked_series("returns", returns)
    found = _absolute(series, risk_free, required_return, periods_per_year, cutoff)
    if benchmark is not None:
        market = checked_series("benchmark", benchmark)
        found |= against.relative_performance(series, market, risk_free, periods_per_year)
    return found


def _absolute(
    returns: Series, risk_free: float, required_return: float, periods_per_year: float, cutoff: float
) -> dict[str, Statistic]:
    annual = growth.annual_return(returns, periods_per_year)
    found = {
        "total_return": growth.total_return(returns),
        "annual_return": annual,
        "annual_volatility": growth.annual_volatility(returns, periods_per_year),
        "sharpe_ratio": ratios.sharpe_ratio(returns, risk_free, periods_per_year),
        "sortino_ratio": ratios.sortino_ratio(returns, required_return, periods_per_year),
        "omega_ratio": ratios.omega_ratio(returns, risk_free + required_return, 0.0, periods_per_year),
        "gain_to_pain": ratios.gain_to_pain(returns),
        "win_rate": ratios.win_rate(returns),
        "downside_risk": ratios.downside_risk(returns, required_return, periods_per_year),
        "stability_of_timeseries": distribution.stability(returns),
        "tail_ratio": distribution.tail_ratio(returns),
        "value_at_risk": distribution.value_at_risk(returns, cutoff),
        "conditional_value_at_risk": distribution.conditional_value_at_risk(returns, cutoff),
        "gaussian_value_at_risk": distribution.gaussian_value_at_risk(returns, cutoff),
        "two_sigma_value_at_risk": distribution.two_sigma_value_at_risk(returns),
    }
    return found | distribution.shape(returns, cutoff) | _depth(returns, annual)


def _depth(returns: Series, annual: Statistic) -> dict[str, Statistic]:
    """What rests on the series of drawdowns, made once."""
    if len(returns):
        below = drawdowns.drawdown_series(returns)
        deepest, pain = np.asarray(below.min(axis=0)), np.asarray(-below.mean(axis=0))
        below *= below
        ulcer = np.asarray(np.sqrt(below.mean(axis=0)))
    else:
        deepest = pain = ulcer = undefined(returns)
    return {
        "max_drawdown": deepest,
        "pain_index": pain,
        "ulcer_index": ulcer,
        "calmar_ratio": ratios.calmar_of(annual, deepest),
        "martin_ratio": ratio(annual, ulcer),
    }

"""Measures against a benchmark: alpha, beta, capture, excess Sharpe, information ratio, batting average."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.analytics.moments import (
    TRADING_DAYS,
    Series,
    Statistic,
    mean,
    ratio,
    standard_deviation,
    undefined,
)
from nautilus.errors import Invalid


def paired(returns: Series, benchmark: Series) -> tuple[Series, Series]:
    """Returns and the benchmark [periods] in the shape of the returns, both NaN where either is missing."""
    if benchmark.shape[:1] != returns.shape[:1] or benchmark.ndim > returns.ndim:
        raise Invalid("benchmark", "must have one return for each period")
    spread = benchmark[:, None] if benchmark.ndim < returns.ndim else benchmark
    missing = np.isnan(returns) | np.isnan(spread)
    if not missing.any():
        return returns, np.broadcast_to(spread, returns.shape)
    return np.where(missing, np.nan, returns), np.where(missing, np.nan, spread)


def relative_performance(
    returns: Series, benchmark: Series, risk_free: float = 0.0, periods_per_year: float = TRADING_DAYS
) -> dict[str, Statistic]:
    """Every measure of this file by name, with what they share worked out once."""
    own, market = paired(returns, benchmark)
    active = own - market
    per_period = _excess_sharpe(active)
    up, down = _captures(own, market, periods_per_year)
    found = {
        "excess_sharpe": per_period,
        "information_ratio": np.asarray(per_period * np.sqrt(periods_per_year)),
        "tracking_error": np.asarray(standard_deviation(active) * np.sqrt(periods_per_year)),
        "capture": _captured(own, market, ~np.isnan(own), periods_per_year),
        "up_capture": up,
        "down_capture": down,
        "up_down_capture": ratio(up, down),
        "beta_fragility_heuristic": beta_fragility(own, market),
    }
    for name, side in (("", 0), ("up_", 1), ("down_", -1)):
        found[f"{name}alpha"], found[f"{name}beta"] = one_sided_alpha_beta(
            own, market, side, risk_free, periods_per_year
        )
    batting = batting_average(own, market)
    names = ("batting_average", "batting_average_up_market", "batting_average_down_market")
    return found | dict(zip(names, batting, strict=True))


def beta(returns: Series, benchmark: Series) -> Statistic:
    """Slope of the returns on the benchmark over the periods that both have; NaN where the benchmark does not vary."""
    own, market = paired(returns, benchmark)
    return _alpha_beta(own, market, 0.0, TRADING_DAYS)[1]


def alpha(
    returns: Series, benchmark: Series, risk_free: float = 0.0, periods_per_year: float = TRADING_DAYS
) -> Statistic:
    """Mean of what beta does not explain, compounded to a year (empyrical's convention; Jensen's is not compounded).

    `risk_free` is a constant per period.
    """
    own, market = paired(returns, benchmark)
    return _alpha_beta(own, market, risk_free, periods_per_year)[0]


def one_sided_alpha_beta(
    returns: Series,
    benchmark: Series,
    side: int,
    risk_free: float = 0.0,
    periods_per_year: float = TRADING_DAYS,
) -> tuple[Statistic, Statistic]:
    """Alpha and beta over the periods in which the benchmark rose (`side` 1) or fell (-1), or over all (0)."""
    own, market = paired(returns, benchmark)
    if not side:
        return _alpha_beta(own, market, risk_free, periods_per_year)
    chosen = market * side > 0.0
    if len(own) < 2:
        return undefined(own), undefined(own)
    count = chosen.sum(axis=0)
    own_mean, market_mean = _mean_of(own, chosen, count), _mean_of(market, chosen, count)
    centred = market - market_mean
    covariance = _mean_of(centred * own, chosen, count)
    centred *= centred
    variance = np.where(count > 1, _mean_of(centred, chosen, count), np.nan)
    return _fitted(own_mean, market_mean, covariance, variance, risk_free, periods_per_year)


def excess_sharpe(returns: Series, benchmark: Series) -> Statistic:
    """Mean active return over its standard deviation (n - 1), per period: the information ratio not annualised."""
    own, market = paired(returns, benchmark)
    return _excess_sharpe(own - market)


def information_ratio(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """`excess_sharpe` times the square root of the periods per year."""
    return np.asarray(excess_sharpe(returns, benchmark) * np.sqrt(periods_per_year))


def tracking_error(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Annualised standard deviation of the active return."""
    own, market = paired(returns, benchmark)
    return np.asarray(standard_deviation(own - market) * np.sqrt(periods_per_year))


def capture(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Compound annual return over the benchmark's, over the periods that both have."""
    own, market = paired(returns, benchmark)
    return _captured(own, market, ~np.isnan(own), periods_per_year)


def up_capture(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """`capture` over the periods in which the benchmark rose; NaN where there is none."""
    return _captures(*paired(returns, benchmark), periods_per_year)[0]


def down_capture(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """`capture` over the periods in which the benchmark fell; NaN where there is none."""
    return _captures(*paired(returns, benchmark), periods_per_year)[1]


def up_down_capture(returns: Series, benchmark: Series, periods_per_year: float = TRADING_DAYS) -> Statistic:
    """Up capture over down capture."""
    return ratio(*_captures(*paired(returns, benchmark), periods_per_year))


def batting_average(returns: Series, benchmark: Series) -> tuple[Statistic, Statistic, Statistic]:
    """Share of periods that beat the benchmark: of all, of those in which it did not fall, of those in which it did."""
    own, market = paired(returns, benchmark)
    beaten, there = own > market, ~np.isnan(own)
    up, down = market >= 0.0, market < 0.0
    return (
        ratio(beaten.sum(axis=0), there.sum(axis=0)),
        ratio((beaten & up).sum(axis=0), up.sum(axis=0)),
        ratio((beaten & down).sum(axis=0), down.sum(axis=0)),
    )


def beta_fragility(returns: Series, benchmark: Series) -> Statistic:
    """Curvature of the returns in the benchmark: the weighted ends less the middle; negative is fragile.

    Taleb, Canetti, Kinda, Loukoianova and Schmieder (2012). The periods are ordered by the benchmark, the first of
    equal ones first; ends and the one at half of their number count. NaN below three.
    """
    own, market = paired(returns, benchmark)
    if own.ndim == 1:
        return np.asarray(_fragility(own, market))
    if (
        market.strides[1] == 0 and len(own) >= 3 and not np.isnan(own).any()
    ):  # one benchmark and nothing missing: one order for all series
        return np.asarray(_curvature(own, market[:, 0]))
    return np.array([_fragility(own[:, column], market[:, column]) for column in range(own.shape[1])])


def _alpha_beta(own: Series, market: Series, risk_free: float, periods_per_year: float) -> tuple[Statistic, Statistic]:
    if len(own) < 2:
        return undefined(own), undefined(own)
    centred = market - mean(market)
    covariance = mean(centred * own)
    centred *= centred
    variance = mean(centred)
    return _fitted(mean(own), mean(market), covariance, variance, risk_free, periods_per_year)


def _fitted(
    own_mean: Statistic,
    market_mean: Statistic,
    covariance: Statistic,
    variance: Statistic,
    risk_free: float,
    periods_per_year: float,
) -> tuple[Statistic, Statistic]:
    slope = np.asarray(np.where(variance < 1e-30, np.nan, ratio(covariance, variance)))
    unexplained = own_mean - risk_free - slope * (market_mean - risk_free)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((1.0 + unexplained) ** periods_per_year - 1.0), slope


def _mean_of(values: Series, chosen: NDArray[np.bool_], count: NDArray[np.int64]) -> Statistic:
    return ratio(np.add.reduce(values, axis=0, where=chosen), count)


def _excess_sharpe(active: Series) -> Statistic:
    if len(active) < 2:
        return undefined(active)
    return ratio(mean(active), standard_deviation(active))


def _fragility(own: Series, market: Series) -> float:
    there = ~np.isnan(own)
    own, market = own[there], market[there]
    if len(own) < 3:
        return np.nan
    return float(_curvature(own, market))


def _curvature(own: Series, market: Series) -> Statistic:
    """Weighted ends less the middle of `own` [periods, ...] in the order of `market` [periods]."""
    order = np.argsort(market, kind="stable")
    first, middle, last = order[0], order[len(order) // 2], order[-1]
    width = market[last] - market[first]
    left, right = 0.5, 0.5
    if width != 0.0:
        left, right = (market[last] - market[middle]) / width, (market[middle] - market[first]) / width
    return np.asarray(left * own[first] + right * own[last] - own[middle])


def _captures(own: Series, market: Series, periods_per_year: float) -> tuple[Statistic, Statistic]:
    return (
        _captured(own, market, market > 0.0, periods_per_year),
        _captured(own, market, market < 0.0, periods_per_year),
    )


def _captured(own: Series, market: Series, chosen: NDArray[np.bool_], periods_per_year: float) -> Statistic:
    count = chosen.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        years = count / periods_per_year
        grown = np.multiply.reduce(1.0 + own, axis=0, where=chosen) ** (1.0 / years) - 1.0
        market_grown = np.multiply.reduce(1.0 + market, axis=0, where=chosen) ** (1.0 / years) - 1.0
        quotient = grown / market_grown
    return np.asarray(np.where(count > 0, quotient, np.nan))

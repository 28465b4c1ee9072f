"""Volatility from the open, high, low and close of bars: Parkinson, Garman-Klass, Rogers-Satchell, Yang-Zhang."""

import math
from typing import Any

from nautilus.engines.features.arithmetic import Arithmetic, Row, Value
from nautilus.engines.features.feature import Feature, Parameter, built_by
from nautilus.engines.features.formula import Formula

OHLC = ("bars.open", "bars.high", "bars.low", "bars.close")


def _root_mean(window: int) -> Any:
    return lambda a, sums, row: a.sqrt(a.maximum(0.0, sums[0] / window))


def parkinson(window: int) -> Formula:
    """sqrt(mean of ln(high/low)^2 / (4 ln 2)) over the last `window` bars."""

    def terms(a: Arithmetic[Any], row: Row) -> Row:
        span = a.log(a.ratio(row[0], row[1]))
        return (span * span / (4.0 * math.log(2.0)),)

    return Formula(_root_mean(window), windows=(window,), terms=terms)


def garman_klass(window: int) -> Formula:
    """sqrt(mean of ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2) over the last `window` bars."""

    def terms(a: Arithmetic[Any], row: Row) -> Row:
        opened, high, low, close = row
        span, body = a.log(a.ratio(high, low)), a.log(a.ratio(close, opened))
        return (0.5 * span * span - (2.0 * math.log(2.0) - 1.0) * body * body,)

    return Formula(_root_mean(window), windows=(window,), terms=terms)


def _rogers_satchell(a: Arithmetic[Any], row: Row) -> Value:
    opened, high, low, close = row
    up, down = a.log(a.ratio(high, opened)), a.log(a.ratio(low, opened))
    body = a.log(a.ratio(close, opened))
    return up * (up - body) + down * (down - body)


def rogers_satchell(window: int) -> Formula:
    """sqrt(mean of ln(h/o) ln(h/c) + ln(l/o) ln(l/c)) over the last `window` bars: unbiased under drift."""
    return Formula(_root_mean(window), windows=(window,), terms=lambda a, row: (_rogers_satchell(a, row),))


def yang_zhang(window: int) -> Formula:
    """sqrt(overnight variance + k open-to-close variance + (1 - k) Rogers-Satchell) over the last `window` bars."""
    k = 0.34 / (1.34 + (window + 1) / (window - 1))

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        gap, body = a.log(a.ratio(now[0], before[3])), a.log(a.ratio(now[3], now[0]))
        return gap, gap * gap, body, body * body, _rogers_satchell(a, now)

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        gap, gap_square, body, body_square, satchell = sums
        overnight = (gap_square - gap * gap / window) / (window - 1)
        daytime = (body_square - body * body / window) / (window - 1)
        return a.sqrt(a.maximum(0.0, overnight + k * daytime + (1.0 - k) * satchell / window))

    return Formula(combine, windows=(window,) * 5, terms=terms, lags=(0, 1))


def _feature(name: str, factory: Any, inputs: tuple[str, ...], reference: str, minimum: int = 1) -> Feature:
    return Feature(
        name,
        (factory.__doc__ or "").splitlines()[0],
        "standard deviation of a bar",
        reference,
        inputs,
        built_by(factory),
        (Parameter("window", 20, minimum, 100_000, "number of bars"),),
        group="volatility",
    )


FEATURES = (
    _feature(
        "parkinson_volatility",
        parkinson,
        OHLC[1:3],
        "Parkinson (1980), The extreme value method for estimating the variance of the rate of return.",
    ),
    _feature(
        "garman_klass_volatility",
        garman_klass,
        OHLC,
        "Garman and Klass (1980), On the estimation of security price volatilities from historical data.",
    ),
    _feature(
        "rogers_satchell_volatility",
        rogers_satchell,
        OHLC,
        "Rogers and Satchell (1991), Estimating variance from high, low and closing prices.",
    ),
    _feature(
        "yang_zhang_volatility",
        yang_zhang,
        OHLC,
        "Yang and Zhang (2000), Drift-independent volatility estimation based on high, low, open, and close prices.",
        minimum=2,
    ),
)

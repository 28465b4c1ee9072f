"""How a path hangs together: autocorrelation, variance ratio, Hurst exponent, co-movement, seasonality, long memory."""

import math
from typing import Any

import numpy as np

from nautilus.accel.kernel import kernel
from nautilus.engines.features.arithmetic import Arithmetic, Array, Row, Value
from nautilus.engines.features.feature import Computation, Feature, Parameter, built_by
from nautilus.engines.features.formula import Formula
from nautilus.engines.features.realised import log_return
from nautilus.engines.features.window import WindowStatistic
from nautilus.errors import Invalid

CONSTANT = 1e-12
"""A spread that is less than this fraction of the mean square is rounding: the series counts as constant."""


def _spread(a: Arithmetic[Any], square: Value, total: Value, window: int) -> Value:
    """Sum of squared deviations from the mean; 0 for a constant series."""
    spread = square - total * total / window
    return spread * (spread > CONSTANT * square)


def _correlation(a: Arithmetic[Any], sums: Row, window: int) -> Value:
    product, x, y, x_square, y_square = sums
    spread = a.sqrt(_spread(a, x_square, x, window)) * a.sqrt(_spread(a, y_square, y, window))
    return a.maximum(-1.0, a.minimum(1.0, a.ratio(product - x * y / window, spread)))


def autocorrelation(window: int, lag: int) -> Formula:
    """Correlation of the last `window` log returns with those `lag` rows before."""

    def terms(a: Arithmetic[Any], *rows: Row) -> Row:
        x, y = log_return(a, rows[0], rows[1]), log_return(a, rows[-2], rows[-1])
        return x * y, x, y, x * x, y * y

    lags = (0, 1, 2) if lag == 1 else (0, 1, lag, lag + 1)
    return Formula(lambda a, sums, row: _correlation(a, sums, window), windows=(window,) * 5, terms=terms, lags=lags)


def variance_ratio(window: int, periods: int) -> Formula:
    """Variance of overlapping `periods`-row returns over `periods` times that of one-row returns, in `window` returns.

    Raises Invalid where the window does not hold two such returns.
    """
    if periods >= window:
        raise Invalid("parameters.periods", f"must be less than the window {window}, not {periods}")
    overlapping = window - periods + 1
    scale = overlapping * (1.0 - periods / window)

    def terms(a: Arithmetic[Any], now: Row, before: Row, earlier: Row) -> Row:
        short, long = log_return(a, now, before), log_return(a, now, earlier)
        return short, short * short, long, long * long

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        short, short_square, long, long_square = sums
        drift = periods * short / window
        long_spread = long_square - 2.0 * drift * long + overlapping * drift * drift
        return a.ratio(long_spread / scale, periods * (_spread(a, short_square, short, window) / (window - 1)))

    windows = (window, window, overlapping, overlapping)
    return Formula(combine, windows=windows, terms=terms, lags=(0, 1, periods))


def hurst_exponent(window: int, scales: int) -> Formula:
    """Slope of ln(root mean square move over 2^j rows) on ln(2^j), j below `scales`, of `window` moves each."""
    lags = tuple(1 << j for j in range(scales))
    abscissa = [math.log(lag) for lag in lags]
    mean = sum(abscissa) / scales
    weights = [(x - mean) / sum((y - mean) ** 2 for y in abscissa) for x in abscissa]

    def terms(a: Arithmetic[Any], now: Row, *before: Row) -> Row:
        moves = [log_return(a, now, row) for row in before]
        return tuple(move * move for move in moves)

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        slope = 0.0
        for weight, total in zip(weights, sums, strict=True):
            slope = slope + weight * (0.5 * a.log(total / window))
        return slope

    return Formula(combine, windows=(window,) * scales, terms=terms, lags=(0, *lags))


def _pair_terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
    x, y = log_return(a, now, before), a.log(a.ratio(now[1], before[1]))
    return x * y, x, y, x * x, y * y


def correlation(window: int) -> Formula:
    """Correlation of the log returns of two prices over the last `window` rows."""
    return Formula(
        lambda a, sums, row: _correlation(a, sums, window), windows=(window,) * 5, terms=_pair_terms, lags=(0, 1)
    )


def beta(window: int) -> Formula:
    """Least-squares slope of the first price's log returns on the second's over the last `window` rows."""

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        product, x, y, _, y_square = sums
        return a.ratio(product - x * y / window, _spread(a, y_square, y, window))

    return Formula(combine, windows=(window,) * 5, terms=_pair_terms, lags=(0, 1))


def seasonal_ratio(period: int, cycles: int) -> Formula:
    """The newest value over the mean of those 1 to `cycles` times `period` rows ago; raises Invalid if too long."""
    if period * cycles > 20_000:
        raise Invalid("parameters.cycles", f"period times cycles must be at most 20000, not {period * cycles}")

    def terms(a: Arithmetic[Any], now: Row, *earlier: Row) -> Row:
        total = earlier[0][0]
        for row in earlier[1:]:
            total = total + row[0]
        return (a.ratio(now[0], total / cycles),)

    lags = tuple(period * cycle for cycle in range(cycles + 1))
    return Formula(lambda a, sums, row: sums[0], windows=(1,), terms=terms, lags=lags)


def difference_weights(order: float, threshold: float, limit: int) -> Array:
    """Weights of (1 - L)^order, newest row first, until one is below `threshold`, at most `limit`; shape [width].

    >>> difference_weights(0.5, 0.05, 100).tolist()
    [1.0, -0.5, -0.125, -0.0625]
    """
    weights = [1.0]
    while len(weights) < limit:
        k = len(weights)
        weight = -weights[-1] * (order - k + 1) / k
        if abs(weight) < threshold:
            break
        weights.append(weight)
    return np.array(weights)


def _weighted_reference(values: Array, window: int, weights: Array) -> Array:
    return np.convolve(values, weights, mode="valid")


@kernel(reference=_weighted_reference, example=lambda: (np.arange(5.0), 2, np.array([1.0, -0.5])))
def weighted_window(values: Array, window: int, weights: Array) -> Array:
    """Weighted sum of every `window` values, weights newest first, summed from the newest; [rows - window + 1]."""
    count = len(values) - window + 1
    out = np.empty(max(count, 0))
    for start in range(count):
        total = 0.0
        for k in range(window):
            total += weights[k] * values[start + window - 1 - k]
        out[start] = total
    return out


def fractional_difference(order: float, threshold: float, limit: int) -> Computation:
    """Fractional difference of a series with a window of fixed width."""
    weights = difference_weights(order, threshold, limit)
    return WindowStatistic(weighted_window, len(weights), (weights,))


CLOSE = ("bars.close",)
FEATURES = (
    Feature(
        "autocorrelation",
        "Correlation of log returns with earlier ones.",
        "in [-1, 1]",
        "Box and Jenkins (1970), Time series analysis; Pearson form over the pairs in the window.",
        CLOSE,
        built_by(autocorrelation),
        (
            Parameter("window", 60, 3, 100_000, "number of pairs of returns"),
            Parameter("lag", 1, 1, 1_000, "rows between the returns of a pair"),
        ),
        group="dependence",
    ),
    Feature(
        "variance_ratio",
        "Variance of long returns over that of short ones, scaled: 1 for a random walk, above it for trends.",
        "ratio",
        "Lo and MacKinlay (1988), Stock market prices do not follow random walks, overlapping unbiased form.",
        CLOSE,
        built_by(variance_ratio),
        (
            Parameter("window", 60, 3, 100_000, "number of one-row returns"),
            Parameter("periods", 5, 2, 1_000, "rows of a long return"),
        ),
        group="dependence",
    ),
    Feature(
        "hurst_exponent",
        "Scaling of the root mean square move with time: 0.5 for a random walk, above it for persistence.",
        "exponent",
        "Di Matteo (2007), Multi-scaling in finance: generalised Hurst exponent with q = 2.",
        CLOSE,
        built_by(hurst_exponent),
        (
            Parameter("window", 120, 2, 100_000, "number of moves of each length"),
            Parameter("scales", 5, 2, 10, "lengths 1, 2, 4 ... rows"),
        ),
        group="dependence",
    ),
    Feature(
        "correlation",
        "Correlation of the log returns of two prices.",
        "in [-1, 1]",
        "Pearson (1895).",
        ("bars.close", "bars.benchmark"),
        built_by(correlation),
        (Parameter("window", 60, 3, 100_000, "number of returns"),),
        group="dependence",
    ),
    Feature(
        "beta",
        "Least-squares slope of one price's log returns on another's.",
        "ratio",
        "Sharpe (1964), Capital asset prices.",
        ("bars.close", "bars.benchmark"),
        built_by(beta),
        (Parameter("window", 60, 3, 100_000, "number of returns"),),
        group="dependence",
    ),
    Feature(
        "seasonal_ratio",
        "The newest value over the mean of those at the same point of earlier cycles.",
        "ratio",
        "Brockwell and Davis (2016), Introduction to time series and forecasting, classical decomposition.",
        ("bars.volume",),
        built_by(seasonal_ratio),
        (
            Parameter("period", 390, 1, 20_000, "rows of one cycle"),
            Parameter("cycles", 5, 1, 100, "number of earlier cycles"),
        ),
        group="dependence",
    ),
    Feature(
        "fractional_difference",
        "Difference of fractional order: stationary, yet with memory.",
        "the input's",
        "Hosking (1981), Fractional differencing; fixed width as in Lopez de Prado (2018), chapter 5.",
        CLOSE,
        built_by(fractional_difference),
        (
            Parameter("order", 0.4, 0.0, 2.0, "order of the difference"),
            Parameter("threshold", 1e-3, 1e-8, 0.5, "weights below this are cut"),
            Parameter("limit", 1_000, 1, 5_000, "largest width"),
        ),
        group="dependence",
    ),
)

"""Realised measures of a price path: variance, its continuous part, its jumps, its asymmetry, its noise-robust form."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from nautilus.accel.kernel import kernel
from nautilus.engines.features.arithmetic import Arithmetic, Array, Row, Value
from nautilus.engines.features.feature import Computation, Feature, Parameter, built_by
from nautilus.engines.features.formula import Formula
from nautilus.engines.features.window import WindowStatistic
from nautilus.errors import Invalid

BIPOWER_SCALE = math.pi / 2.0
JUMP_VARIANCE = math.pi**2 / 4.0 + math.pi - 5.0
MEDIAN_SCALE = math.pi / (6.0 - 4.0 * math.sqrt(3.0) + math.pi)


def log_return(a: Arithmetic[Any], now: Row, before: Row) -> Value:
    """ln(now / before) of the first input."""
    return a.log(a.ratio(now[0], before[0]))


def _returns(a: Arithmetic[Any], *rows: Row) -> Row:
    """Log returns, newest first, of rows newest first."""
    return tuple(log_return(a, now, before) for now, before in pairwise(rows))


def _square(a: Arithmetic[Any], now: Row, before: Row) -> Row:
    change = log_return(a, now, before)
    return (change * change,)


def realised_variance(window: int) -> Formula:
    """Sum of the last `window` squared log returns."""
    return Formula(lambda a, sums, row: sums[0], windows=(window,), terms=_square, lags=(0, 1))


def realised_volatility(window: int) -> Formula:
    """Square root of the realised variance."""
    return Formula(lambda a, sums, row: a.sqrt(sums[0]), windows=(window,), terms=_square, lags=(0, 1))


def downside_semivariance(window: int) -> Formula:
    """Sum of the last `window` squared negative log returns."""

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        change = log_return(a, now, before)
        return (change * change * (change < 0.0),)

    return Formula(lambda a, sums, row: sums[0], windows=(window,), terms=terms, lags=(0, 1))


def bipower_variation(window: int) -> Formula:
    """pi/2 * n/(n-1) * sum of |r_i||r_(i-1)| within the last n = `window` log returns."""

    def terms(a: Arithmetic[Any], *rows: Row) -> Row:
        newest, before = _returns(a, *rows)
        return (abs(newest) * abs(before),)

    scale = BIPOWER_SCALE * window / (window - 1)
    return Formula(lambda a, sums, row: scale * sums[0], windows=(window - 1,), terms=terms, lags=(0, 1, 2))


def median_variance(window: int) -> Formula:
    """Realised variance by the median of three neighbouring returns, within the last `window` log returns."""

    def terms(a: Arithmetic[Any], *rows: Row) -> Row:
        x, y, z = (abs(change) for change in _returns(a, *rows))
        middle = a.maximum(a.minimum(x, y), a.minimum(a.maximum(x, y), z))
        return (middle * middle,)

    scale = MEDIAN_SCALE * window / (window - 2)
    return Formula(lambda a, sums, row: scale * sums[0], windows=(window - 2,), terms=terms, lags=(0, 1, 2, 3))


def jump_statistic(window: int) -> Formula:
    """Ratio jump statistic of the last `window` log returns, standard normal without jumps, large with them."""

    def terms(a: Arithmetic[Any], *rows: Row) -> Row:
        newest, second, third, fourth = _returns(a, *rows)
        pair = abs(newest) * abs(second)
        return newest * newest, pair, pair * abs(third) * abs(fourth)

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        variance, pairs, quadruples = sums
        bipower = BIPOWER_SCALE * pairs * (window / (window - 1))
        quarticity = BIPOWER_SCALE * BIPOWER_SCALE * window * quadruples * (window / (window - 3))
        spread = a.maximum(1.0, a.ratio(quarticity, bipower * bipower))
        return a.ratio(variance - bipower, variance * a.sqrt(JUMP_VARIANCE / window * spread))

    return Formula(combine, windows=(window, window - 1, window - 3), terms=terms, lags=(0, 1, 2, 3, 4))


def realised_moment(window: int, order: int) -> Formula:
    """Realised skewness (order 3) or kurtosis (order 4) of the last `window` log returns."""

    def terms(a: Arithmetic[Any], now: Row, before: Row) -> Row:
        change = log_return(a, now, before)
        square = change * change
        return square, square * (change if order == 3 else square)

    def combine(a: Arithmetic[Any], sums: Row, row: Row) -> Value:
        variance, moment = sums
        if order == 3:
            return a.ratio(math.sqrt(window) * moment, variance * a.sqrt(variance))
        return a.ratio(window * moment, variance * variance)

    return Formula(combine, windows=(window, window), terms=terms, lags=(0, 1))


def _kernel_reference(prices: Array, window: int, bandwidth: int) -> Array:
    out = []
    for end in range(window, len(prices) + 1):
        path = prices[end - window : end]
        if not (path > 0.0).all():
            out.append(math.nan)
            continue
        changes = np.diff(np.log(path))
        total = float(changes @ changes)
        for lag in range(1, bandwidth + 1):
            x = lag / (bandwidth + 1)
            weight = 1 - 6 * x**2 + 6 * x**3 if x <= 0.5 else 2 * (1 - x) ** 3
            total += 2 * weight * float(changes[lag:] @ changes[:-lag])
        out.append(total)
    return np.array(out)


@kernel(reference=_kernel_reference, example=lambda: (np.arange(1.0, 9.0), 6, 2))
def realised_kernel_path(prices: Array, window: int, bandwidth: int) -> Array:
    """Realised kernel with Parzen weights of every `window` prices, shape [rows - window + 1]."""
    count = len(prices) - window + 1
    out = np.empty(max(count, 0))
    changes = np.empty(window - 1)
    for start in range(count):
        for i in range(window - 1):
            before, now = prices[start + i], prices[start + i + 1]
            changes[i] = math.log(now / before) if before > 0.0 and now > 0.0 else np.nan
        total = 0.0
        for lag in range(bandwidth + 1):
            x = lag / (bandwidth + 1.0)
            weight = 1.0 - 6.0 * x * x + 6.0 * x * x * x if x <= 0.5 else 2.0 * (1.0 - x) * (1.0 - x) * (1.0 - x)
            covariance = 0.0
            for i in range(lag, window - 1):
                covariance += changes[i] * changes[i - lag]
            total += weight * covariance if lag == 0 else 2.0 * weight * covariance
        out[start] = total
    return out


def realised_kernel(window: int, bandwidth: int) -> Computation:
    """Realised kernel of the last `window` log returns; raises Invalid where the bandwidth does not fit the window."""
    if bandwidth >= window:
        raise Invalid("parameters.bandwidth", f"must be less than the window {window}, not {bandwidth}")
    return WindowStatistic(realised_kernel_path, window + 1, (bandwidth,))


def _window(default: int, minimum: int) -> tuple[Parameter, ...]:
    return (Parameter("window", default, minimum, 100_000, "number of log returns"),)


CLOSE = ("bars.close",)
FEATURES = (
    Feature(
        "realised_variance",
        "Sum of squared log returns.",
        "variance of the window",
        "Andersen, Bollerslev, Diebold and Labys (2003), Modeling and forecasting realized volatility.",
        CLOSE,
        built_by(realised_variance),
        _window(30, 1),
        group="volatility",
    ),
    Feature(
        "realised_volatility",
        "Square root of the realised variance.",
        "standard deviation of the window",
        "Andersen, Bollerslev, Diebold and Labys (2003).",
        CLOSE,
        built_by(realised_volatility),
        _window(30, 1),
        group="volatility",
    ),
    Feature(
        "downside_semivariance",
        "Sum of squared negative log returns.",
        "variance of the window",
        "Barndorff-Nielsen, Kinnebrock and Shephard (2010), Measuring downside risk: realised semivariance.",
        CLOSE,
        built_by(downside_semivariance),
        _window(30, 1),
        group="volatility",
    ),
    Feature(
        "bipower_variation",
        "Variance of the continuous part of the path: products of neighbouring absolute returns.",
        "variance of the window",
        "Barndorff-Nielsen and Shephard (2004), Power and bipower variation, with the factor n/(n-1).",
        CLOSE,
        built_by(bipower_variation),
        _window(30, 2),
        group="volatility",
    ),
    Feature(
        "median_realised_variance",
        "Variance robust to jumps and zero returns: medians of three neighbouring absolute returns.",
        "variance of the window",
        "Andersen, Dobrev and Schaumburg (2012), Jump-robust volatility estimation; MedRV.",
        CLOSE,
        built_by(median_variance),
        _window(30, 3),
        group="volatility",
    ),
    Feature(
        "jump_statistic",
        "Ratio jump test: standard normal without jumps, above 2.33 a jump at the 1% level.",
        "standard deviations",
        "Barndorff-Nielsen and Shephard (2006), Econometrics of testing for jumps: the ratio test; Huang and Tauchen.",
        CLOSE,
        built_by(jump_statistic),
        _window(60, 4),
        group="volatility",
    ),
    Feature(
        "realised_skewness",
        "sqrt(n) * sum of r^3 / (sum of r^2)^1.5.",
        "dimensionless",
        "Amaya, Christoffersen, Jacobs and Vasquez (2015), Does realized skewness predict equity returns?",
        CLOSE,
        built_by(lambda window: realised_moment(window, 3)),
        _window(60, 2),
        group="volatility",
    ),
    Feature(
        "realised_kurtosis",
        "n * sum of r^4 / (sum of r^2)^2.",
        "dimensionless",
        "Amaya, Christoffersen, Jacobs and Vasquez (2015).",
        CLOSE,
        built_by(lambda window: realised_moment(window, 4)),
        _window(60, 2),
        group="volatility",
    ),
    Feature(
        "realised_kernel",
        "Variance robust to microstructure noise: autocovariances of returns with Parzen weights.",
        "variance of the window",
        "Barndorff-Nielsen, Hansen, Lunde and Shephard (2009), Realized kernels in practice.",
        CLOSE,
        built_by(realised_kernel),
        (
            Parameter("window", 60, 2, 1_000, "number of log returns"),
            Parameter("bandwidth", 5, 0, 50, "number of autocovariances"),
        ),
        group="volatility",
    ),
)

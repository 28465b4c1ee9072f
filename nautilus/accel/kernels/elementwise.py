"""Chains of elementwise steps in one pass: standardised log returns of a price panel, and softmax weights of scores.

Done one NumPy call at a time such chains wait for memory; fused they wait for the logarithm. NaN spoils the numbers
that depend on it (a column's, a row's) and no others. float32 keeps the digits of small returns and of scores close to
the best: their ratios and differences are made in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernel import jit
from nautilus.accel.kernels.argument_checks import check_positive
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]

BLOCK = 1 << 15
"""Numbers that are worked on at a time: 256 kB, which stay in the cache."""


def _prices(size: int) -> tuple[Any, ...]:
    instruments = math.isqrt(size // 4)
    dates = 4 * instruments + 3
    returns = np.random.default_rng(24).standard_t(4, size=(dates, instruments))
    return 100.0 * np.exp(0.01 * np.cumsum(returns, axis=0)), 3.0


def _scores(size: int) -> tuple[Any, ...]:
    rows = math.isqrt(size)
    columns = size // rows if rows else 0
    return (np.random.default_rng(25).normal(size=(rows, columns)), 0.5)


@routed(
    example=_prices,
    size=lambda prices, *_: prices.size,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    work=lambda prices, *_: Work(flops=30.0 * prices.size, bytes=16.0 * prices.size),
    relative_error=1e-11,
    float32_error=1e-5,
)
def standardised_log_returns(prices: Floats, limit: float) -> Floats:
    """Log returns of (dates, instruments) prices, winsorised and scaled to mean 0 and deviation 1: one row less.

    Each instrument's returns are clipped at `limit` sample deviations about their mean; mean and deviation (divisor
    n - 1) are then taken anew. NaN where a price is not positive, for an instrument that never moves or has fewer than
    two returns. Raises Invalid for a limit that is not positive.

    >>> standardised_log_returns([[1.0], [2.0], [1.0], [2.0]], 3.0).round(3).tolist()
    [[0.577], [-1.155], [0.577]]
    """
    check_positive(limit=limit)
    if prices.shape[0] < 3:
        return np.full((max(prices.shape[0] - 1, 0), prices.shape[1]), np.nan)
    with np.errstate(all="ignore"):
        returns = np.log(_ratios(prices))
        mean, deviation = returns.mean(axis=0), returns.std(axis=0, ddof=1)
        clipped = np.clip(returns, mean - limit * deviation, mean + limit * deviation)
        centred = clipped - clipped.mean(axis=0)
        scaled: Floats = centred / _moving(prices, clipped.std(axis=0, ddof=1))
    return scaled


@standardised_log_returns.numba_around
def _(prices: Floats, limit: float) -> Floats:
    check_positive(limit=limit)
    if prices.shape[0] < 3:
        return standardised_log_returns.reference(prices, limit)
    returns, moves = np.empty((prices.shape[0] - 1, prices.shape[1])), np.zeros(prices.shape[1])
    rows = max(1, BLOCK // max(prices.shape[1], 1))
    for first in range(0, len(returns), rows):
        block = returns[first : first + rows]
        _fill_ratios(prices[first : first + rows + 1], block, moves)
        np.log(block, out=block)  # NumPy's does several numbers at once, which Numba's does not
    _standardise(returns, moves, limit)
    return returns


@jit
def _fill_ratios(prices: Floats, ratios: Floats, moves: Floats) -> None:
    for row in range(ratios.shape[0]):
        for column in range(ratios.shape[1]):
            before, after = prices[row, column], prices[row + 1, column]
            ratios[row, column] = after / before if before > 0.0 and after > 0.0 else math.nan
            moves[column] += before != after


@jit
def _standardise(returns: Floats, moves: Floats, limit: float) -> None:
    """Winsorise and scale the columns in place; one that never moved becomes NaN."""
    mean, deviation = _moments(returns)
    low, high = mean - limit * deviation, mean + limit * deviation
    for row in range(returns.shape[0]):
        for column in range(returns.shape[1]):
            value = returns[row, column]
            if value < low[column]:
                returns[row, column] = low[column]
            elif value > high[column]:
                returns[row, column] = high[column]
    mean, deviation = _moments(returns)
    for column in range(returns.shape[1]):
        still = moves[column] == 0.0 or deviation[column] == 0.0
        deviation[column] = math.nan if still else 1.0 / deviation[column]
    for row in range(returns.shape[0]):
        for column in range(returns.shape[1]):
            returns[row, column] = (returns[row, column] - mean[column]) * deviation[column]


@jit
def _moments(returns: Floats) -> tuple[Floats, Floats]:
    """Mean and sample deviation of each column, in passes along the rows, as the memory lies."""
    rows, columns = returns.shape
    mean, square = np.zeros(columns), np.zeros(columns)
    for row in range(rows):
        for column in range(columns):
            mean[column] += returns[row, column]
    mean /= rows
    for row in range(rows):
        for column in range(columns):
            square[column] += (returns[row, column] - mean[column]) ** 2
    return mean, np.sqrt(square / (rows - 1))


@standardised_log_returns.mlx
def _(mx: Any, prices: Floats, limit: float) -> Any:
    check_positive(limit=limit)
    if prices.shape[0] < 3:
        return to_device(mx, np.full((max(prices.shape[0] - 1, 0), prices.shape[1]), np.nan))
    with np.errstate(all="ignore"):
        moves = to_device(mx, _ratios(prices) - 1.0)
    returns = mx.log1p(moves)
    mean, deviation = returns.mean(axis=0), mx.std(returns, axis=0, ddof=1)
    clipped = mx.clip(returns, mean - limit * deviation, mean + limit * deviation)
    centred = clipped - clipped.mean(axis=0)
    spread = mx.sqrt((centred * centred).sum(axis=0) / (prices.shape[0] - 2))
    return centred / mx.where(mx.any(moves != 0.0, axis=0), spread, math.nan)


@routed(
    example=_scores,
    size=lambda scores, *_: scores.size,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 5_000_000),
    work=lambda scores, *_: Work(flops=15.0 * scores.size, bytes=16.0 * scores.size),
    relative_error=1e-12,
    float32_error=2e-5,
)
def softmax_weights(scores: Floats, temperature: float) -> Floats:
    """Positive weights that sum to one in each row of (rows, columns) scores: exp(score / temperature), normalised.

    The lower the temperature, the more goes to the best score. NaN in a row makes its weights NaN. Raises Invalid for
    a temperature that is not positive. There is no Numba version: NumPy's exponential does several numbers at once,
    and loops are no faster than it.

    >>> softmax_weights([[1.0, 1.0, 2.0]], 1.0).round(4).tolist()
    [[0.2119, 0.2119, 0.5761]]
    """
    check_positive(temperature=temperature)
    if not scores.size:
        return np.empty_like(scores)
    with np.errstate(invalid="ignore"):
        powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
        weights: Floats = powers / powers.sum(axis=1, keepdims=True)
    return weights


@softmax_weights.mlx
def _(mx: Any, scores: Floats, temperature: float) -> Any:
    check_positive(temperature=temperature)
    if not scores.size:
        return to_device(mx, scores)
    highest = scores.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return mx.softmax(to_device(mx, (scores - highest) / temperature), axis=1)


def _ratios(prices: Floats) -> Floats:
    """Each price over the one before; NaN unless both are positive."""
    ratios: Floats = np.where((prices[1:] > 0.0) & (prices[:-1] > 0.0), prices[1:] / prices[:-1], np.nan)
    return ratios


def _moving(prices: Floats, deviation: Floats) -> Floats:
    """The deviations, NaN for an instrument whose price is always the same."""
    return np.where((prices[1:] != prices[:-1]).any(axis=0), deviation, np.nan)

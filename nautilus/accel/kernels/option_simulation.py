"""Prices of path-dependent options by simulation, with their standard error: European, Asian, and with a barrier.

The asset follows geometric Brownian motion; units are those of `options`. A seed repeats its result on one backend.
NumPy and Numba draw the same numbers, MLX draws its own: there results agree as two samples do, and blocks are added up
in float64. Memory is bounded: paths are drawn and forgotten in blocks. Source: Glasserman 2003, "Monte Carlo Methods in
Financial Engineering", sections 3.2, 4.2 and 6.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernel import jit
from nautilus.accel.kernels.argument_checks import check_not_negative, check_positive
from nautilus.accel.routed import Work, routed
from nautilus.errors import Invalid

type Floats = NDArray[np.float64]

BLOCK = 1 << 18
"""Normals that NumPy draws at a time: 2 MB, which stay in the cache."""

DEVICE_BLOCK = 1 << 22
"""Normals that MLX draws at a time: 16 MB, and a few arrays of that size made from them."""


class Payoff(IntEnum):
    """What the payoff looks at: the last price, or the arithmetic or geometric mean of the prices at all steps."""

    EUROPEAN = 0
    ARITHMETIC_ASIAN = 1
    GEOMETRIC_ASIAN = 2


class Barrier(IntEnum):
    """Whether reaching a level, from below (up) or above (down), ends the option (out) or is what begins it (in)."""

    NONE = 0
    UP_AND_OUT = 1
    UP_AND_IN = 2
    DOWN_AND_OUT = 3
    DOWN_AND_IN = 4


_UP = (Barrier.UP_AND_OUT, Barrier.UP_AND_IN)
_IN = (Barrier.UP_AND_IN, Barrier.DOWN_AND_IN)


class SimulatedPrice(NamedTuple):
    """A price and its standard error, NaN for fewer than two pairs of paths."""

    price: float
    standard_error: float


def _alike(found: SimulatedPrice, expected: SimulatedPrice) -> None:
    """Two estimates of one price lie within six standard errors of their difference."""
    if math.isnan(expected.standard_error):
        assert math.isnan(found.standard_error)
        return
    allowed = 6.0 * math.hypot(found.standard_error, expected.standard_error) + 1e-5 * abs(expected.price)
    assert abs(found.price - expected.price) <= allowed, f"{found} is not {expected}"


def _simulation(size: int) -> tuple[Any, ...]:
    payoff, barrier = int(Payoff.ARITHMETIC_ASIAN), int(Barrier.DOWN_AND_OUT)
    return 28, size // 16, 16, 100.0, 100.0, 0.04, 0.01, 0.25, 0.75, True, payoff, barrier, 85.0, True


@routed(
    example=_simulation,
    size=lambda seed, pairs, steps, *_: pairs * steps,
    sizes=(1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    work=lambda seed, pairs, steps, *_: Work(flops=110.0 * pairs * steps, bytes=16.0),
    relative_error=1e-9,
    float32_error=1e-5,
    compare=_alike,
)
def option_by_simulation(
    seed: int,
    pairs: int,
    steps: int,
    spot: float,
    strike: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    expiry: float,
    is_call: bool,
    payoff: int,
    barrier: int,
    level: float,
    continuous: bool,
) -> SimulatedPrice:
    """Price of an option on one asset, from `pairs` of antithetic paths of so many `steps`.

    `payoff` and `barrier` are numbers of `Payoff` and `Barrier`; `level` is the barrier's price. A `continuous` barrier
    is watched between the steps too, by the probability that a Brownian bridge reaches it, so that few steps do; else
    at the steps alone. No rebate is paid. The standard error counts each pair, whose mean is one draw, once. Raises
    Invalid for numbers without meaning.

    >>> found = option_by_simulation(1, 50_000, 1, 42.0, 40.0, 0.1, 0.0, 0.2, 0.5, True, 0, 0, 0.0, False)
    >>> round(found.price, 2), round(found.standard_error, 3)
    (4.75, 0.008)
    """
    check_not_negative(seed=seed, pairs=pairs)
    generator = np.random.default_rng(seed)
    terms = _Terms(steps, spot, strike, rate, dividend_yield, volatility, expiry, is_call, payoff, barrier, level)

    def blocks() -> Iterable[tuple[int, float, float]]:
        for count in _block_sizes(pairs, steps, BLOCK):
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                logs = terms.spread * np.cumsum(generator.standard_normal((count, steps)), axis=1)
                values = 0.5 * (
                    _discounted(np, terms, terms.trend + logs, continuous)
                    + _discounted(np, terms, terms.trend - logs, continuous)
                )
            mean = float(values.mean())
            yield count, mean, float(np.square(values - mean).sum())

    return _combined(blocks())


@option_by_simulation.numba_around
def _(
    seed: int,
    pairs: int,
    steps: int,
    spot: float,
    strike: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    expiry: float,
    is_call: bool,
    payoff: int,
    barrier: int,
    level: float,
    continuous: bool,
) -> SimulatedPrice:
    check_not_negative(seed=seed, pairs=pairs)
    terms = _Terms(steps, spot, strike, rate, dividend_yield, volatility, expiry, is_call, payoff, barrier, level)
    found = _walk(
        np.random.default_rng(seed),
        pairs,
        steps,
        terms.spot,
        terms.strike,
        terms.discount,
        terms.mean,
        terms.spread,
        terms.sign,
        payoff,
        terms.direction,
        terms.distance,
        terms.begins,
        continuous,
    )
    return _combined([(pairs, *found)] if pairs else [])


@option_by_simulation.mlx
def _(
    mx: Any,
    seed: int,
    pairs: int,
    steps: int,
    spot: float,
    strike: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    expiry: float,
    is_call: bool,
    payoff: int,
    barrier: int,
    level: float,
    continuous: bool,
) -> SimulatedPrice:
    check_not_negative(seed=seed, pairs=pairs)
    terms = _Terms(steps, spot, strike, rate, dividend_yield, volatility, expiry, is_call, payoff, barrier, level)
    trend = to_device(mx, terms.trend)
    key = mx.random.key(seed)

    def blocks() -> Iterable[tuple[int, float, float]]:
        nonlocal key
        for count in _block_sizes(pairs, steps, DEVICE_BLOCK):
            key, drawn = mx.random.split(key)
            logs = terms.spread * mx.cumsum(mx.random.normal((count, steps), key=drawn), axis=1)
            values = 0.5 * (
                _discounted(mx, terms, trend + logs, continuous) + _discounted(mx, terms, trend - logs, continuous)
            )
            mean = values.mean()
            squares = mx.square(values - mean).sum()
            mx.eval(mean, squares)  # one block at a time is in memory
            yield count, mean.item(), squares.item()

    return _combined(blocks())


class _Terms:
    """An option in numbers that every path needs; logarithms are relative to the spot, and made in float64."""

    def __init__(
        self,
        steps: int,
        spot: float,
        strike: float,
        rate: float,
        dividend_yield: float,
        volatility: float,
        expiry: float,
        is_call: bool,
        payoff: int,
        barrier: int,
        level: float,
    ) -> None:
        check_positive(steps=steps)
        check_not_negative(volatility=volatility, expiry=expiry)
        if payoff not in set(Payoff):
            raise Invalid("payoff", f"must be one of {[int(one) for one in Payoff]}, not {payoff}")
        if barrier not in set(Barrier):
            raise Invalid("barrier", f"must be one of {[int(one) for one in Barrier]}, not {barrier}")
        if barrier != Barrier.NONE:
            check_positive(spot=spot, level=level)
        step = expiry / steps
        self.spot, self.strike, self.payoff = spot, strike, payoff
        self.sign = 1.0 if is_call else -1.0
        self.discount = math.exp(-rate * expiry)
        self.mean = (rate - dividend_yield - 0.5 * volatility * volatility) * step
        self.spread = volatility * math.sqrt(step)
        self.trend = self.mean * np.arange(1.0, steps + 1.0)
        self.direction = 0.0 if barrier == Barrier.NONE else 1.0 if barrier in _UP else -1.0
        self.begins = barrier in _IN
        self.distance = self.direction * math.log(level / spot) if self.direction else math.inf
        """How far, in the barrier's direction, the logarithm has to go."""


def _discounted(xp: Any, terms: _Terms, logs: Any, continuous: bool) -> Any:
    """Discounted payoff of each path from the logarithms (paths, steps) of its prices over the spot."""
    if terms.payoff == Payoff.ARITHMETIC_ASIAN:
        price = terms.spot * xp.exp(logs).mean(axis=1)
    elif terms.payoff == Payoff.GEOMETRIC_ASIAN:
        price = terms.spot * xp.exp(logs.mean(axis=1))
    else:
        price = terms.spot * xp.exp(logs[:, -1])
    value = terms.discount * xp.maximum(terms.sign * (price - terms.strike), 0.0)
    if not terms.direction:
        return value
    alive = _survival(xp, terms, logs, continuous)
    return value * (1.0 - alive if terms.begins else alive)


def _survival(xp: Any, terms: _Terms, logs: Any, continuous: bool) -> Any:
    """Probability that a path's barrier is not reached, given its prices at the steps."""
    room = terms.distance - terms.direction * logs
    if not continuous:
        return xp.where(room.min(axis=1) > 0.0, 1.0, 0.0)
    if terms.distance <= 0.0:
        return xp.zeros(logs.shape[0], dtype=logs.dtype)
    first = xp.full((logs.shape[0], 1), terms.distance, dtype=logs.dtype)
    before = xp.concatenate([first, room[:, :-1]], axis=1)
    reached = xp.exp(-2.0 * before * room / (terms.spread * terms.spread)) if terms.spread else xp.zeros_like(room)
    return xp.prod(xp.where((before > 0.0) & (room > 0.0), 1.0 - reached, 0.0), axis=1)


@jit
def _walk(
    generator: np.random.Generator,
    pairs: int,
    steps: int,
    spot: float,
    strike: float,
    discount: float,
    mean: float,
    spread: float,
    sign: float,
    payoff: int,
    direction: float,
    distance: float,
    begins: bool,
    continuous: bool,
) -> tuple[float, float]:
    average, squares = 0.0, 0.0
    normals = np.empty(steps)
    for pair in range(pairs):
        for index in range(steps):
            normals[index] = generator.standard_normal()
        value = 0.0
        for mirror in (spread, -spread):
            value += 0.5 * _path_value(
                normals, mirror, spot, strike, mean, sign, payoff, direction, distance, begins, continuous
            )
        value *= discount
        gap = value - average
        average += gap / (pair + 1)
        squares += gap * (value - average)
    return average, squares


@jit
def _path_value(
    normals: Floats,
    spread: float,
    spot: float,
    strike: float,
    mean: float,
    sign: float,
    payoff: int,
    direction: float,
    distance: float,
    begins: bool,
    continuous: bool,
) -> float:
    log, drawn, total, alive = 0.0, 0.0, 0.0, 1.0
    room = distance
    for index in range(normals.size):
        drawn += normals[index]
        log = (index + 1) * mean + spread * drawn
        if payoff == 1:
            total += math.exp(log)
        elif payoff == 2:
            total += log
        if direction != 0.0:
            before, room = room, distance - direction * log
            if room <= 0.0 or (continuous and before <= 0.0):
                alive = 0.0
            elif continuous and spread != 0.0:
                alive *= 1.0 - math.exp(-2.0 * before * room / (spread * spread))
    if payoff == 1:
        price = spot * total / normals.size
    elif payoff == 2:
        price = spot * math.exp(total / normals.size)
    else:
        price = spot * math.exp(log)
    share = 1.0 - alive if begins else alive
    return share * max(sign * (price - strike), 0.0)


def _block_sizes(pairs: int, steps: int, block: int) -> Iterable[int]:
    most = max(1, block // steps)
    while pairs > 0:
        yield min(pairs, most)
        pairs -= most


def _combined(blocks: Iterable[tuple[int, float, float]]) -> SimulatedPrice:
    """Mean and its standard error of all values, from each block's count, mean and squares about its mean."""
    count, mean, squares = 0, math.nan, 0.0
    for more, other, spread in blocks:
        gap = other - mean if count else 0.0
        squares += spread + gap * gap * count * more / (count + more)
        mean = mean + gap * more / (count + more) if count else other
        count += more
    return SimulatedPrice(mean, math.sqrt(squares / (count - 1) / count) if count > 1 else math.nan)

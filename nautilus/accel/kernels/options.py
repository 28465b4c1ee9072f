"""Black-Scholes-Merton prices and Greeks of many European options, and of one option over a grid of scenarios.

Vega is for 1.00 of volatility, rho for 1.00 of rate, theta for a year that passes. Rates, dividend yields and
volatilities are yearly and continuous, expiries are years.

Without volatility or without time the results are their limits, and infinite where the limit is: the gamma of an option
that expires on its strike. An input without meaning (a negative price, volatility or expiry, or NaN) gives NaN, for its
own option alone. Tails keep their digits in float64: a price of 1e-26 is right. In float32 the error stated is relative
to the `scales` of an option, such as its spot, so that a price far below that has few digits or none. Source: Hull
2017, "Options, Futures, and Other Derivatives", chapters 15, 17 and 19.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.arrays import to_device
from nautilus.accel.kernels.argument_checks import check_lengths
from nautilus.accel.kernels.option_blocks import BLOCK, fill_block
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]
type Booleans = NDArray[np.bool_]


class OptionValues(NamedTuple):
    """Prices and Greeks, each an array of one shape: a number for every option or scenario."""

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats


_ROOT_TWO = math.sqrt(2.0)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def _option_examples(size: int) -> tuple[Any, ...]:
    source = np.random.default_rng(20)
    return (
        source.uniform(50.0, 150.0, size),
        source.uniform(50.0, 150.0, size),
        source.uniform(-0.01, 0.08, size),
        source.uniform(0.0, 0.05, size),
        source.uniform(0.05, 0.8, size),
        source.uniform(0.05, 3.0, size),
        source.uniform(size=size) < 0.5,
    )


def _grid_example(size: int) -> tuple[Any, ...]:
    rows = math.isqrt(size)
    columns = size // rows if rows else 0
    spots, volatilities = 100.0 + 100.0 * _centred(rows), 0.4 + 0.7 * _centred(columns)
    return spots, volatilities, 100.0, 0.03, 0.01, 0.75, False


def _centred(count: int) -> Floats:
    """Evenly spaced within -0.5 and 0.5, about 0."""
    return (np.arange(count) - 0.5 * (count - 1)) / max(count, 1)


def _option_work(spot: Floats, *_: Any) -> Work:
    return Work(flops=110.0 * spot.size, bytes=97.0 * spot.size)


def _grid_work(spots: Floats, volatilities: Floats, *_: Any) -> Work:
    cells = spots.size * volatilities.size
    return Work(flops=100.0 * cells, bytes=48.0 * cells)


@routed(
    example=_option_examples,
    size=lambda spot, *_: spot.size,
    sizes=(64, 1_000, 10_000, 100_000, 1_000_000),
    work=_option_work,
    relative_error=1e-12,
    float32_error=5e-6,
)
def black_scholes(
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> OptionValues:
    """Price and Greeks of each option; all arguments are vectors of one length. Raises Invalid where they are not.

    >>> values = black_scholes([42.0], [40.0], [0.1], [0.0], [0.2], [0.5], [True])
    >>> values.price.round(2).tolist(), values.delta.round(4).tolist()
    ([4.76], [0.7791])
    """
    from scipy.special import ndtr

    _check_lengths(spot, strike, rate, dividend_yield, volatility, expiry, is_call)
    sign = np.where(is_call, 1.0, -1.0)
    distance = _log_forward_moneyness(spot, strike, rate, dividend_yield, volatility, expiry)
    with np.errstate(all="ignore"):
        return _formulas(np, ndtr, distance, spot, strike, rate, dividend_yield, volatility, expiry, sign)


@black_scholes.numba_around
def _(
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> OptionValues:
    results = OptionValues(*(np.empty(spot.size) for _ in OptionValues._fields))
    _check_lengths(spot, strike, rate, dividend_yield, volatility, expiry, is_call)
    inputs = spot, strike, rate, dividend_yield, volatility, expiry, is_call
    for first in range(0, spot.size, BLOCK):
        part = slice(first, first + BLOCK)
        fill_block([one[part] for one in inputs], [one[part] for one in results])
    return results


@black_scholes.mlx
def _(
    mx: Any,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> OptionValues:
    _check_lengths(spot, strike, rate, dividend_yield, volatility, expiry, is_call)
    bring = partial(to_device, mx)
    return _formulas(
        mx,
        _device_normal(mx),
        bring(_log_forward_moneyness(spot, strike, rate, dividend_yield, volatility, expiry)),
        bring(spot),
        bring(strike),
        bring(rate),
        bring(dividend_yield),
        bring(volatility),
        bring(expiry),
        bring(np.where(is_call, 1.0, -1.0)),
    )


@routed(
    example=_grid_example,
    size=lambda spots, volatilities, *_: spots.size * volatilities.size,
    sizes=(64, 1_000, 10_000, 100_000, 1_000_000),
    work=_grid_work,
    relative_error=1e-12,
    float32_error=5e-6,
)
def option_grid(
    spots: Floats,
    volatilities: Floats,
    strike: float,
    rate: float,
    dividend_yield: float,
    expiry: float,
    is_call: bool,
) -> OptionValues:
    """Price and Greeks of one option in each scenario, each (spots, volatilities).

    >>> option_grid([40.0, 42.0], [0.2, 0.3], 40.0, 0.1, 0.0, 0.5, True).price.round(2).tolist()
    [[3.31, 4.36], [4.76, 5.71]]
    """
    from scipy.special import ndtr

    spot, volatility = spots[:, None], volatilities[None, :]
    sign = 1.0 if is_call else -1.0
    distance = _log_forward_moneyness(spot, strike, rate, dividend_yield, 0.0, expiry)
    with np.errstate(all="ignore"):
        return _formulas(np, ndtr, distance, spot, strike, rate, dividend_yield, volatility, expiry, sign)


@option_grid.numba_around
def _(
    spots: Floats,
    volatilities: Floats,
    strike: float,
    rate: float,
    dividend_yield: float,
    expiry: float,
    is_call: bool,
) -> OptionValues:
    columns = volatilities.size
    results = OptionValues(*(np.empty((spots.size, columns)) for _ in OptionValues._fields))
    rows = max(1, BLOCK // max(columns, 1))
    for first in range(0, spots.size, rows):
        part = slice(first, first + rows)
        spot, volatility = np.repeat(spots[part], columns), np.tile(volatilities, len(spots[part]))
        fixed = (np.full(spot.size, one) for one in (strike, rate, dividend_yield))
        inputs = spot, *fixed, volatility, np.full(spot.size, expiry), np.full(spot.size, is_call)
        fill_block(inputs, [one[part].ravel() for one in results])
    return results


@option_grid.mlx
def _(
    mx: Any,
    spots: Floats,
    volatilities: Floats,
    strike: float,
    rate: float,
    dividend_yield: float,
    expiry: float,
    is_call: bool,
) -> OptionValues:
    bring = partial(to_device, mx)
    return _formulas(
        mx,
        _device_normal(mx),
        bring(_log_forward_moneyness(spots[:, None], strike, rate, dividend_yield, 0.0, expiry)),
        bring(spots[:, None]),
        bring(strike),
        bring(rate),
        bring(dividend_yield),
        bring(volatilities[None, :]),
        bring(expiry),
        bring(1.0 if is_call else -1.0),
    )


def scales(spot: Any, strike: Any, volatility: Any, expiry: Any) -> OptionValues:
    """What float32's error of each value is relative to: what that value is for an option at the money, roughly.

    The greater of spot and strike for the price, 1 for delta.
    """
    money, root = np.maximum(spot, strike), np.sqrt(expiry)
    return OptionValues(
        price=money,
        delta=np.ones_like(money),
        gamma=0.4 / (spot * volatility * root),
        vega=0.4 * money * root,
        theta=money * (1.0 + 0.4 * volatility / root),
        rho=money * expiry,
    )


def _check_lengths(
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> None:
    check_lengths(
        spot=spot,
        strike=strike,
        rate=rate,
        dividend_yield=dividend_yield,
        volatility=volatility,
        expiry=expiry,
        is_call=is_call,
    )


def _log_forward_moneyness(
    spot: Any, strike: Any, rate: Any, dividend_yield: Any, volatility: Any, expiry: Any
) -> Floats:
    """Logarithm of forward over strike in float64, where digits would be lost; NaN for inputs without meaning."""
    with np.errstate(all="ignore"):
        distance: Floats = np.log(spot / strike) + (rate - dividend_yield) * expiry
        wrong = (np.minimum(spot, strike) < 0.0) | (volatility < 0.0) | (expiry < 0.0)
        return np.where(wrong, np.nan, distance)


def _formulas(
    xp: Any,
    normal: Any,
    distance: Any,
    spot: Any,
    strike: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    expiry: Any,
    sign: Any,
) -> OptionValues:
    """Price and Greeks, in the functions of NumPy or MLX; `normal` is the normal distribution function."""
    root = xp.sqrt(expiry)
    spread = volatility * root
    limit = xp.where(distance > 0.0, math.inf, xp.where(distance < 0.0, -math.inf, distance))
    ratio = xp.where(spread > 0.0, distance / spread, xp.where(spread == 0.0, limit, math.nan))
    upper, lower = ratio + 0.5 * spread, ratio - 0.5 * spread
    yielded = xp.exp(-dividend_yield * expiry)
    discounted_spot, discounted_strike = spot * yielded, strike * xp.exp(-rate * expiry)
    density = xp.exp(-0.5 * upper * upper) / _ROOT_TWO_PI
    spot_share, strike_share = normal(sign * upper), normal(sign * lower)
    price = sign * (discounted_spot * spot_share - discounted_strike * strike_share)
    gamma = xp.where(density == 0.0, 0.0, yielded * density / (spot * spread))
    decay = xp.where((density == 0.0) | (volatility == 0.0), 0.0, discounted_spot * density * volatility / (2.0 * root))
    carried = dividend_yield * discounted_spot * spot_share - rate * discounted_strike * strike_share
    return OptionValues(
        price=xp.maximum(price, 0.0),
        delta=sign * yielded * spot_share,
        gamma=gamma,
        vega=discounted_spot * density * root,
        theta=sign * carried - decay,
        rho=sign * expiry * discounted_strike * strike_share,
    )


def _device_normal(mx: Any) -> Any:
    return lambda x: 0.5 * (1.0 + mx.erf(x / _ROOT_TWO))

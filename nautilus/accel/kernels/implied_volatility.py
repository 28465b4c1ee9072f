"""The volatility at which Black-Scholes-Merton gives an option's price: Newton's method that cannot leave its bracket.

The search is for total volatility (volatility times the root of time) on the out-of-the-money side, where the price is
all time value, and in the logarithm of the price, so that far options converge as fast as near ones. It stays in NumPy
and Numba: each option takes its own number of steps, and float32 has too few digits for it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit
from nautilus.accel.kernels.argument_checks import check_lengths
from nautilus.accel.routed import Work, routed

type Floats = NDArray[np.float64]
type Booleans = NDArray[np.bool_]

MAX_TOTAL_VOLATILITY = 16.0
"""Beyond it a price equals its upper bound in float64, and no volatility can be told from another."""

STEPS = 100

CLOSE = 1e-9
"""A relative step of Newton's method after which the next, being quadratic, would be below rounding."""

_ROOT_TWO = math.sqrt(2.0)
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)


def _example(size: int) -> tuple[Any, ...]:
    from nautilus.accel.kernels.options import black_scholes

    source = np.random.default_rng(21)
    spot, strike = source.uniform(80.0, 120.0, size), source.uniform(80.0, 120.0, size)
    rate, dividend_yield = source.uniform(0.0, 0.06, size), source.uniform(0.0, 0.03, size)
    volatility, expiry = source.uniform(0.15, 0.6, size), source.uniform(0.2, 2.0, size)
    is_call = source.uniform(size=size) < 0.5
    price = black_scholes.reference(spot, strike, rate, dividend_yield, volatility, expiry, is_call).price
    return price, spot, strike, rate, dividend_yield, expiry, is_call


@routed(
    example=_example,
    size=lambda price, *_: price.size,
    sizes=(64, 1_000, 10_000, 100_000),
    work=lambda price, *_: Work(flops=500.0 * price.size, bytes=57.0 * price.size),
    relative_error=1e-9,
)
def implied_volatility(
    price: Floats,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> Floats:
    """Yearly volatility that each price implies; all arguments are vectors of one length, units as in `black_scholes`.

    0 for a price at its lower bound (within rounding), NaN for one outside its bounds, for an expiry of 0, and for
    inputs without meaning. Raises Invalid for vectors of other lengths. The reference bisects; the compiled form is
    Newton's method kept in the same bracket.

    >>> implied_volatility([4.7594], [42.0], [40.0], [0.1], [0.0], [0.5], [True]).round(4).tolist()
    [0.2]
    """
    _check_lengths(price, spot, strike, rate, dividend_yield, expiry, is_call)
    with np.errstate(all="ignore"):
        near, far, target, tolerance = _out_of_the_money(price, spot, strike, rate, dividend_yield, expiry, is_call)
        low, high = np.zeros_like(target), np.full_like(target, MAX_TOTAL_VOLATILITY)
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            below = _time_value(near, far, middle) < target
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found = np.where(np.abs(target) <= tolerance, 0.0, 0.5 * (low + high) / np.sqrt(expiry))
        sensible = (expiry > 0.0) & (near > 0.0) & (far > 0.0) & np.isfinite(near + far)
        return np.where(sensible & (target >= -tolerance) & (target < near), found, np.nan)


@implied_volatility.numba_around
def _(
    price: Floats,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> Floats:
    _check_lengths(price, spot, strike, rate, dividend_yield, expiry, is_call)
    return _search(price, spot, strike, rate, dividend_yield, expiry, is_call)


@jit
def _search(
    price: Floats,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> Floats:
    found = np.empty(price.size)
    for index in range(price.size):
        found[index] = _implied(
            price[index],
            spot[index] * math.exp(-dividend_yield[index] * expiry[index]),
            strike[index] * math.exp(-rate[index] * expiry[index]),
            expiry[index],
            is_call[index],
        )
    return found


def _check_lengths(
    price: Floats,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> None:
    check_lengths(
        price=price,
        spot=spot,
        strike=strike,
        rate=rate,
        dividend_yield=dividend_yield,
        expiry=expiry,
        is_call=is_call,
    )


def _out_of_the_money(
    price: Floats,
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    expiry: Floats,
    is_call: Booleans,
) -> tuple[Floats, Floats, Floats, Floats]:
    """The two discounted legs, the smaller first, the option's time value, and how far rounding may move that."""
    spot_leg, strike_leg = spot * np.exp(-dividend_yield * expiry), strike * np.exp(-rate * expiry)
    intrinsic = np.maximum(np.where(is_call, spot_leg - strike_leg, strike_leg - spot_leg), 0.0)
    near, far = np.minimum(spot_leg, strike_leg), np.maximum(spot_leg, strike_leg)
    return near, far, price - intrinsic, np.where(intrinsic > 0.0, _ROUNDING * far, 0.0)


def _time_value(near: Floats, far: Floats, total: Floats) -> Floats:
    """Price of the out-of-the-money option on legs near <= far: by symmetry it is the same for a call and a put."""
    from scipy.special import ndtr

    ratio = np.log(near / far) / total
    value: Floats = near * ndtr(ratio + 0.5 * total) - far * ndtr(ratio - 0.5 * total)
    return value


@jit
def _implied(price: float, spot_leg: float, strike_leg: float, expiry: float, is_call: bool) -> float:
    intrinsic = max(spot_leg - strike_leg if is_call else strike_leg - spot_leg, 0.0)
    near, far = min(spot_leg, strike_leg), max(spot_leg, strike_leg)
    target = price - intrinsic
    tolerance = _ROUNDING * far if intrinsic > 0.0 else 0.0
    if not (expiry > 0.0 and near > 0.0 and math.isfinite(far) and target >= -tolerance and target < near):
        return math.nan
    if target <= tolerance:
        return 0.0
    return _total_volatility(near, far, target) / math.sqrt(expiry)


@jit
def _total_volatility(near: float, far: float, target: float) -> float:
    moneyness = math.log(near / far)
    goal = math.log(target)
    low, high = 0.0, MAX_TOTAL_VOLATILITY
    total = min(max(math.sqrt(-2.0 * moneyness), 0.1), 8.0)
    for _ in range(STEPS):
        upper = moneyness / total + 0.5 * total
        share = 0.5 * math.erfc(-upper / _ROOT_TWO)
        value = near * share - far * 0.5 * math.erfc(-(upper - total) / _ROOT_TWO)
        if value < target:
            low = total
        else:
            high = total
        slope = near * math.exp(-0.5 * upper * upper) / _ROOT_TWO_PI
        following = -1.0
        if value > 0.0 and slope > 0.0:
            following = total - (math.log(value) - goal) * value / slope
        if low < following < high:
            if abs(following - total) <= CLOSE * total:
                return following
        else:
            following = 0.5 * (low + high)
            if following in (low, high):
                return following
        total = following
    return total

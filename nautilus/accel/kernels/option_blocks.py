"""Black-Scholes-Merton values of a block of options at a time: the compiled form of the kernels in `options`.

Logarithms and exponentials are NumPy's, which does several numbers at once; what is between them is compiled so that it
does too: no branches, and a normal distribution function made for that. The block's arrays stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Booleans = NDArray[np.bool_]

BLOCK = 1 << 13
"""Options that Numba works on at a time: some twenty arrays of them stay in the cache."""

_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


def _vectorised[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Compile so that loops do several numbers at once: dividing by zero is infinite and a product may join a sum."""
    return cast(
        "Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function)
    )


def fill_block(inputs: Sequence[NDArray[Any]], results: Sequence[Floats]) -> None:
    """Write price, delta, gamma, vega, theta and rho of each option into the six `results`.

    `inputs` are vectors of one length: spot, strike, rate, dividend yield, volatility, expiry, is it a call.
    """
    inputs = [_read_only(one) for one in inputs]
    spot, strike, rate, dividend_yield, volatility, expiry, is_call = inputs
    work = np.empty((5, spot.size))
    with np.errstate(all="ignore"):
        np.log(np.divide(spot, strike, out=work[0]), out=work[0])
        _exponents(spot, strike, rate, dividend_yield, volatility, expiry, work)
        np.exp(work[1:], out=work[1:])
    _values(spot, strike, rate, dividend_yield, volatility, expiry, is_call, work, *results)


@_vectorised
def _exponents(
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    work: Floats,
) -> None:
    """From log moneyness in the first row: there d1, and below the exponents of both densities and both discounts."""
    for index in range(spot.size):
        spread = volatility[index] * math.sqrt(expiry[index])
        distance = work[0, index] + (rate[index] - dividend_yield[index]) * expiry[index]
        ratio = distance / spread
        if spread == 0.0:
            ratio = distance if distance == 0.0 else distance * math.inf
        if min(spot[index], strike[index], volatility[index]) < 0.0:
            ratio = math.nan
        upper = ratio + 0.5 * spread
        lower = ratio - 0.5 * spread
        work[0, index] = upper
        work[1, index] = -0.5 * upper * upper
        work[2, index] = -0.5 * lower * lower
        work[3, index] = -dividend_yield[index] * expiry[index]
        work[4, index] = -rate[index] * expiry[index]


@_vectorised
def _values(
    spot: Floats,
    strike: Floats,
    rate: Floats,
    dividend_yield: Floats,
    volatility: Floats,
    expiry: Floats,
    is_call: Booleans,
    work: Floats,
    prices: Floats,
    deltas: Floats,
    gammas: Floats,
    vegas: Floats,
    thetas: Floats,
    rhos: Floats,
) -> None:
    for index in range(spot.size):
        sign = 1.0 if is_call[index] else -1.0
        root = math.sqrt(expiry[index])
        spread = volatility[index] * root
        upper = work[0, index]
        density, other_density = work[1, index] / _ROOT_TWO_PI, work[2, index] / _ROOT_TWO_PI
        yielded = work[3, index]
        spot_share, strike_share = (
            normal_distribution(sign * upper, density),
            normal_distribution(sign * (upper - spread), other_density),
        )
        spot_leg, strike_leg = spot[index] * yielded * spot_share, strike[index] * work[4, index] * strike_share
        price = sign * (spot_leg - strike_leg)
        gamma = yielded * density / (spot[index] * spread)
        decay = spot[index] * yielded * density * volatility[index] / (2.0 * root)
        if density == 0.0:
            gamma = 0.0
        if density == 0.0 or volatility[index] == 0.0:
            decay = 0.0
        prices[index] = max(price, 0.0)
        deltas[index] = sign * yielded * spot_share
        gammas[index] = gamma
        vegas[index] = spot[index] * yielded * density * root
        thetas[index] = sign * (dividend_yield[index] * spot_leg - rate[index] * strike_leg) - decay
        rhos[index] = sign * expiry[index] * strike_leg


@_vectorised
def normal_distribution(x: float, density: float) -> float:
    """The normal distribution function at x, given the density there, to 12 digits of either tail.

    The tail over the density, times |x| + 3, is a smooth function of t = (|x| - 3) / (|x| + 3), and here its Chebyshev
    interpolation written as a polynomial. Without branches, so that the compiler does several at once.
    """
    distance = min(abs(x), 40.0)
    t = (distance - 3.0) / (distance + 3.0)
    series = 4.839294052409593e-09
    series = series * t + 8.468764591716791e-09
    series = series * t - 3.589143088870449e-08
    series = series * t - 7.850410351686673e-08
    series = series * t + 9.359329122194943e-08
    series = series * t + 3.4745459172126945e-07
    series = series * t + 7.716825672114963e-08
    series = series * t - 8.398527615539456e-07
    series = series * t - 1.4712409477566617e-06
    series = series * t + 1.6277399051078958e-07
    series = series * t + 5.653556442085205e-06
    series = series * t + 9.035914490856641e-06
    series = series * t - 8.819515236932498e-06
    series = series * t - 5.182293593184802e-05
    series = series * t - 3.320128132359664e-05
    series = series * t + 0.00019754366649136023
    series = series * t + 0.0003870089603817604
    series = series * t - 0.0006431371296736438
    series = series * t - 0.002621503483899711
    series = series * t + 0.0025757916047280667
    series = series * t + 0.01747776953748493
    series = series * t - 0.02622651830212945
    series = series * t - 0.11847083516732701
    series = series * t + 0.5765689205541727
    series = series * t - 1.2767059470482347
    series = series * t + 1.8275417922606219
    tail = density * series / (distance + 3.0)
    return 1.0 - tail if x > 0.0 else tail


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False  # one type of argument, so that Numba compiles once
    return view

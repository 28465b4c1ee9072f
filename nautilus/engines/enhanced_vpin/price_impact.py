"""What order flow does to the price: Kyle's lambda, Hasbrouck's lambda and Amihud's illiquidity."""

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.enhanced_vpin.regression import Regression, regress
from nautilus.errors import Invalid

Floats = NDArray[np.float64]


def kyle_lambda(price_change: Floats, signed_volume: Floats) -> Regression | None:
    """Kyle's lambda: slope of p(t) - p(t-1) = a + lambda q(t) + e(t), price change per unit of net buying.

    `price_change` [intervals] of the midpoint, `signed_volume` [intervals] buys less sells of the same interval.
    Kyle (1985); estimated as in Hasbrouck, Empirical Market Microstructure (2007), section 7.1. None where flow does
    not vary.
    """
    return regress(signed_volume, price_change)


def hasbrouck_lambda(log_return: Floats, signed_root_value: Floats) -> Regression | None:
    """Hasbrouck's lambda: slope of r(t) = a + lambda S(t) + e(t), S the sum of sign x sqrt(value) over the trades of t.

    Both [intervals]; Hasbrouck takes five minutes. Hasbrouck (2009), "Trading costs and returns for U.S. equities".
    """
    return regress(signed_root_value, log_return)


def signed_root_value(side: Floats, value: Floats) -> float:
    """Sum over trades of sign x sqrt(price x size); both [trades].

    >>> signed_root_value(np.array([1.0, -1.0]), np.array([400.0, 100.0]))
    10.0
    """
    return float((side * np.sqrt(value)).sum())


def amihud(returns: Floats, value: Floats) -> float | None:
    """Mean |return| per million of value traded, over the intervals with trades; None where there are none.

    Both [intervals], `value` in currency. Amihud (2002), equation (1), scaled by 10**6.

    >>> round(amihud(np.array([0.01, -0.03]), np.array([1e6, 2e6])), 9)
    0.0125
    """
    if returns.shape != value.shape:
        raise Invalid("value", f"must have the shape {returns.shape} of returns")
    traded = (value > 0) & np.isfinite(returns)
    return 1e6 * float((np.abs(returns[traded]) / value[traded]).mean()) if traded.any() else None

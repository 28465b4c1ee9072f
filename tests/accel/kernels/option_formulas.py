"""Closed forms that simulated prices must come to, each written straight from its source."""

import math
from statistics import NormalDist

N = NormalDist().cdf


def plain(spot, strike, rate, dividend_yield, volatility, expiry, is_call):
    """Black, Scholes and Merton's price."""
    root = volatility * math.sqrt(expiry)
    upper = (math.log(spot / strike) + (rate - dividend_yield + volatility**2 / 2) * expiry) / root
    sign = 1 if is_call else -1
    return sign * (
        spot * math.exp(-dividend_yield * expiry) * N(sign * upper)
        - strike * math.exp(-rate * expiry) * N(sign * (upper - root))
    )


def geometric_asian(spot, strike, rate, dividend_yield, volatility, expiry, is_call, steps):
    """Option on the geometric mean at equal steps (Kemna and Vorst 1990): the mean is lognormal too."""
    step = expiry / steps
    mean = math.log(spot) + (rate - dividend_yield - volatility**2 / 2) * step * (steps + 1) / 2
    variance = volatility**2 * step * (steps + 1) * (2 * steps + 1) / (6 * steps)
    forward, root = math.exp(mean + variance / 2), math.sqrt(variance)
    upper = (math.log(forward / strike) + variance / 2) / root
    sign = 1 if is_call else -1
    return sign * math.exp(-rate * expiry) * (forward * N(sign * upper) - strike * N(sign * (upper - root)))


def barrier(kind, level, rebate, spot, strike, rate, dividend_yield, volatility, expiry, is_call):
    """Reiner and Rubinstein 1991; `kind` is such as "down_and_in", an out option's rebate is paid when it is hit."""
    carry, phi = rate - dividend_yield, 1 if is_call else -1
    eta = 1 if kind.startswith("down") else -1
    root = volatility * math.sqrt(expiry)
    mu = (carry - volatility**2 / 2) / volatility**2
    lam = math.sqrt(mu**2 + 2 * rate / volatility**2)
    x1 = math.log(spot / strike) / root + (1 + mu) * root
    x2 = math.log(spot / level) / root + (1 + mu) * root
    y1 = math.log(level**2 / (spot * strike)) / root + (1 + mu) * root
    y2 = math.log(level / spot) / root + (1 + mu) * root
    z = math.log(level / spot) / root + lam * root
    ratio = level / spot
    grown, discounted = spot * math.exp((carry - rate) * expiry), strike * math.exp(-rate * expiry)

    def vanilla(x):
        return phi * grown * N(phi * x) - phi * discounted * N(phi * (x - root))

    def mirrored(y):
        return phi * grown * ratio ** (2 * (mu + 1)) * N(eta * y) - phi * discounted * ratio ** (2 * mu) * N(
            eta * (y - root)
        )

    a, b, c, d = vanilla(x1), vanilla(x2), mirrored(y1), mirrored(y2)
    e = rebate * math.exp(-rate * expiry) * (N(eta * (x2 - root)) - ratio ** (2 * mu) * N(eta * (y2 - root)))
    f = rebate * (ratio ** (mu + lam) * N(eta * z) + ratio ** (mu - lam) * N(eta * (z - 2 * lam * root)))
    above = strike > level
    if kind.endswith("in"):
        found = {
            (1, 1): c if above else a - b + d,
            (-1, 1): a if above else b - c + d,
            (1, -1): b - c + d if above else a,
            (-1, -1): a - b + d if above else c,
        }
        return found[eta, phi] + e
    found = {
        (1, 1): a - c if above else b - d,
        (-1, 1): 0.0 if above else a - b + c - d,
        (1, -1): a - b + c - d if above else 0.0,
        (-1, -1): b - d if above else a - c,
    }
    return found[eta, phi] + f

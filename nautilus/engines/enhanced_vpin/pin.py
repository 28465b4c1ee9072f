"""Probability of informed trading from daily counts of buys and sells. Easley, Kiefer, O'Hara and Paperman (1996).

On a share alpha of days there is news, bad with probability delta; uninformed buys and sells arrive at rates epsilon_b
and epsilon_s, informed trades at rate mu on the news' side. PIN = alpha mu / (alpha mu + epsilon_b + epsilon_s).
"""

import itertools
import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

Floats = NDArray[np.float64]
_GRID = (0.1, 0.3, 0.5, 0.7, 0.9)
_STEPS = 60
_FINALISTS = 4


class PinParameters(msgspec.Struct, frozen=True):
    """The five parameters; rates are trades a day."""

    alpha: float
    delta: float
    mu: float
    epsilon_b: float
    epsilon_s: float

    @property
    def pin(self) -> float:
        """Share of the trades that come from informed traders.

        >>> PinParameters(0.5, 0.5, 200.0, 450.0, 450.0).pin
        0.1
        """
        informed = self.alpha * self.mu
        total = informed + self.epsilon_b + self.epsilon_s
        return informed / total if total > 0.0 else 0.0


class PinEstimate(msgspec.Struct, frozen=True):
    """Maximum-likelihood estimate. `standard_error` of PIN by the delta method; None at the edge of the parameter
    space.

    `starts` points were tried.
    """

    pin: float
    standard_error: float | None
    parameters: PinParameters
    log_likelihood: float
    days: int
    starts: int


def log_likelihood(parameters: PinParameters, buys: Floats, sells: Floats) -> float:
    """Log likelihood of daily `buys` and `sells`, both [days].

    The three states' terms are summed relative to the greatest, so that active stocks neither overflow nor underflow:
    the purpose of the factorisations of Easley, Hvidkjaer and O'Hara (2010) and Lin and Ke (2011).
    """
    return _value_and_gradient(_array(parameters), buys, sells)[0] - _log_factorials(buys, sells)


def _log_factorials(buys: Floats, sells: Floats) -> float:
    from scipy.special import gammaln

    return float((gammaln(buys + 1.0) + gammaln(sells + 1.0)).sum())


def _array(parameters: PinParameters) -> Floats:
    return np.array(msgspec.structs.astuple(parameters), dtype=np.float64)


def _value_and_gradient(point: Floats, buys: Floats, sells: Floats) -> tuple[float, Floats]:
    """Log likelihood without the factorials of the counts, and its gradient by (alpha, delta, mu, epsilon_b,
    epsilon_s)."""
    alpha, delta, mu, eb, es = point.tolist()
    log_eb, log_es, log_ebm, log_esm = (math.log(max(rate, 1e-300)) for rate in (eb, es, eb + mu, es + mu))
    prior = np.array([alpha * delta, alpha * (1.0 - delta), 1.0 - alpha])
    states = np.empty((3, buys.size))
    states[0] = buys * log_eb + sells * log_esm - mu
    states[1] = buys * log_ebm + sells * log_es - mu
    states[2] = buys * log_eb + sells * log_es
    with np.errstate(divide="ignore"):
        states += np.log(prior)[:, None]
    greatest = states.max(axis=0)
    weights = np.exp(states - greatest)
    total = weights.sum(axis=0)
    value = float((greatest + np.log(total)).sum()) - buys.size * (eb + es)
    weights /= total
    days = weights.sum(axis=1)
    bad_sells, good_buys = float(weights[0] @ sells), float(weights[1] @ buys)
    gradient = np.array(
        [
            (days[0] + days[1]) / alpha - days[2] / (1.0 - alpha),
            days[0] / delta - days[1] / (1.0 - delta),
            bad_sells / (es + mu) + good_buys / (eb + mu) - days[0] - days[1],
            (float(buys.sum()) - good_buys) / eb + good_buys / (eb + mu) - buys.size,
            (float(sells.sum()) - bad_sells) / es + bad_sells / (es + mu) - buys.size,
        ]
    )
    return value, gradient


def starting_points(buys: Floats, sells: Floats) -> list[PinParameters]:
    """The grid of Yan and Zhang (2012): alpha, delta and the uninformed share of buys in {.1, .3, .5, .7, .9}.

    The other rates follow from the mean counts; points with a negative rate are left out.
    """
    mean_buys, mean_sells = float(buys.mean()), float(sells.mean())
    points = []
    for alpha, delta, share in itertools.product(_GRID, _GRID, _GRID):
        epsilon_b = share * mean_buys
        mu = (mean_buys - epsilon_b) / (alpha * (1.0 - delta))
        epsilon_s = mean_sells - alpha * delta * mu
        if epsilon_s > 0.0:
            points.append(PinParameters(alpha, delta, mu, epsilon_b, epsilon_s))
    return points


def estimate_pin(buys: Floats, sells: Floats) -> PinEstimate:
    """PIN of `buys` and `sells` [days], counts >= 0, at least two days and some trades on both sides.

    Single starts often end in local optima. Every starting point of Yan and Zhang (2012) is therefore improved by
    expectation-maximisation, and the most likely `_FINALISTS` go on to the maximum by L-BFGS-B. Raises Invalid for
    input of another kind.
    """
    _check(buys, sells)
    points = starting_points(buys, sells) or [PinParameters(0.5, 0.5, *(float(buys.mean() + sells.mean()) / 4.0,) * 3)]
    finalists = _most_likely(np.array([_array(point) for point in points]), buys, sells)
    best, value = max((_climb(point, buys, sells) for point in finalists), key=lambda run: run[1])
    return PinEstimate(
        pin=best.pin,
        standard_error=_standard_error(best, buys, sells),
        parameters=best,
        log_likelihood=value - _log_factorials(buys, sells),
        days=buys.size,
        starts=len(points),
    )


def _most_likely(points: Floats, buys: Floats, sells: Floats) -> list[Floats]:
    """Distinct finalists after expectation-maximisation from all `points` [starts, 5] at once.

    What is not observed: the state of each day, and which of its trades were informed.
    """
    alpha, delta, mu, eb, es = (np.maximum(column, 1e-12)[:, None] for column in points.T)
    for _ in range(_STEPS):
        with np.errstate(divide="ignore"):
            bad = np.log(alpha * delta) + buys * np.log(eb) + sells * np.log(es + mu) - mu
            good = np.log(alpha * (1.0 - delta)) + buys * np.log(eb + mu) + sells * np.log(es) - mu
            none = np.log(1.0 - alpha) + buys * np.log(eb) + sells * np.log(es)
        greatest = np.maximum(np.maximum(bad, good), none)
        bad, good, none = np.exp(bad - greatest), np.exp(good - greatest), np.exp(none - greatest)
        total = bad + good + none
        value = (greatest + np.log(total) - eb - es).sum(axis=1)
        bad, good = bad / total, good / total
        bad_days, news_days = bad.sum(axis=1), (bad + good).sum(axis=1)
        informed_buys = (good * buys).sum(axis=1) * (mu / (eb + mu))[:, 0]
        informed_sells = (bad * sells).sum(axis=1) * (mu / (es + mu))[:, 0]
        alpha = np.clip(news_days / buys.size, 1e-9, 1.0 - 1e-9)[:, None]
        delta = np.clip(bad_days / np.maximum(news_days, 1e-300), 1e-9, 1.0 - 1e-9)[:, None]
        mu = np.maximum((informed_buys + informed_sells) / np.maximum(news_days, 1e-300), 1e-12)[:, None]
        eb = np.maximum((buys.sum() - informed_buys) / buys.size, 1e-12)[:, None]
        es = np.maximum((sells.sum() - informed_sells) / buys.size, 1e-12)[:, None]
    improved = np.hstack([alpha, delta, mu, eb, es])
    finalists: list[Floats] = []
    for row in np.argsort(-value):
        if not any(np.allclose(improved[row], other, rtol=1e-3, atol=1e-3) for other in finalists):
            finalists.append(improved[row])
        if len(finalists) == _FINALISTS:
            break
    return finalists


def _check(buys: Floats, sells: Floats) -> None:
    for name, counts in (("buys", buys), ("sells", sells)):
        if counts.ndim != 1 or counts.shape != buys.shape or counts.size < 2:
            raise Invalid(name, "must be one-dimensional, of equal length and at least 2")
        if not (np.isfinite(counts) & (counts >= 0)).all() or counts.sum() <= 0:
            raise Invalid(name, "must be finite counts, not negative and not all zero")


def _climb(start: Floats, buys: Floats, sells: Floats) -> tuple[PinParameters, float]:
    """L-BFGS-B in the rates relative to the mean count, so that all five coordinates are of order one."""
    from scipy.optimize import minimize

    rate = float(buys.mean() + sells.mean()) / 2.0
    scale = np.array([1.0, 1.0, rate, rate, rate])

    def negative(point: Floats) -> tuple[float, Floats]:
        value, gradient = _value_and_gradient(point * scale, buys, sells)
        return -value / rate, -gradient * scale / rate

    ceiling = 4.0 * float(max(buys.max(), sells.max())) / rate
    bounds = [(1e-9, 1.0 - 1e-9)] * 2 + [(1e-9, ceiling)] * 3
    inside = np.clip(start / scale, [low for low, _ in bounds], [high for _, high in bounds])
    options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-9}
    result: Any = minimize(negative, inside, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    parameters = PinParameters(*(result.x * scale).tolist())
    return parameters, float(-result.fun * rate)


def _standard_error(best: PinParameters, buys: Floats, sells: Floats) -> float | None:
    """Delta method with the Hessian from central differences of the gradient."""
    point = _array(best)
    if min(best.alpha, best.delta, 1.0 - best.alpha, 1.0 - best.delta) < 1e-4 or point.min() < 1e-4:
        return None
    hessian = np.empty((5, 5))
    slope = np.empty(5)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-5 * min(point[i], 1.0 - point[i]) if i < 2 else 1e-5 * point[i]
        above, below = point + step, point - step
        change = _value_and_gradient(above, buys, sells)[1] - _value_and_gradient(below, buys, sells)[1]
        hessian[i] = change / (2.0 * step[i])
        slope[i] = (PinParameters(*above).pin - PinParameters(*below).pin) / (2.0 * step[i])
    try:
        variance = float(slope @ np.linalg.solve(-(hessian + hessian.T) / 2.0, slope))
    except np.linalg.LinAlgError:
        return None
    return math.sqrt(variance) if variance > 0.0 and math.isfinite(variance) else None

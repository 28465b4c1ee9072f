"""Improved VPIN: the information structure of PIN fitted to volume buckets and the time each took. Ke and Lin (2017).

In a bucket that took time t, buys and sells arrive at rate epsilon each; in a share alpha of buckets there is news,
bad with probability delta, and informed volume arrives at rate mu on its side. Buckets being of equal volume, informed
ones are short, so that durations carry information. The improved VPIN is alpha mu / (mu + 2 epsilon): the share of
buckets with news times the informed share of the volume of such a bucket.
"""

import math
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import jit, kernel
from nautilus.errors import Invalid

Floats = NDArray[np.float64]
_STEPS = 200
_TOLERANCE = 1e-10
_SHARES = np.linspace(0.05, 0.95, 13)


class ImprovedVpin(msgspec.Struct, frozen=True):
    """The estimate of one window; rates are volume per mean duration of a bucket."""

    ivpin: float
    alpha: float
    delta: float
    mu: float
    epsilon: float
    log_likelihood: float


@jit
def _climb(buy: Floats, sell: Floats, time: Floats, point: Floats) -> float:
    """Improve `point` (alpha, delta, mu, epsilon) in place by expectation-maximisation; returns the log likelihood.

    What is not observed: the state of each bucket, and how much of its volume was informed. The log likelihood leaves
    out terms without parameters.
    """
    n = buy.size
    total = 0.0
    length = 0.0
    for i in range(n):
        total += buy[i] + sell[i]
        length += time[i]
    before = -math.inf
    for _ in range(_STEPS):
        alpha, delta, mu, epsilon = point[0], point[1], point[2], point[3]
        calm = math.log1p(-alpha)
        bad = math.log(alpha) + math.log(delta)
        good = math.log(alpha) + math.log1p(-delta)
        lift = math.log1p(mu / epsilon)
        value = total * math.log(epsilon) - 2.0 * epsilon * length
        news_buckets = 0.0
        bad_buckets = 0.0
        news_time = 0.0
        news_volume = 0.0
        for i in range(n):
            in_bad = bad + sell[i] * lift - mu * time[i]
            in_good = good + buy[i] * lift - mu * time[i]
            greatest = max(calm, in_bad, in_good)
            weight_bad = math.exp(in_bad - greatest)
            weight_good = math.exp(in_good - greatest)
            weight = weight_bad + weight_good + math.exp(calm - greatest)
            value += greatest + math.log(weight)
            weight_bad /= weight
            weight_good /= weight
            bad_buckets += weight_bad
            news_buckets += weight_bad + weight_good
            news_time += (weight_bad + weight_good) * time[i]
            news_volume += weight_bad * sell[i] + weight_good * buy[i]
        if value - before <= _TOLERANCE * abs(value):
            return float(value)
        before = value
        informed = news_volume * mu / (mu + epsilon)
        point[0] = min(max(news_buckets / n, 1e-9), 1.0 - 1e-9)
        point[1] = min(max(bad_buckets / max(news_buckets, 1e-300), 1e-9), 1.0 - 1e-9)
        point[2] = max(informed / max(news_time, 1e-300), 1e-9 * total)
        point[3] = max((total - informed) / (2.0 * length), 1e-9 * total)
    return float(before)


def _highest_reference(buy: Floats, sell: Floats, time: Floats, starts: Floats) -> Floats:
    """The same maximum by a general optimiser."""
    from scipy.optimize import minimize
    from scipy.special import expit, logit, logsumexp

    def negative(z: Floats) -> float:
        alpha, delta = expit(z[:2])
        mu, epsilon = np.exp(z[2:])
        quiet, loud = np.log(epsilon), np.log(epsilon + mu)
        states = [
            np.log(alpha * delta) + buy * quiet + sell * loud - (2 * epsilon + mu) * time,
            np.log(alpha * (1 - delta)) + buy * loud + sell * quiet - (2 * epsilon + mu) * time,
            np.log1p(-alpha) + (buy + sell) * quiet - 2 * epsilon * time,
        ]
        return -float(logsumexp(np.array(states), axis=0).sum())

    options = {"maxiter": 4000, "maxfev": 8000, "xatol": 1e-9, "fatol": 1e-9}
    points = [np.concatenate((logit(np.clip(start[:2], 0.01, 0.99)), np.log(start[2:]))) for start in starts]
    runs: list[Any] = [minimize(negative, point, method="Nelder-Mead", options=options) for point in points]
    top = min(runs, key=lambda run: cast("float", run.fun))
    return np.array([*expit(top.x[:2]), *np.exp(top.x[2:]), -top.fun])


def _example() -> tuple[Floats, Floats, Floats, Floats]:
    buy, sell = np.array([5.0, 6.0, 20.0, 5.0, 7.0, 5.0]), np.array([6.0, 5.0, 5.0, 6.0, 5.0, 22.0])
    return buy, sell, np.ones(6), np.array([[0.4, 0.5, 12.0, 5.0]])


@kernel(
    reference=_highest_reference,
    example=_example,
    relative_error=1e-4,  # two optimisers, each stopping at its own tolerance
)
def highest_likelihood(buy: Floats, sell: Floats, time: Floats, starts: Floats) -> Floats:
    """(alpha, delta, mu, epsilon, log likelihood) at the highest maximum reached from `starts` [starts, 4].

    `buy` and `sell` [buckets] are volumes, `time` [buckets] the time each bucket took. The log likelihood leaves out
    terms without parameters.
    """
    best = np.empty(5)
    point = np.empty(4)
    best[4] = -np.inf
    for k in range(starts.shape[0]):
        for j in range(4):
            point[j] = starts[k, j]
        value = _climb(buy, sell, time, point)
        if value > best[4]:
            for j in range(4):
                best[j] = point[j]
            best[4] = value
    return best


def starting_points(buy: Floats, sell: Floats, time: Floats) -> Floats:
    """Starts that call the busiest buckets informed, [starts, 4].

    Busy by the rate of the greater side or of the difference between sides, and the busiest 5% to 95% of them; the
    parameters are those most likely if that were so.
    """
    side, length, total = np.maximum(buy, sell), float(time.sum()), float(buy.sum() + sell.sum())
    points = []
    for busy in (side / time, np.abs(buy - sell) / time):
        order = np.argsort(-busy, kind="stable")
        volume, spent, bad = (np.cumsum(column[order]) for column in (side, time, (sell > buy).astype(np.float64)))
        for count in np.unique(np.rint(_SHARES * buy.size).astype(np.int64)):
            if not 1 <= count < buy.size:
                continue
            news_volume, news_time = float(volume[count - 1]), float(spent[count - 1])
            epsilon = max((total - news_volume) / (2.0 * length - news_time), 1e-9 * total)
            mu = max(news_volume / news_time - epsilon, 1e-3 * epsilon)
            delta = min(max(float(bad[count - 1]) / count, 0.05), 0.95)
            points.append((count / buy.size, delta, mu, epsilon))
    return np.array(points, dtype=np.float64).reshape(-1, 4)


def estimate_improved_vpin(
    buy: Floats, sell: Floats, duration: Floats, *, also_from: ImprovedVpin | None = None
) -> ImprovedVpin:
    """The estimate of one window: `buy`, `sell` [buckets] volumes, `duration` [buckets] in any unit, positive.

    The likelihood has many local maxima. It is climbed from every one of `starting_points` and from an earlier estimate
    where one is given; the highest wins. Raises Invalid for input of another kind.
    """
    _check(buy, sell, duration)
    time = duration / duration.mean()
    starts = starting_points(buy, sell, time)
    if also_from is not None:
        starts = np.vstack((starts, (also_from.alpha, also_from.delta, also_from.mu, also_from.epsilon)))
    alpha, delta, mu, epsilon, value = highest_likelihood(buy, sell, time, starts).tolist()
    return ImprovedVpin(alpha * mu / (mu + 2.0 * epsilon), alpha, delta, mu, epsilon, value)


def improved_vpin(buy: Floats, sell: Floats, duration: Floats, window: int) -> Floats:
    """Improved VPIN of the window that ends at each bucket, [buckets], NaN before the first full window.

    The same arrays as `estimate_improved_vpin`; each window also starts from the optimum of the one before.
    """
    _check(buy, sell, duration)
    if not 3 <= window <= max(3, buy.size):
        raise Invalid("window", f"must lie in [3, {buy.size}]")
    values = np.full(buy.size, np.nan)
    before: ImprovedVpin | None = None
    for end in range(window, buy.size + 1):
        rows = slice(end - window, end)
        before = estimate_improved_vpin(buy[rows].copy(), sell[rows].copy(), duration[rows].copy(), also_from=before)
        values[end - 1] = before.ivpin
    return values


def _check(buy: Floats, sell: Floats, duration: Floats) -> None:
    if buy.size < 3:
        raise Invalid("buy", "needs three buckets at least")
    for name, column in (("buy", buy), ("sell", sell), ("duration", duration)):
        if column.ndim != 1 or column.shape != buy.shape:
            raise Invalid(name, "must be one-dimensional and of equal length")
        if not (np.isfinite(column) & (column >= 0)).all():
            raise Invalid(name, "must be finite and not negative")
    if (duration <= 0).any():
        raise Invalid("duration", "must be positive")
    if (buy + sell <= 0).any():
        raise Invalid("buy", "every bucket must have volume")

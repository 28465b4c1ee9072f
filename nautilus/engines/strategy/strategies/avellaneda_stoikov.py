"""Where a market maker with inventory quotes, after Avellaneda and Stoikov (2008).

M. Avellaneda and S. Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8(3), section 3.2.
Any units of price, time and inventory do, as long as they are the same throughout.
"""

import math


def reservation_offset(inventory: float, risk_aversion: float, variance: float, horizon: float) -> float:
    """How far the reservation price lies from the mid price: -q * gamma * sigma^2 * (T - t).

    `variance` is in squared price units per unit of time, `horizon` the time left.

    >>> reservation_offset(inventory=2, risk_aversion=0.1, variance=4.0, horizon=1.0)
    -0.8
    """
    return -inventory * risk_aversion * variance * horizon


def half_spread(risk_aversion: float, variance: float, horizon: float, arrival_decay: float) -> float:
    """Half of the optimal spread: gamma * sigma^2 * (T - t) / 2 + ln(1 + gamma / k) / gamma.

    `arrival_decay` k: orders that reach a quote become fewer by exp(-k) for each unit of price from the mid.

    >>> round(half_spread(risk_aversion=0.1, variance=4.0, horizon=1.0, arrival_decay=1.5), 4)
    0.8454
    """
    return 0.5 * risk_aversion * variance * horizon + math.log1p(risk_aversion / arrival_decay) / risk_aversion


class MidVariance:
    """Variance of the mid price per second: squared changes over elapsed time, both with exponential weights.

    >>> variance = MidVariance(half_life_seconds=10.0)
    >>> for second, mid in enumerate((100.0, 101.0, 99.0, 100.0)): variance.update(second * 1_000_000_000, mid)
    >>> round(variance.value, 4)
    1.9984
    """

    __slots__ = ("_decay", "_elapsed", "_mid", "_squares", "_time_ns")

    def __init__(self, half_life_seconds: float) -> None:
        self._decay = math.log(2.0) / (half_life_seconds * 1e9)
        self._time_ns: int | None = None
        self._mid = 0.0
        self._squares = 0.0
        self._elapsed = 0.0

    def update(self, time_ns: int, mid: float) -> None:
        """Take in the mid price at a time; times do not fall."""
        if self._time_ns is not None:
            elapsed_ns = time_ns - self._time_ns
            if elapsed_ns > 0:
                keep = math.exp(-self._decay * elapsed_ns)
                self._squares *= keep
                self._elapsed = self._elapsed * keep + elapsed_ns * 1e-9
            self._squares += (mid - self._mid) ** 2
        self._time_ns = time_ns
        self._mid = mid

    @property
    def value(self) -> float | None:
        """Squared price units per second, None before time has passed."""
        return self._squares / self._elapsed if self._elapsed > 0.0 else None

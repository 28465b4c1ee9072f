"""The forecast of a margin call for one account, and how good past forecasts turned out to be."""

from collections import deque

import msgspec

from nautilus.engines.collateral.margin_call_time import call_probability, time_to_call

MAX_PENDING = 10_000


class CallForecast(msgspec.Struct, frozen=True, kw_only=True):
    """When the account's excess may be used up, from the volatility of what it holds (no trades, no drift, no jumps).

    `probability` is that of a call within `horizon_minutes`; the other two are times by which the call has come with
    5% and with 50%, in minutes; None where nothing moves.
    """

    horizon_minutes: float
    probability: float
    minutes_five_percent: float | None
    minutes_median: float | None
    returns: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts whose horizon has passed: mean probability said, share of calls that came, and the Brier score.

    For a calibrated forecast both means are equal. A Brier score of 0 is perfect, 0.25 that of always saying one half.
    """

    forecasts: int
    mean_probability: float | None
    call_frequency: float | None
    brier_score: float | None


def forecast_call(
    excess: float, deviation: float, interval_seconds: float, minutes: float, returns: int
) -> CallForecast:
    """Forecast from the deviation of the excess over one interval of `interval_seconds`.

    >>> forecast_call(100.0, 1.0, 60.0, 60.0, 500).probability < 1e-30
    True
    """
    unit = interval_seconds / 60.0

    def by(probability: float) -> float | None:
        time = time_to_call(excess, deviation, probability)
        return None if time is None else time * unit

    return CallForecast(
        horizon_minutes=minutes,
        probability=call_probability(excess, deviation, minutes / unit),
        minutes_five_percent=by(0.05),
        minutes_median=by(0.5),
        returns=returns,
    )


class ForecastRecord:
    """Forecasts of one account waiting for their horizon, and the score of those that have reached it."""

    __slots__ = ("_brier", "_calls", "_count", "_pending", "_said")

    def __init__(self) -> None:
        self._pending: deque[tuple[int, float]] = deque(maxlen=MAX_PENDING)
        self._count = self._calls = 0
        self._said = self._brier = 0.0

    def add(self, due_ns: int, probability: float) -> None:
        """Remember a forecast for the time until `due_ns`; times must not fall."""
        self._pending.append((due_ns, probability))

    def observe(self, excess: float, now_ns: int) -> None:
        """Take in the excess: a call settles every forecast that waits, time those that have come to their end."""
        called = excess <= 0.0
        while self._pending and (called or self._pending[0][0] <= now_ns):
            due_ns, probability = self._pending.popleft()
            hit = called and now_ns <= due_ns
            self._count += 1
            self._calls += hit
            self._said += probability
            self._brier += (probability - hit) ** 2

    @property
    def calibration(self) -> Calibration:
        """The score so far."""
        count = self._count
        return Calibration(
            forecasts=count,
            mean_probability=self._said / count if count else None,
            call_frequency=self._calls / count if count else None,
            brier_score=self._brier / count if count else None,
        )

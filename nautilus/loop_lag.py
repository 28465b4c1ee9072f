"""Loop lag: how late the event loop calls what was due, measured all the time."""

import asyncio
from collections import deque
from time import perf_counter

import msgspec


class LoopLagReport(msgspec.Struct, frozen=True, kw_only=True):
    """Lag over the latest measurements, in seconds; None before the first."""

    measurements: int
    p50: float | None
    p99: float | None
    worst: float | None


class LoopLag:
    """A heartbeat on the loop; each beat notes how late it came."""

    def __init__(self, interval_seconds: float = 0.05, window: int = 1200) -> None:
        self._interval = interval_seconds
        self._lags: deque[float] = deque(maxlen=window)
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin on the running loop; a second call begins anew."""
        self.stop()
        self._arm(asyncio.get_running_loop())

    def stop(self) -> None:
        """Stop measuring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        # not the loop's own clock: uvloop's counts whole milliseconds
        due = perf_counter() + self._interval
        self._handle = loop.call_later(self._interval, self._beat, loop, due)

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._lags.append(max(0.0, perf_counter() - due))
        self._arm(loop)

    def report(self) -> LoopLagReport:
        """Quantiles over the window."""
        lags = sorted(self._lags)
        if not lags:
            return LoopLagReport(measurements=0, p50=None, p99=None, worst=None)
        last = len(lags) - 1
        return LoopLagReport(
            measurements=len(lags), p50=lags[last // 2], p99=lags[round(last * 0.99)], worst=lags[last]
        )

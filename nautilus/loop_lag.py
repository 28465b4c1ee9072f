"""Loop lag: how late the event loop calls what was due, measured all the time."""

import asyncio
from collections import deque

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
        """Begin on the running loop."""
        self._beat(asyncio.get_running_loop(), None)

    def stop(self) -> None:
        """Stop measuring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float | None) -> None:
        now = loop.time()
        if due is not None:
            self._lags.append(max(0.0, now - due))
        self._handle = loop.call_at(now + self._interval, self._beat, loop, now + self._interval)

    def report(self) -> LoopLagReport:
        """Quantiles over the window."""
        lags = sorted(self._lags)
        if not lags:
            return LoopLagReport(measurements=0, p50=None, p99=None, worst=None)
        last = len(lags) - 1
        return LoopLagReport(
            measurements=len(lags), p50=lags[last // 2], p99=lags[round(last * 0.99)], worst=lags[last]
        )

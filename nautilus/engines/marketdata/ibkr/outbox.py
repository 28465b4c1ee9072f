"""What waits to be sent, at the rate that the gateway bears; heartbeats and cancellations go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.marketdata.ibkr.pacing import TokenBucket

Send = Callable[[], None]


class Outbox:
    """Each entry is a call that sends one message. What waits is bounded by what is subscribed to."""

    def __init__(self, clock: Clock, rate: int, burst: int, timer_name: str) -> None:
        self._clock = clock
        self._bucket = TokenBucket(rate, burst, clock.timestamp_ns())
        self._timer_name = timer_name
        self._urgent: deque[Send] = deque()
        self._normal: deque[Send] = deque()
        self.sent = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._normal)

    @property
    def waits(self) -> int:
        """How often something had to wait for the rate."""
        return self._bucket.waits

    def put(self, send: Send, *, urgent: bool = False) -> None:
        """Send it now, or as soon as the rate allows."""
        (self._urgent if urgent else self._normal).append(send)
        self._pump()

    def clear(self) -> None:
        """The line is gone: nothing of this can be sent any more."""
        self._urgent.clear()
        self._normal.clear()
        self._clock.cancel_timer(self._timer_name)

    def _pump(self, _event: TimeEvent | None = None) -> None:
        while self._urgent or self._normal:
            now_ns = self._clock.timestamp_ns()
            if not self._bucket.take(now_ns):
                self._clock.set_time_alert_ns(self._timer_name, self._bucket.ready_ns(now_ns), self._pump)
                return
            self.sent += 1
            (self._urgent or self._normal).popleft()()

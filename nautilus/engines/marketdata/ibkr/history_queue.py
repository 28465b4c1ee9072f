"""Bar subscriptions that wait for their historical request, under IBKR's pacing of these."""

from __future__ import annotations

from collections.abc import Callable

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.marketdata.ibkr.bar_stream import BarStream, HistoryRequest
from nautilus.engines.marketdata.ibkr.pacing import HistoricalPacing
from nautilus.engines.marketdata.ibkr.recovery import Key
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings, nanoseconds
from nautilus.engines.marketdata.ibkr.subscriptions import Subscription

Send = Callable[[Subscription, BarStream, HistoryRequest], None]


class HistoryQueue:
    """First come, first served, except that who must wait for an identical request lets others pass."""

    def __init__(self, clock: Clock, settings: IbkrSettings, send: Send, timer_name: str) -> None:
        self.waits = 0
        """How often a request had to wait."""
        self.violations = 0
        """How often the gateway has complained all the same."""
        self._clock = clock
        self._send = send
        self._timer_name = timer_name
        self._waiting: dict[Key, tuple[Subscription, BarStream]] = {}
        self._pacing = HistoricalPacing(
            settings.history_requests,
            nanoseconds(settings.history_window_seconds),
            nanoseconds(settings.history_identical_seconds),
        )

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, subscription: Subscription, stream: BarStream) -> None:
        """Ask for what the subscription needs next, now or as soon as it may be."""
        self._waiting[subscription.key] = (subscription, stream)
        self._pump()

    def discard(self, key: Key) -> None:
        """It is not wanted any more."""
        self._waiting.pop(key, None)

    def clear(self) -> None:
        """The line is gone."""
        self._waiting.clear()
        self._clock.cancel_timer(self._timer_name)

    def violated(self) -> None:
        """The gateway has complained of the pace."""
        self.violations += 1
        self._pacing.violated(self._clock.timestamp_ns())

    def _pump(self, _event: TimeEvent | None = None) -> None:
        now_ns = self._clock.timestamp_ns()
        next_ns: int | None = None
        for key, (subscription, stream) in list(self._waiting.items()):
            request = stream.next_request(now_ns)
            identity = (key, request.end_ns, request.duration)
            ready_ns = self._pacing.ready_ns(identity, subscription.contract, now_ns)
            if ready_ns <= now_ns:
                del self._waiting[key]
                self._pacing.sent(identity, subscription.contract, now_ns)
                stream.sent(request)
                self._send(subscription, stream, request)
            else:
                next_ns = ready_ns if next_ns is None else min(next_ns, ready_ns)
        if next_ns is not None:
            self.waits += 1
            self._clock.set_time_alert_ns(self._timer_name, next_ns, self._pump)

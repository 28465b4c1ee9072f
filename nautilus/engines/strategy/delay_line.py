"""Messages on their way: delivered in the order in which they were sent, each not before its delay is over."""

from collections import deque
from collections.abc import Callable

from nautilus.clock import Clock, TimeEvent


class DelayLine[M]:
    """One direction of a connection, on the node's clock.

    Delivery always happens in a clock callback, never inside `send`, so that a message cannot overtake its sender.
    """

    def __init__(self, clock: Clock, name: str, deliver: Callable[[M], None]) -> None:
        self._clock = clock
        self._name = name
        self._deliver = deliver
        self._flight: deque[tuple[int, M]] = deque()

    def __len__(self) -> int:
        return len(self._flight)

    def send(self, message: M, delay_ns: int) -> None:
        """Deliver a message after a delay, and after everything sent before it."""
        due = self._clock.timestamp_ns() + delay_ns
        flight = self._flight
        if flight:
            flight.append((max(due, flight[-1][0]), message))
        else:
            flight.append((due, message))
            self._clock.set_time_alert_ns(self._name, due, self._arrive)

    def close(self) -> None:
        """Lose what is on its way."""
        self._flight.clear()
        self._clock.cancel_timer(self._name)

    def _arrive(self, _: TimeEvent) -> None:
        flight = self._flight
        now = self._clock.timestamp_ns()
        try:
            while flight and flight[0][0] <= now:
                self._deliver(flight.popleft()[1])
        finally:
            if flight:
                self._clock.set_time_alert_ns(self._name, flight[0][0], self._arrive)

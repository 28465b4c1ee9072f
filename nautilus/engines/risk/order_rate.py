"""How many orders in how much time: a sliding window that remembers exactly as many times as it allows."""

from collections import deque

from nautilus.errors import Invalid


class OrderRate:
    """At most `limit` orders in any `window_ns`: no burst at a boundary, as fixed windows allow.

    >>> rate = OrderRate(2, 100)
    >>> rate.add(0), rate.add(10), rate.full(50), rate.full(100)
    (None, None, True, False)
    """

    __slots__ = ("_times", "limit", "window_ns")

    def __init__(self, limit: int, window_ns: int) -> None:
        if limit < 1 or window_ns < 1:
            raise Invalid("limit", "limit and window must be at least 1")
        self.limit = limit
        self.window_ns = window_ns
        self._times: deque[int] = deque(maxlen=limit)

    def full(self, now_ns: int) -> bool:
        """Whether one more order now would be one too many."""
        times = self._times
        return len(times) == self.limit and now_ns - times[0] < self.window_ns

    def add(self, now_ns: int) -> None:
        """Count an order."""
        self._times.append(now_ns)

"""Never more requests than a source allows: a token bucket for each of its limits, on the node's clock."""

import asyncio
from collections.abc import Sequence
from itertools import count

import msgspec

from nautilus.clock import Clock, TimeEvent
from nautilus.engines.marketdata.sources.errors import SourceThrottled


class RateLimit(msgspec.Struct, frozen=True):
    """At most `requests` in any window of `seconds`, and at most `burst` at once.

    The bucket holds `burst` tokens and gains `requests - burst` in a window: what was saved and what was gained are
    together never more than the limit. Without `burst` it is a tenth of the requests, at least one.

    >>> RateLimit(120, 60).burst_tokens, RateLimit(120, 60).tokens_per_second
    (12, 1.8)
    """

    requests: int
    seconds: float
    burst: int = 0

    @property
    def burst_tokens(self) -> int:
        """Tokens of a full bucket."""
        return self.burst or max(1, self.requests // 10)

    @property
    def tokens_per_second(self) -> float:
        """Tokens gained a second; a limit of one request gains one in each window."""
        return max(1, self.requests - self.burst_tokens) / self.seconds


class TokenBucket:
    """One limit. Tokens are taken ahead of time: who takes one learns when it may be used.

    The book is kept in whole nanoseconds: `_next_ns` is when the bucket would have been full less one token.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._interval_ns = round(1e9 / limit.tokens_per_second)
        self._depth_ns = self._interval_ns * (limit.burst_tokens - 1)
        self._theoretical_ns = 0

    def free_at(self, now_ns: int) -> int:
        """When the next token may be used, in ns; `now_ns` where there is one."""
        return max(now_ns, self._theoretical_ns - self._depth_ns)

    def take(self, at_ns: int) -> None:
        """Use a token at a time that is not before `free_at`."""
        self._theoretical_ns = max(self._theoretical_ns, at_ns) + self._interval_ns


class RateLimiter:
    """All limits of one source. Requests pass in the order in which they came; `pass_at` is the last one's turn."""

    def __init__(self, source: str, limits: Sequence[RateLimit], clock: Clock) -> None:
        self.source = source
        self.waited = 0
        """Requests that had to wait for their turn."""
        self.refused = 0
        """Requests that would have had to wait too long."""
        self._clock = clock
        self._buckets = [TokenBucket(limit) for limit in limits]
        self._closed_until_ns = 0
        self._names = count()

    def pause(self, seconds: float) -> None:
        """Let nothing pass for a time, because the source said so."""
        self._closed_until_ns = max(self._closed_until_ns, self._clock.timestamp_ns() + round(seconds * 1e9))

    def wait_seconds(self) -> float:
        """How long a request that came now would wait."""
        now_ns = self._clock.timestamp_ns()
        return (self._turn(now_ns) - now_ns) / 1e9

    async def acquire(self, most_seconds: float) -> None:
        """Wait for a turn; raises SourceThrottled at once where that would take longer than `most_seconds`."""
        now_ns = self._clock.timestamp_ns()
        turn_ns = self._turn(now_ns)
        wait = (turn_ns - now_ns) / 1e9
        if wait > most_seconds:
            self.refused += 1
            raise SourceThrottled(self.source, f"its rate limit leaves no turn for {wait:.1f} s", wait)
        for bucket in self._buckets:
            bucket.take(turn_ns)
        if turn_ns > now_ns:
            self.waited += 1
            await self.sleep_until(turn_ns)

    async def sleep(self, seconds: float) -> None:
        """Let time pass on the node's clock."""
        await self.sleep_until(self._clock.timestamp_ns() + round(seconds * 1e9))

    async def sleep_until(self, at_ns: int) -> None:
        """Wait until the node's clock says so."""
        if at_ns <= self._clock.timestamp_ns():
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_event: TimeEvent) -> None:
            if not woken.done():
                woken.set_result(None)

        name = f"marketdata:sources:{self.source}:{next(self._names)}"
        self._clock.set_time_alert_ns(name, at_ns, wake)
        try:
            await woken
        finally:
            self._clock.cancel_timer(name)

    def _turn(self, now_ns: int) -> int:
        return max(now_ns, self._closed_until_ns, *(bucket.free_at(now_ns) for bucket in self._buckets))

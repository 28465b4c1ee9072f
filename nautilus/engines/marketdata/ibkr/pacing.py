"""What the gateway lets a client ask: messages a second, historical requests in ten minutes, no request twice in a row.

IBKR disconnects a client that sends more than 50 messages a second, and answers error 162 (pacing violation) to more
than 60 historical requests in ten minutes, to the same one again within 15 seconds, and to six of one contract within
two seconds.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable

from nautilus.errors import Invalid

SECOND_NS = 1_000_000_000
CONTRACT_REQUESTS = 5
CONTRACT_WINDOW_NS = 2 * SECOND_NS


class TokenBucket:
    """At most `rate` a second in the long run, and `burst` at once: never more than `rate + burst` in any second.

    >>> bucket = TokenBucket(10, 2, 0)
    >>> [bucket.take(0), bucket.take(0), bucket.take(0), bucket.ready_ns(0)]
    [True, True, False, 100000000]
    """

    __slots__ = ("_burst_ns", "_cost_ns", "_full_ns", "waits")

    def __init__(self, rate: int, burst: int, now_ns: int) -> None:
        if rate < 1 or burst < 1:
            raise Invalid("rate", f"and burst must be at least 1, not {rate} and {burst}")
        self._cost_ns = -(-SECOND_NS // rate)
        self._burst_ns = burst * self._cost_ns
        self._full_ns = now_ns  # when it would be full again
        self.waits = 0

    def take(self, now_ns: int) -> bool:
        """Take one token, if there is one."""
        if self.ready_ns(now_ns) > now_ns:
            self.waits += 1
            return False
        self._full_ns = max(self._full_ns, now_ns) + self._cost_ns
        return True

    def ready_ns(self, now_ns: int) -> int:
        """When there is a token: now or later."""
        return max(now_ns, self._full_ns + self._cost_ns - self._burst_ns)


class HistoricalPacing:
    """When a historical request may go out; `identity` is everything it asks for, `contract` what it asks about.

    >>> pacing = HistoricalPacing(60, 600 * SECOND_NS, 15 * SECOND_NS)
    >>> pacing.sent("AAPL 60s 1800", "AAPL", 0)
    >>> pacing.ready_ns("AAPL 60s 1800", "AAPL", 1) // SECOND_NS, pacing.ready_ns("AAPL 60s 900", "AAPL", 1)
    (15, 1)
    """

    __slots__ = ("_contracts", "_identical_ns", "_identities", "_largest", "_pause_ns", "_sent", "_window_ns")

    def __init__(self, largest: int, window_ns: int, identical_ns: int) -> None:
        self._largest = largest
        self._window_ns = window_ns
        self._identical_ns = identical_ns
        self._sent: deque[int] = deque(maxlen=largest)
        self._identities: OrderedDict[Hashable, int] = OrderedDict()
        self._contracts: dict[Hashable, deque[int]] = {}
        self._pause_ns = 0

    def ready_ns(self, identity: Hashable, contract: Hashable, now_ns: int) -> int:
        """When this request may go out: now or later."""
        ready = max(now_ns, self._pause_ns)
        if len(self._sent) == self._largest:
            ready = max(ready, self._sent[0] + self._window_ns)
        if identity in self._identities:
            ready = max(ready, self._identities[identity] + self._identical_ns)
        recent = self._contracts.get(contract)
        if recent is not None and len(recent) == CONTRACT_REQUESTS:
            ready = max(ready, recent[0] + CONTRACT_WINDOW_NS)
        return ready

    def sent(self, identity: Hashable, contract: Hashable, now_ns: int) -> None:
        """It has gone out."""
        self._sent.append(now_ns)
        self._identities.pop(identity, None)
        self._identities[identity] = now_ns
        while self._identities and next(iter(self._identities.values())) + self._identical_ns <= now_ns:
            self._identities.popitem(last=False)
        times = self._contracts.pop(contract, None) or deque(maxlen=CONTRACT_REQUESTS)
        times.append(now_ns)
        self._contracts[contract] = times  # the newest stand last
        for key in [key for key, sent in self._contracts.items() if sent[-1] + CONTRACT_WINDOW_NS <= now_ns]:
            del self._contracts[key]

    def violated(self, now_ns: int) -> None:
        """The gateway has complained: nothing for as long as for an identical request."""
        self._pause_ns = now_ns + self._identical_ns

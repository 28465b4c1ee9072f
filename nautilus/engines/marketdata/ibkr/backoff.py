"""How long to wait before the next attempt: exponential, capped, with jitter against everybody coming at once."""

from __future__ import annotations

from random import Random

from nautilus.errors import Invalid

LARGEST_EXPONENT = 62


class Backoff:
    """The wait after n failures is between half and the whole of min(cap, first * 2**n). It never gives up.

    >>> backoff = Backoff(1_000, 8_000, Random(7))
    >>> [500 <= backoff.next_ns() <= 1_000, 1_000 <= backoff.next_ns() <= 2_000, backoff.failures]
    [True, True, 2]
    """

    __slots__ = ("_cap_ns", "_first_ns", "_random", "failures")

    def __init__(self, first_ns: int, cap_ns: int, random: Random) -> None:
        if not 0 < first_ns <= cap_ns:
            raise Invalid("backoff", f"must have 0 < first <= cap, not {first_ns} and {cap_ns}")
        self._first_ns = first_ns
        self._cap_ns = cap_ns
        self._random = random
        self.failures = 0

    def next_ns(self) -> int:
        """One more failure: how long to wait, in nanoseconds."""
        whole = min(self._cap_ns, self._first_ns << min(self.failures, LARGEST_EXPONENT))
        self.failures += 1
        return whole - int(self._random.random() * (whole / 2))

    def reset(self) -> None:
        """It worked: the next failure is the first again."""
        self.failures = 0

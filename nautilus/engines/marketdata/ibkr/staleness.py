"""One subscription's watchdog: a platform that looks alive while one of its streams has stopped is the worst failure.

A subscription is stale when nothing came for longer than its limit, quiet hours left out; then it is to be renewed, and
again after twice as long each time nothing comes of it, up to eight times its limit: it never gives up and never
hammers the gateway for an instrument that simply does not trade.
"""

from __future__ import annotations

LARGEST_DOUBLING = 3


class Watchdog:
    """Whether one subscription is alive. Times are nanoseconds; `data` is on the path of every event and does little.

    >>> dog = Watchdog(60, grace_ns=10)
    >>> dog.requested(0); dog.data(50)
    >>> [dog.wants_renewal(109, False, False), dog.wants_renewal(110, False, False), dog.is_stale]
    [False, True, True]
    """

    __slots__ = ("_deadline_ns", "grace_ns", "is_stale", "is_suspect", "last_ns", "limit_ns", "renewals", "tries")

    def __init__(self, limit_ns: int, grace_ns: int) -> None:
        self.limit_ns = limit_ns
        self.grace_ns = min(grace_ns, limit_ns)
        self.last_ns = 0
        """When data last came; 0 for never."""
        self.is_stale = False
        self.is_suspect = False
        """Whether somebody said that it may have stopped, and nothing came since."""
        self.tries = 0
        self.renewals = 0
        self._deadline_ns = 0

    def requested(self, now_ns: int) -> None:
        """It was asked for: something has to come within the limit, or longer after renewals in vain."""
        self._deadline_ns = now_ns + (self.limit_ns << min(self.tries, LARGEST_DOUBLING))

    def data(self, now_ns: int) -> None:
        """Something came."""
        self.last_ns = now_ns
        if self.tries or self.is_stale or self.is_suspect:
            self.tries = 0
            self.is_stale = self.is_suspect = False
        self._deadline_ns = now_ns + self.limit_ns

    def suspect(self) -> None:
        """The gateway says that what serves this has stopped: doubtful until something comes."""
        self.is_suspect = True

    def failed(self, now_ns: int) -> None:
        """The gateway has refused or ended it for now: ask again soon, less soon each time."""
        self.is_stale = True
        self._deadline_ns = now_ns + (self.grace_ns << min(self.tries, LARGEST_DOUBLING))

    def refused(self, now_ns: int) -> None:
        """The gateway will not give it, such as for want of a permission: ask again, but seldom."""
        self.is_stale = True
        self.tries = max(self.tries, LARGEST_DOUBLING)
        self.requested(now_ns)

    def trust(self) -> None:
        """It was asked for anew and will speak only when the market does: no more doubtful than at the beginning."""
        self.is_suspect = False

    def watch(self, now_ns: int) -> None:
        """What serves this is back: whatever is still doubtful has a short time to show itself."""
        if self.is_suspect or self.is_stale:
            self._deadline_ns = min(self._deadline_ns, now_ns + self.grace_ns)

    def wants_renewal(self, now_ns: int, quiet: bool, held: bool) -> bool:
        """Whether to ask for it anew now; `quiet`: silence is normal; `held`: it is known to be in vain."""
        if quiet:
            self.is_stale = self.is_suspect = False
            self.tries = 0
            self._deadline_ns = now_ns + self.limit_ns
            return False
        if now_ns < self._deadline_ns:
            return False
        self.is_stale = True
        if held:
            return False
        self.tries += 1
        self.renewals += 1
        self.requested(now_ns)
        return True

"""What a bar may contain: which sessions it must stay within, and what becomes of trades that come out of order.

Order. A trade is late when a trade of a later time, or the close of a bar, has been seen before it. `DROP` leaves it
out. `ADD` puts it into the bar that is open, as if it had happened at the latest time seen; it is left out all the same
where it is of an earlier session, or the session has closed. Either way it is counted.

Sessions. A session is [open, close): a bar that is open at the close ends there, incomplete, and the next begins empty.
A trade outside of all sessions is in no bar, and counted. A break in a session (lunch in Tokyo) divides it in two.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nautilus.errors import Invalid
from nautilus.market_calendar import Session

Integers = NDArray[np.int64]


class LatePolicy(IntEnum):
    """What becomes of a trade that comes after a later one."""

    DROP = 0
    ADD = 1


class BarCounts(msgspec.Struct):
    """Trades that were not simply taken in: late ones by what became of them, and those outside of sessions."""

    late_dropped: int = 0
    late_added: int = 0
    outside_sessions: int = 0


class SessionTimes:
    """Times at which a market trades, ns UTC; `opens` and `closes` [sessions] ascend and no session overlaps the next.

    Raises Invalid where they do not.

    >>> sessions = SessionTimes([0, 100], [50, 150])
    >>> [sessions.index(moment) for moment in (0, 49, 50, 100, 150)]
    [0, 0, -1, 1, -1]
    """

    __slots__ = ("closes", "opens")

    def __init__(self, opens: ArrayLike, closes: ArrayLike) -> None:
        self.opens: Integers = np.array(opens, np.int64)
        self.closes: Integers = np.array(closes, np.int64)
        if self.opens.ndim != 1 or self.opens.shape != self.closes.shape:
            raise Invalid("sessions", "must have as many closes as opens")
        if np.any(self.closes <= self.opens) or np.any(self.opens[1:] < self.closes[:-1]):
            raise Invalid("sessions", "must be in order, each open before its close, and none may overlap the next")
        self.opens.flags.writeable = self.closes.flags.writeable = False

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> SessionTimes:
        """The trading periods of a market calendar's sessions."""
        periods = [period for session in sessions for period in session.periods()]
        return cls([start for start, _ in periods], [end for _, end in periods])

    def __len__(self) -> int:
        return len(self.opens)

    def index(self, at_ns: int) -> int:
        """The session that a moment is in; -1 where it is in none."""
        found = int(np.searchsorted(self.opens, at_ns, "right")) - 1
        return found if found >= 0 and at_ns < self.closes[found] else -1

"""How long outages last, from the last message before to the first data of everything that was subscribed to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

OUTAGES_KEPT = 100

Key = tuple[str, str, str]


class Outage(msgspec.Struct, kw_only=True):
    """One interruption, in ns UTC; None for what has not happened yet."""

    reason: str
    last_heard_ns: int
    noticed_ns: int
    connected_ns: int | None = None
    recovered_ns: int | None = None

    @property
    def seconds(self) -> float | None:
        """Time to recovery: from the last message before to everything being back; None while it lasts."""
        return None if self.recovered_ns is None else (self.recovered_ns - self.last_heard_ns) / 1e9


class Recoveries:
    """The outages so far, and what of the present one is still missing."""

    def __init__(self) -> None:
        self.outages: deque[Outage] = deque(maxlen=OUTAGES_KEPT)
        self.count = 0
        self._missing: set[Key] | None = None

    @property
    def current(self) -> Outage | None:
        """The outage that lasts, or None."""
        last = self.outages[-1] if self.outages else None
        return last if last is not None and last.recovered_ns is None else None

    @property
    def is_missing(self) -> bool:
        """Whether something is being waited for."""
        return bool(self._missing)

    def begin(self, reason: str, last_heard_ns: int, now_ns: int) -> None:
        """Something was lost; during an outage that lasts this is part of it."""
        self._missing = None
        if self.current is None:
            self.count += 1
            self.outages.append(Outage(reason=reason, last_heard_ns=last_heard_ns, noticed_ns=now_ns))

    def connected(self, missing: Iterable[Key], now_ns: int) -> None:
        """There is a way again; the outage is over when all of this has come back."""
        current = self.current
        if current is None:
            return
        current.connected_ns = now_ns
        self._missing = set(missing)
        self._finish(now_ns)

    def back(self, key: Key, now_ns: int) -> None:
        """One subscription is back, or no longer wanted."""
        if self._missing is not None:
            self._missing.discard(key)
            self._finish(now_ns)

    def _finish(self, now_ns: int) -> None:
        if not self._missing and self.current is not None:
            self.current.recovered_ns = now_ns
            self._missing = None

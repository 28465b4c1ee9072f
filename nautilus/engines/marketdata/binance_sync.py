"""Binance depth: a REST snapshot and a stream of differences joined into one exact book, and rejoined after a gap.

Binance's rules. Spot: differences with u <= lastUpdateId are old; the first one used has U <= lastUpdateId + 1 <= u;
each next has U = u of the one before + 1. Futures (USD-M, COIN-M): those with u < lastUpdateId are old; the first one
used has U <= lastUpdateId <= u; each next has pu = u of the one before. While there is no snapshot, differences wait in
a bounded buffer: the oldest is dropped and counted. A difference that does not follow, or a book that comes out
crossed, makes the book unknown until the next snapshot.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from nautilus.engines.marketdata.decimal_grid import DecimalGrid
from nautilus.engines.marketdata.order_book import Levels, OrderBook
from nautilus.errors import Invalid
from nautilus.model import Instrument

MOST_WAITING = 10_000
TextLevels = tuple[tuple[str, str], ...]
UpdateId = Annotated[int, Meta(ge=0)]


class BinanceMarket(StrEnum):
    """Which of the two rules of joining holds."""

    SPOT = "spot"
    FUTURES = "futures"


class DepthDifference(msgspec.Struct, frozen=True):
    """An event of a depth stream, levels as Binance sends them; `event_time_ms` is the exchange's."""

    first_id: UpdateId = msgspec.field(name="U")
    final_id: UpdateId = msgspec.field(name="u")
    bids: TextLevels = msgspec.field(name="b")
    asks: TextLevels = msgspec.field(name="a")
    event_time_ms: int = msgspec.field(name="E")
    previous_id: UpdateId | None = msgspec.field(name="pu", default=None)


class DepthSnapshot(msgspec.Struct, frozen=True):
    """The body of a REST depth request."""

    last_update_id: UpdateId = msgspec.field(name="lastUpdateId")
    bids: TextLevels
    asks: TextLevels


class Joined(StrEnum):
    """What became of a difference."""

    APPLIED = "applied"
    OLD = "old"
    WAITING = "waiting"
    GAP = "gap"
    CROSSED = "crossed"


class SyncCounts(msgspec.Struct):
    """What has happened since the start."""

    applied: int = 0
    old: int = 0
    dropped: int = 0
    gaps: int = 0
    crossed: int = 0
    snapshots: int = 0


class _Change(NamedTuple):
    """A difference in ticks and lots."""

    first_id: int
    final_id: int
    previous_id: int | None
    event_time_ms: int
    bids: Levels
    asks: Levels


class DepthSync:
    """One instrument's book out of its snapshot and differences.

    Feed every difference to `on_difference`. Whenever `needs_snapshot`, fetch one and give it to `on_snapshot`; until
    then `book` is empty. `event_time_ms` is the exchange's time of the last difference in the book.
    """

    def __init__(self, instrument: Instrument, market: BinanceMarket, most_waiting: int = MOST_WAITING) -> None:
        if most_waiting < 1:
            raise Invalid("most_waiting", f"must be at least 1, not {most_waiting}")
        self.instrument = instrument
        self.book = OrderBook()
        self.counts = SyncCounts()
        self.event_time_ms = 0
        self._is_futures = market is BinanceMarket.FUTURES
        self._ticks = DecimalGrid(instrument.tick_size)
        self._lots = DecimalGrid(instrument.lot_size)
        self._waiting: deque[_Change] = deque(maxlen=most_waiting)
        self._last_id: int | None = None
        self._is_joined = False

    @property
    def needs_snapshot(self) -> bool:
        """Whether the book is unknown."""
        return self._last_id is None

    @property
    def last_update_id(self) -> int | None:
        """The id of the last change that is in the book; None while it is unknown."""
        return self._last_id

    def on_difference(self, difference: DepthDifference) -> Joined:
        """Take the next event of the stream.

        Raises Invalid, with nothing changed, for ids that cannot be and for a level off the grid.
        """
        change = self._change(difference)
        if self._last_id is None:
            self._wait(change)
            return Joined.WAITING
        return self._join(change, self._last_id)

    def on_snapshot(self, snapshot: DepthSnapshot) -> bool:
        """Take a snapshot and join the waiting differences to it; False where these do not follow: fetch another.

        Raises Invalid, with nothing changed, for a level off the grid.
        """
        bids, asks = self._levels(snapshot.bids, "bids"), self._levels(snapshot.asks, "asks")
        self.counts.snapshots += 1
        self.book.replace(bids, asks)
        self._last_id, self._is_joined = snapshot.last_update_id, False
        if self.book.is_crossed:
            self.counts.crossed += 1
            self._lose()
            return False
        while self._waiting:
            change = self._waiting.popleft()
            if self._join(change, self._last_id, is_waiting=True) in {Joined.GAP, Joined.CROSSED}:
                return False
        return True

    def _join(self, change: _Change, last_id: int, *, is_waiting: bool = False) -> Joined:
        if self._is_old(change, last_id):
            self.counts.old += 1
            return Joined.OLD
        if not self._follows(change, last_id):
            self.counts.gaps += 1
            self._lose()
            # of those that wait, this one was the oldest: the next snapshot may still precede it
            if is_waiting:
                self._waiting.appendleft(change)
            else:
                self._wait(change)
            return Joined.GAP
        for price, lots in change.bids:
            self.book.apply(1, price, lots)
        for price, lots in change.asks:
            self.book.apply(-1, price, lots)
        if self.book.is_crossed:
            self.counts.crossed += 1
            self._lose()
            return Joined.CROSSED
        self._last_id, self._is_joined = change.final_id, True
        self.event_time_ms = change.event_time_ms
        self.counts.applied += 1
        return Joined.APPLIED

    def _is_old(self, change: _Change, last_id: int) -> bool:
        if self._is_futures and not self._is_joined:
            return change.final_id < last_id
        return change.final_id <= last_id

    def _follows(self, change: _Change, last_id: int) -> bool:
        if self._is_joined:
            return change.previous_id == last_id if self._is_futures else change.first_id == last_id + 1
        wanted = last_id if self._is_futures else last_id + 1
        return change.first_id <= wanted <= change.final_id

    def _lose(self) -> None:
        self.book.clear()
        self._last_id, self._is_joined = None, False

    def _wait(self, change: _Change) -> None:
        self.counts.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(change)

    def _change(self, difference: DepthDifference) -> _Change:
        if difference.final_id < difference.first_id:
            raise Invalid("u", f"must not be below U {difference.first_id}, not {difference.final_id}")
        if self._is_futures and difference.previous_id is None:
            raise Invalid("pu", "must be given in a futures stream")
        return _Change(
            difference.first_id, difference.final_id, difference.previous_id, difference.event_time_ms,
            self._levels(difference.bids, "b"), self._levels(difference.asks, "a"),
        )  # fmt: skip

    def _levels(self, texts: TextLevels, field: str) -> Levels:
        ticks, lots = self._ticks.steps, self._lots.steps
        return tuple((ticks(price, field), _not_negative(lots(size, field), field)) for price, size in texts)


def _not_negative(lots: int, field: str) -> int:
    if lots < 0:
        raise Invalid(field, "must not have a negative size")
    return lots

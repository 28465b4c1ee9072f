"""Depth: raw row operations in, changes of price levels out, once a packet."""

from __future__ import annotations

from nautilus.engines.marketdata.ibkr.depth_book import NO_ROW, DepthBook, Operation, Row
from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.model import BookDelta, Side


class DepthStream(Stream):
    """One instrument's depth. IBKR gives it no exchange time: `ts_event` is the arrival of the packet.

    A new request and error 317 begin the rows anew. What was told stays until new rows come, and then the difference is
    told: whoever follows the deltas ends on the true book, however much was missed.
    """

    __slots__ = ("book", "resets")

    def __init__(self, instrument_id: str, grid: Grid, emit: Emit) -> None:
        super().__init__(instrument_id, grid, emit)
        self.book = DepthBook()
        self.resets = 0

    def begin(self, now_ns: int) -> None:
        """A new request goes out: rows are numbered anew."""
        self.book.reset()
        self.is_dirty = False

    def reset(self) -> None:
        """Error 317: the gateway has emptied its book and will fill it again."""
        self.resets += 1
        self.book.reset()
        self.is_dirty = True

    def apply(self, position: int, operation: int, is_bid: bool, price: float, size: float, market_maker: str) -> None:
        """One row operation. A row that is on no grid holds its place, adds nothing and is counted."""
        side = Side.BUY if is_bid else Side.SELL
        row = NO_ROW
        if operation != Operation.DELETE:
            ticks, lots = self.grid.ticks(price), self.grid.lots(size)
            if ticks is None or lots is None or ticks <= 0 or lots < 0:
                self.refused += 1
            else:
                row = Row(ticks, lots, market_maker)
        if not self.book.apply(operation, side, position, row):
            self.refused += 1
        self.is_dirty = True

    def flush(self, ts_init: int) -> None:
        """Tell which levels have changed; the last of them closes the group."""
        self.is_dirty = False
        changes = list(self.book.changes())
        final = len(changes) - 1
        for place, (side, ticks, lots) in enumerate(changes):
            self.hand_on(BookDelta(self.instrument_id, side, ticks, lots, place == final, ts_init, ts_init))

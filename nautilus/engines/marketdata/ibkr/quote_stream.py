"""Quotes: of a market data line, whose sides come field by field, and of tick-by-tick data, which come whole."""

from __future__ import annotations

from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.ibkr.settings import NANOSECONDS
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.model import Quote

BID_PRICES, ASK_PRICES = frozenset({1, 66}), frozenset({2, 67})
BID_SIZES, ASK_SIZES = frozenset({0, 69}), frozenset({3, 70})
"""Tick types, live and delayed."""
LIVE = 1


class _Half:
    __slots__ = ("lots", "ticks")

    def __init__(self) -> None:
        self.ticks: int | None = None
        self.lots = 0


class QuoteStream(Stream):
    """A market data line. IBKR gives it no exchange time: `ts_event` is the arrival of the packet that completed it.

    Sides are put together at the end of a packet; a quote that is crossed there is half of a move, and waits.
    """

    __slots__ = ("_ask", "_bid", "_sent", "data_type", "held_crossed")

    def __init__(self, instrument_id: str, grid: Grid, emit: Emit) -> None:
        super().__init__(instrument_id, grid, emit)
        self.data_type = LIVE
        self.held_crossed = 0
        self._sent: tuple[int, int, int, int] | None = None
        self._bid, self._ask = _Half(), _Half()

    def begin(self, now_ns: int) -> None:
        """A new request goes out."""
        self._bid, self._ask, self._sent = _Half(), _Half(), None

    def price(self, tick_type: int, price: float, size: float) -> bool:
        """A price with its size; -1 and 0 say that the side is empty. False where the type is none of ours."""
        half = self._bid if tick_type in BID_PRICES else self._ask if tick_type in ASK_PRICES else None
        if half is None:
            return False
        if price <= 0 and size <= 0:
            half.ticks, half.lots = 0, 0
        else:
            ticks, lots = self.grid.ticks(price), self.grid.lots(size)
            if ticks is None or lots is None:
                self.refused += 1
                return True
            half.ticks, half.lots = ticks, lots
        self.is_dirty = True
        return True

    def size(self, tick_type: int, size: float) -> bool:
        """A size alone. False where the type is none of ours."""
        half = self._bid if tick_type in BID_SIZES else self._ask if tick_type in ASK_SIZES else None
        if half is None:
            return False
        lots = self.grid.lots(size)
        if lots is None:
            self.refused += 1
        elif half.ticks:
            half.lots = lots
            self.is_dirty = True
        return True

    def flush(self, ts_init: int) -> None:
        """Send the quote, if it is whole, sound and another than before."""
        self.is_dirty = False
        bid, ask = self._bid, self._ask
        if bid.ticks is None or ask.ticks is None:
            return
        if bid.lots and ask.lots and bid.ticks > ask.ticks:
            self.held_crossed += 1
            return
        quote = (bid.ticks, ask.ticks, bid.lots, ask.lots)
        if quote != self._sent:
            self._sent = quote
            self.hand_on(Quote(self.instrument_id, *quote, ts_init, ts_init))


class TickQuoteStream(Stream):
    """Tick-by-tick bid and ask, with the exchange's time to the second."""

    __slots__ = ()

    def quote(self, seconds: int, bid: float, ask: float, bid_size: float, ask_size: float, ts_init: int) -> None:
        """One quote; a side with neither price nor size is empty."""
        grid = self.grid
        ticks = (grid.ticks(max(bid, 0.0)), grid.ticks(max(ask, 0.0)), grid.lots(bid_size), grid.lots(ask_size))
        bid_ticks, ask_ticks, bid_lots, ask_lots = ticks
        if bid_ticks is None or ask_ticks is None or bid_lots is None or ask_lots is None:
            self.refused += 1
            return
        ts_event = seconds * NANOSECONDS
        self.hand_on(Quote(self.instrument_id, bid_ticks, ask_ticks, bid_lots, ask_lots, ts_event, ts_init))

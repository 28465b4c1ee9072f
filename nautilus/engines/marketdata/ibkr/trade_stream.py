"""Trades: tick-by-tick, with the exchange's time to the second."""

from __future__ import annotations

from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.ibkr.settings import NANOSECONDS
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.model import Side, Trade


class TradeStream(Stream):
    """Every trade reported. IBKR names neither aggressor nor trade: the side is NONE, ids count from `first_id`."""

    __slots__ = ("_next_id",)

    def __init__(self, instrument_id: str, grid: Grid, emit: Emit, first_id: int) -> None:
        super().__init__(instrument_id, grid, emit)
        self._next_id = first_id

    def trade(self, seconds: int, price: float, size: float, ts_init: int) -> None:
        """One trade."""
        ticks, lots = self.grid.ticks(price), self.grid.lots(size)
        if ticks is None or lots is None:
            self.refused += 1
            return
        ts_event = seconds * NANOSECONDS
        self._next_id += 1
        self.hand_on(Trade(self.instrument_id, ticks, lots, Side.NONE, self._next_id, ts_event, ts_init))

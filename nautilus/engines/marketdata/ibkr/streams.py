"""What every kind of subscription makes of its messages: model events on the instrument's grid, one by one."""

from __future__ import annotations

from collections.abc import Callable

from nautilus.engines.marketdata.admission import MarketEvent
from nautilus.engines.marketdata.ibkr.grid import Grid

Emit = Callable[[MarketEvent], bool]


class Stream:
    """State of one subscription between its messages. An exchange's time is `ts_event`, that of arrival `ts_init`."""

    __slots__ = ("emit", "events", "grid", "instrument_id", "is_dirty", "refused")

    def __init__(self, instrument_id: str, grid: Grid, emit: Emit) -> None:
        self.instrument_id = instrument_id
        self.grid = grid
        self.emit = emit
        self.events = 0
        """Events that were taken."""
        self.refused = 0
        """Messages that make no event: off the grid, impossible, or turned away at the door."""
        self.is_dirty = False
        """Whether something waits for the end of the packet."""

    def begin(self, now_ns: int) -> None:
        """A new request goes out: what the old one left half done is void."""

    def flush(self, ts_init: int) -> None:
        """The packet has ended."""
        self.is_dirty = False

    def hand_on(self, event: MarketEvent) -> None:
        """Give an event to the engine and count what becomes of it."""
        if self.emit(event):
            self.events += 1
        else:
            self.refused += 1

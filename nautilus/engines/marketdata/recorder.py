"""Recording: every admitted event waits in a bounded buffer and goes to the catalog as columns, in the background.

Kinds in the catalog: "quote", "trade", "book" (level changes) and "bar.SPEC", each with the fields of its Struct as
int64 columns. What has not been written yet when the process is killed is lost: at most the interval between writes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from nautilus.errors import NautilusError
from nautilus.model import Bar, BarColumns, BookDelta, BookDeltaColumns, Quote, QuoteColumns, Trade, TradeColumns

if TYPE_CHECKING:
    from nautilus.store.base import Catalog

Columns = QuoteColumns | TradeColumns | BookDeltaColumns | BarColumns
Event = Quote | Trade | BookDelta | Bar

QUOTE_KIND, TRADE_KIND, BOOK_KIND, BAR_KIND_PREFIX = "quote", "trade", "book", "bar."
_COLUMNS: dict[str, type[QuoteColumns] | type[TradeColumns] | type[BookDeltaColumns]] = {
    QUOTE_KIND: QuoteColumns,
    TRADE_KIND: TradeColumns,
    BOOK_KIND: BookDeltaColumns,
}


def columns_type(kind: str) -> type[Columns]:
    """The column batch of a catalog kind."""
    return BarColumns if kind.startswith(BAR_KIND_PREFIX) else _COLUMNS[kind]


def read_recorded(
    catalog: Catalog,
    kind: str,
    instrument_id: str,
    start_ns: int | None = None,
    end_ns: int | None = None,
    *,
    newest: int | None = None,
) -> Columns:
    """Recorded rows with start_ns <= ts_event < end_ns, of which the `newest` (all where None). Blocks.

    Raises NotFound where nothing of the kind was recorded for the instrument.
    """
    kind_columns = columns_type(kind)
    lazy = catalog.read(kind, instrument_id, start_ns, end_ns)
    frame = (lazy if newest is None else lazy.tail(newest)).collect()
    return kind_columns(instrument_id, *(frame[name].to_numpy() for name in kind_columns.names()))


class Recorder:
    """Buffers events by kind and instrument; `flush` writes them.

    Over `capacity` waiting events the newest are dropped and counted. A failed write keeps its events for the next.
    """

    __slots__ = ("_buffers", "_lock", "_waiting", "capacity", "catalog", "dropped", "failure", "written")

    def __init__(self, catalog: Catalog, capacity: int) -> None:
        self.catalog = catalog
        self.capacity = capacity
        self.written = 0
        self.dropped = 0
        self.failure = ""
        self._buffers: dict[tuple[str, str], list[Event]] = {}
        self._waiting = 0
        self._lock = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Events not written yet."""
        return self._waiting

    def record(self, kind: str, event: Event) -> None:
        """Remember one event for the next write."""
        if self._waiting >= self.capacity:
            self.dropped += 1
            return
        self._waiting += 1
        key = (kind, event.instrument_id)
        buffer = self._buffers.get(key)
        if buffer is None:
            buffer = self._buffers[key] = []
        buffer.append(event)

    async def flush(self) -> None:
        """Write everything that waits; what fails stays, its reason in `failure`. One write at a time."""
        async with self._lock:
            buffers, self._buffers = self._buffers, {}
            self.failure = ""
            for (kind, instrument_id), events in buffers.items():
                try:
                    columns = await asyncio.to_thread(columns_type(kind).from_events, instrument_id, events)
                    await self.catalog.write(kind, instrument_id, columns.arrays())
                except NautilusError as error:
                    self.failure = str(error)
                    self._buffers[kind, instrument_id] = events + self._buffers.get((kind, instrument_id), [])
                else:
                    self._waiting -= len(events)
                    self.written += len(events)

"""The catalog in PostgreSQL: one table a kind, one partition a day, read as a lazy frame that streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from nautilus.errors import NotFound, StoreError
from nautilus.store.base import CatalogEntry
from nautilus.store.columns import Columns, by_day, checked_rows
from nautilus.store.parts import DAY_NS
from nautilus.store.postgres.binary_copy import check_values
from nautilus.store.postgres.catalog_reader import EMPTY_MARK, Block, CatalogReader, Reading
from nautilus.store.postgres.catalog_writer import CatalogWriter, PendingWrite
from nautilus.store.postgres.connections import CLOSING_PATIENCE_S
from nautilus.store.postgres.layout import EPOCH, check_names, stored_name
from nautilus.store.postgres.loop_thread import LoopThread

if TYPE_CHECKING:
    import polars as pl

# `list` is a method below, so that annotations name these instead.
type Entries = list[CatalogEntry]
type Names = list[str]
type Source = Callable[[Names | None, "pl.Expr | None", int | None, int | None], Iterator["pl.DataFrame"]]


class PostgresCatalog:
    """Market data by kind and instrument. A write is there whole or not at all, and once.

    While the server is away a write waits, up to `patience_s`. A kind's columns keep the types of their first write.
    """

    def __init__(self) -> None:
        self._thread: LoopThread | None = None
        self._writer: CatalogWriter | None = None
        self._reader: CatalogReader | None = None

    def start(self, thread: LoopThread, writer: CatalogWriter, reader: CatalogReader) -> None:
        """Read and write with these, which run on `thread`."""
        self._thread, self._writer, self._reader = thread, writer, reader

    async def stop(self) -> None:
        """Take no more work; what is being written has a few seconds. A second call does nothing."""
        thread, writer = self._thread, self._writer
        self._thread = self._writer = self._reader = None
        if thread is not None and writer is not None:
            try:
                await asyncio.wait_for(thread.run(writer.idle()), CLOSING_PATIENCE_S)
            except TimeoutError:
                raise StoreError("market data was still being written when the catalog was closed") from None

    async def write(self, kind: str, instrument_id: str, columns: Columns) -> None:
        """Append rows; committed when this returns.

        Raises Invalid for columns it cannot keep, one whose type differs from earlier writes among them, and StoreError
        when the server was away for longer than the patience of the settings, or refused.
        """
        rows = checked_rows(kind, instrument_id, columns)
        check_names(columns)
        if self._thread is None or self._writer is None:
            raise StoreError("the catalog is not open")
        if rows:
            days = await asyncio.to_thread(_days, columns)
            pending = PendingWrite(stored_name(kind), stored_name(instrument_id), days)
            await self._thread.run(self._writer.write(pending))

    def read(
        self, kind: str, instrument_id: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> pl.LazyFrame:
        """Rows with start_ns <= ts_event < end_ns, by ts_event. Blocks: call and collect off the loop.

        Rows are fetched when the frame is collected, of the columns it needs, in blocks. Raises NotFound when nothing
        was ever written, and StoreError; Polars wraps what goes wrong while it collects in its ComputeError.
        """
        import polars as pl
        from polars.io.plugins import register_io_source

        thread, reader = self._opened()
        days = (_day(start_ns), None if end_ns is None else _day(end_ns - 1))
        reading = Reading(stored_name(kind), stored_name(instrument_id), start_ns, end_ns, days)
        plan = thread.wait(reader.plan(reading))
        if plan is None:
            raise NotFound(f"{kind} data of", instrument_id)
        schema = pl.Schema({name: _polars_type(dtype) for name, dtype in plan.dtypes.items()})
        if plan.empty:
            return pl.LazyFrame(schema=schema)
        return register_io_source(_source(thread, reader, reading, schema), schema=schema)

    def list(self) -> Entries:
        """What is there, by kind and instrument; bytes are a kind's, divided by rows. Blocks."""
        thread, reader = self._opened()
        return thread.wait(reader.entries())

    async def prune(self, before_ns: int, kind: str | None = None) -> int:
        """Remove the days (UTC) that ended by `before_ns`, of one kind or of all; returns how many rows went."""
        if self._thread is None or self._writer is None:
            raise StoreError("the catalog is not open")
        before = _day(before_ns)
        assert before is not None
        return await self._thread.run(self._writer.prune(before, None if kind is None else stored_name(kind)))

    def problems(self) -> Names:
        """Nothing goes wrong behind a caller's back: a write that fails raises."""
        return []

    def _opened(self) -> tuple[LoopThread, CatalogReader]:
        if self._thread is None or self._reader is None:
            raise StoreError("the catalog is not open")
        return self._thread, self._reader


def _source(thread: LoopThread, reader: CatalogReader, reading: Reading, schema: pl.Schema) -> Source:
    """What Polars calls to collect: it says which columns it needs, how to filter them and how many rows."""

    def fetch(
        names: Names | None, predicate: pl.Expr | None, row_count: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = schema if names is None else {name: schema[name] for name in names}
        stream = thread.wait(reader.stream(reading, list(wanted)))
        try:
            while (block := thread.wait(stream.next())) is not None:
                frame = _frame(block, wanted)
                if row_count is not None:
                    frame = frame.head(row_count)
                    row_count -= frame.height
                yield frame if predicate is None else frame.filter(predicate)
                if row_count == 0:
                    return
        finally:
            thread.post(stream.end)  # a frame may be dropped anywhere, also after the store was closed

    return fetch


def _frame(block: Block, wanted: dict[str, pl.DataType] | pl.Schema) -> pl.DataFrame:
    import polars as pl

    columns = []
    for name, dtype in wanted.items():
        if name not in block:  # pruned since the frame was made
            columns.append(pl.repeat(None, len(next(iter(block.values()), ())), dtype=dtype, eager=True).alias(name))
            continue
        column = pl.Series(name, block[name])
        is_empty = block.get(name + EMPTY_MARK)
        if is_empty is not None:
            column = column.set(pl.Series(is_empty), None)
        columns.append(column)
    return pl.DataFrame(columns)


def _days(columns: Columns) -> list[tuple[date, Columns]]:
    check_values(columns)
    return [(date.fromisoformat(day), rows) for day, rows in by_day(columns)]


def _day(time_ns: int | None) -> date | None:
    return None if time_ns is None else EPOCH + timedelta(days=time_ns // DAY_NS)


def _polars_type(dtype: str) -> pl.DataType:
    import polars as pl

    return pl.Series(np.empty(0, dtype)).dtype

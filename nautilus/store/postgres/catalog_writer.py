"""Writing market data: one binary COPY a day, all days of a write in one transaction, each write once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from nautilus.errors import StoreError
from nautilus.store.columns import TIME, Columns
from nautilus.store.postgres.binary_copy import encode
from nautilus.store.postgres.connections import Connection, Connections, Watchdog, transaction
from nautilus.store.postgres.kinds import (
    Kind,
    add_instrument,
    add_kind,
    all_kinds,
    find_day,
    find_instrument,
    find_kind,
    grow_day,
    widen_kind,
)
from nautilus.store.postgres.layout import INSTRUMENT, ROW, create_partition, drop_days, original_name, partition_name
from nautilus.store.postgres.owner import Owner, check
from nautilus.store.postgres.settings import PostgresSettings

ROWS_MAX = 2**31 - 1


@dataclass(slots=True)
class PendingWrite:
    """Rows of one instrument by day. `rows_before` is how many its first day held when it was first tried."""

    kind: str
    instrument_id: str
    days: list[tuple[date, Columns]]
    rows_before: int | None = None


class CatalogWriter:
    """Writes and prunes, one after another, on the thread of the connections.

    A commit whose answer was lost is found out by the number of rows of the write's first day, which only this owner
    changes: it is there or it is not, and it is not written twice.
    """

    def __init__(self, connections: Connections, settings: PostgresSettings, owner: Owner) -> None:
        self._connections = connections
        self._settings = settings
        self._owner = owner
        self._turn = asyncio.Lock()
        self._kinds: dict[str, Kind] = {}
        self._instruments: dict[str, int] = {}
        self._partitions: set[str] = set()

    async def write(self, pending: PendingWrite) -> None:
        """Write all rows or none; waits its turn, and for a server that is away up to `patience_s`."""
        async with self._turn:
            await self._connections.patiently(lambda: self._try(pending))

    async def prune(self, before: date, kind: str | None) -> int:
        """Remove the days before `before`, of one kind (as it is stored) or of all; returns how many rows went."""
        async with self._turn:
            return await self._connections.patiently(lambda: self._prune(before, kind))

    async def idle(self) -> None:
        """Return once nothing is being written."""
        async with self._turn:
            return

    async def _try(self, pending: PendingWrite) -> None:
        try:
            async with self._connections.use() as (connection, watchdog), transaction(connection):
                await check(connection, self._owner)
                kind, instrument = await self._place(connection, pending)
                if not await self._is_written(connection, pending, kind, instrument):
                    for day, columns in pending.days:
                        await self._write_day(connection, watchdog, kind, instrument, day, columns)
        except BaseException:
            self._kinds.clear()  # what was made in the transaction may not be there
            self._instruments.clear()
            self._partitions.clear()
            raise

    async def _place(self, connection: Connection, pending: PendingWrite) -> tuple[Kind, int]:
        dtypes = {name: column.dtype.name for name, column in pending.days[0][1].items()}
        kind = self._kinds.get(pending.kind) or await find_kind(connection, pending.kind)
        if kind is None:
            kind = await add_kind(connection, pending.kind, dtypes, self._settings)
        kind = self._kinds[pending.kind] = await widen_kind(connection, kind, dtypes)
        instrument = self._instruments.get(pending.instrument_id)
        if instrument is None:
            instrument = await find_instrument(connection, pending.instrument_id)
        if instrument is None:
            instrument = await add_instrument(connection, pending.instrument_id)
        self._instruments[pending.instrument_id] = instrument
        return kind, instrument

    async def _is_written(self, connection: Connection, pending: PendingWrite, kind: Kind, instrument: int) -> bool:
        first_day, columns = pending.days[0]
        rows = (await find_day(connection, kind, instrument, first_day)).rows
        if pending.rows_before is None:
            pending.rows_before = rows
        if rows == pending.rows_before:
            return False
        if rows == pending.rows_before + len(columns[TIME]):
            return True
        raise StoreError(f"{first_day} of {pending.instrument_id} was changed by another while it was being written")

    async def _write_day(
        self, connection: Connection, watchdog: Watchdog, kind: Kind, instrument: int, day: date, columns: Columns
    ) -> None:
        time = columns[TIME]
        held = await find_day(connection, kind, instrument, day)
        if held.rows + len(time) > ROWS_MAX:
            raise StoreError(f"{day} would hold more than {ROWS_MAX} rows of one instrument")
        if kind.layout == "partitions":
            await self._ensure_partition(connection, kind, day)
        elif not held.rows:  # TimescaleDB's policy drops the rows, and catalog_days has to follow
            await self._retain(connection, kind, day)
        rows = {
            **columns,
            INSTRUMENT: np.broadcast_to(np.int32(instrument), len(time)),
            ROW: np.arange(held.rows, held.rows + len(time), dtype=np.int32),
        }
        await connection.copy_to_table(
            partition_name(kind.relation, day) if kind.layout == "partitions" else kind.relation,
            source=_chunks(rows, watchdog),
            columns=list(rows),
            format="binary",
        )
        span_ns = int(time[0]), int(time[-1])
        await grow_day(connection, kind, instrument, day, len(time), span_ns, set(columns))

    async def _ensure_partition(self, connection: Connection, kind: Kind, day: date) -> None:
        name = partition_name(kind.relation, day)
        if name in self._partitions:
            return
        if await connection.fetchval("SELECT to_regclass($1)", name) is None:
            await connection.execute(create_partition(kind.relation, day))
            await self._retain(connection, kind, day)
        self._partitions.add(name)

    async def _retain(self, connection: Connection, kind: Kind, day: date) -> None:
        """Remove the days that a new one makes too old."""
        kept_days = self._settings.retention_days.get(original_name(kind.kind), 0)
        if kept_days:
            await self._drop(connection, kind, day - timedelta(days=kept_days))

    async def _prune(self, before: date, kind: str | None) -> int:
        async with self._connections.use() as (connection, _), transaction(connection):
            await check(connection, self._owner)
            kinds = [one for one in await all_kinds(connection) if kind in {None, one.kind}]
            return sum([await self._drop(connection, one, before) for one in kinds])

    async def _drop(self, connection: Connection, kind: Kind, before: date) -> int:
        """Remove the days of a kind before `before`; gives up, to be tried again, where a long reading holds them."""
        removed = await connection.fetch(
            "DELETE FROM catalog_days WHERE kind_id = $1 AND day < $2 RETURNING day, rows", kind.kind_id, before
        )
        if removed:
            await connection.execute("SET LOCAL lock_timeout = '5s'")
            days = sorted({row["day"] for row in removed})
            await connection.execute(drop_days(kind.relation, kind.layout, days, before))
            self._partitions.difference_update(partition_name(kind.relation, day) for day in days)
        return sum(row["rows"] for row in removed)


async def _chunks(rows: Columns, watchdog: Watchdog) -> AsyncIterator[memoryview]:
    for chunk in encode(rows):
        watchdog.reset()
        yield chunk

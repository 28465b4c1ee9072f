"""Reading market data: a binary COPY, decoded in blocks as they come, so that memory is bounded by what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from numpy.typing import NDArray

from nautilus.store.base import CatalogEntry
from nautilus.store.columns import TIME
from nautilus.store.postgres.binary_copy import Decoder, sql_type
from nautilus.store.postgres.connections import Connection, Connections, transaction
from nautilus.store.postgres.kinds import Kind, all_kinds, find_instrument, find_kind
from nautilus.store.postgres.layout import INSTRUMENT, ROW, original_name, quoted

BLOCK_BYTES = 4 * 1024 * 1024
BLOCKS_WAITING = 2
EMPTY_MARK = "\0is null"  # no column can have such a name

type Block = Mapping[str, NDArray[Any]]


class Reading(NamedTuple):
    """What is to be read; `days` are the bounds by day, inclusive, and None leaves a side open."""

    kind: str
    instrument_id: str
    start_ns: int | None
    end_ns: int | None
    days: tuple[date | None, date | None]


class Plan(NamedTuple):
    """What there is to read: where, columns with their types, those that may be empty, and whether any rows are."""

    kind: Kind
    instrument: int
    dtypes: Mapping[str, str]
    nullable: frozenset[str]
    empty: bool


class CatalogReader:
    """Finds out what there is to read and opens streams of it, on the thread of the connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def plan(self, reading: Reading) -> Plan | None:
        """What there is, None where the instrument has nothing of the kind at any time."""
        return await self._connections.patiently(lambda: self._plan(reading))

    async def stream(self, reading: Reading, names: list[str]) -> Stream:
        """Start reading some of the columns, by time."""
        return Stream(self._connections, reading, names)

    async def entries(self) -> list[CatalogEntry]:
        """What is there, by kind and instrument; the bytes of a kind are divided by rows."""
        return await self._connections.patiently(self._entries)

    async def _plan(self, reading: Reading) -> Plan | None:
        async with self._connections.use() as (connection, _), transaction(connection):
            return await find_plan(connection, reading)

    async def _entries(self) -> list[CatalogEntry]:
        found: list[CatalogEntry] = []
        async with self._connections.use() as (connection, _):
            for kind in await all_kinds(connection):
                found += await _entries_of(connection, kind)
        return sorted(found, key=lambda entry: (entry.kind, entry.instrument_id))


class Stream:
    """Blocks of columns as they come; at most two wait. `next` and `end` run on the connections' thread."""

    def __init__(self, connections: Connections, reading: Reading, names: list[str]) -> None:
        self._connections = connections
        self._reading = reading
        self._names = names
        self._blocks: asyncio.Queue[Block | None] = asyncio.Queue(BLOCKS_WAITING)
        self._task = asyncio.get_running_loop().create_task(self._read())
        self._task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody may be left to ask

    async def next(self) -> Block | None:
        """The next block, None after the last; raises what went wrong."""
        get = asyncio.ensure_future(self._blocks.get())
        await asyncio.wait([get, self._task], return_when=asyncio.FIRST_COMPLETED)
        if not get.done() and self._task.done() and self._blocks.empty():
            get.cancel()
            await self._task
        return await get

    def end(self) -> None:
        """Read no more."""
        self._task.cancel()

    async def _read(self) -> None:
        import asyncpg

        try:
            await self._copy()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise self._connections.refusal(error) from error
        await self._blocks.put(None)

    async def _copy(self) -> None:
        async with self._connections.use() as (connection, watchdog):
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            plan = await find_plan(connection, self._reading)
            if plan is not None and not plan.empty:
                names = [name for name in self._names if name in plan.dtypes]
                decoder = Decoder(_wire_types(plan, names))

                async def take(data: bytes) -> None:
                    decoder.feed(data)
                    if decoder.waiting_bytes >= BLOCK_BYTES:
                        watchdog.pause()
                        await self._blocks.put(decoder.take())
                    watchdog.reset()

                await connection.copy_from_query(_query(plan, self._reading, names), output=take, format="binary")
                watchdog.pause()
                await self._blocks.put(decoder.finish())
                watchdog.reset()
            await connection.execute("COMMIT")


async def find_plan(connection: Connection, reading: Reading) -> Plan | None:
    """What there is to read, as of the connection's transaction."""
    kind = await find_kind(connection, reading.kind)
    instrument = await find_instrument(connection, reading.instrument_id)
    if kind is None or instrument is None:
        return None
    rows = await connection.fetch(
        "SELECT columns, partial FROM catalog_days WHERE kind_id = $1 AND instrument = $2 "
        "AND day >= coalesce($3, '-infinity'::date) AND day <= coalesce($4, 'infinity'::date)",
        kind.kind_id,
        instrument,
        *reading.days,
    )
    empty = not rows
    if empty:
        rows = await connection.fetch(
            "SELECT columns, partial FROM catalog_days WHERE kind_id = $1 AND instrument = $2 "
            "ORDER BY day DESC LIMIT 1",
            kind.kind_id,
            instrument,
        )
    if not rows:
        return None
    held = [frozenset(row["columns"]) for row in rows]
    everywhere = frozenset.intersection(*held) - frozenset().union(*(row["partial"] for row in rows))
    anywhere = frozenset().union(*held)
    dtypes = {name: dtype for name, dtype in kind.dtypes.items() if name in anywhere}
    return Plan(kind, instrument, dtypes, frozenset(anywhere - everywhere), empty)


async def _entries_of(connection: Connection, kind: Kind) -> list[CatalogEntry]:
    rows = await connection.fetch(
        "SELECT instrument_id, sum(rows)::bigint AS rows, min(start_ns) AS start_ns, max(end_ns) AS end_ns, "
        "count(*) AS days FROM catalog_days JOIN catalog_instruments USING (instrument) "
        "WHERE kind_id = $1 GROUP BY instrument_id",
        kind.kind_id,
    )
    total = sum(row["rows"] for row in rows)
    if kind.layout == "hypertable":
        size = await connection.fetchval("SELECT hypertable_size($1::regclass)", kind.relation)
    else:
        size = await connection.fetchval(
            "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = $1::regclass",
            kind.relation,
        )
    return [
        CatalogEntry(
            kind=original_name(kind.kind),
            instrument_id=original_name(row["instrument_id"]),
            rows=row["rows"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            bytes=round((size or 0) * row["rows"] / total),
            files=row["days"],
        )
        for row in rows
    ]


def _wire_types(plan: Plan, names: list[str]) -> dict[str, str]:
    types: dict[str, str] = {}
    for name in names:
        types[name] = plan.dtypes[name]
        if name in plan.nullable:
            types[name + EMPTY_MARK] = "bool"
    return types


def _query(plan: Plan, reading: Reading, names: list[str]) -> str:
    """The rows as SQL. An empty value goes as zero with a mark beside it, so that all rows have one length."""
    values = []
    for name in names:
        if name in plan.nullable:
            kind = sql_type(plan.dtypes[name])
            zero = "false" if kind == "boolean" else f"0::{kind}"
            values += [f"coalesce({quoted(name)}, {zero})", f"{quoted(name)} IS NULL"]
        else:
            values.append(quoted(name))
    where = [f"{INSTRUMENT} = {plan.instrument}"]
    if reading.start_ns is not None:
        where.append(f"{TIME} >= {reading.start_ns}")
    if reading.end_ns is not None:
        where.append(f"{TIME} < {reading.end_ns}")
    return (
        f"SELECT {', '.join(values)} FROM {plan.kind.relation} "  # noqa: S608 - our names, quoted, and integers
        f"WHERE {' AND '.join(where)} ORDER BY {TIME}, {ROW}"
    )

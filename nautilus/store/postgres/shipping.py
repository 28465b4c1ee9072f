"""Shipping: every journal record goes from the local segments to the server, in order, once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from zlib import crc32

import msgspec

from nautilus.errors import StoreError
from nautilus.store.postgres.connections import FIRST_PAUSE_S, LONGEST_PAUSE_S, Connection, Connections, transaction
from nautilus.store.postgres.errors import Diverged, Fenced, describe
from nautilus.store.postgres.owner import Owner, check, hold, release
from nautilus.store.postgres.segment_tail import Raw, SegmentTail

HEARTBEAT_S = 5.0
MARK_INTERVAL_S = 1.0

# One statement, so one round trip: the rows are written only where the token is still ours, and a new owner waits.
SHIP = """
WITH mine AS (SELECT token FROM owner WHERE token = $1 AND store_id = $2 FOR SHARE)
INSERT INTO journal (sequence, ts, kind, payload, checksum, owner_token)
SELECT row.sequence, row.ts, row.kind, row.payload, row.checksum, mine.token
FROM mine, unnest($3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::bigint[])
    AS row (sequence, ts, kind, payload, checksum)
"""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory remembers: the store it belongs to, and a sequence up to which that store has its records.

    `acknowledge` says what counted as durable when it was written: with "server", nothing that was not shipped did.
    """

    store_id: str
    shipped: int
    acknowledge: Literal["local", "server"] = "local"

    @classmethod
    def read(cls, path: Path) -> Mark | None:
        """The mark of a directory, None where there is none. Blocks."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise StoreError(f"{path} cannot be read ({error}); remove it, and the whole journal is compared") from None

    def write(self, path: Path) -> None:
        """Put the mark there whole. Blocks. Losing it costs a longer comparison at the next start, nothing else."""
        temporary = path.with_suffix(".writing")
        temporary.write_text(json.dumps(msgspec.structs.asdict(self)), encoding="utf-8")
        temporary.replace(path)


class Shipper:
    """A task on the thread of the connections; `target` is set from another, where `shipped` and `problem` are read.

    A server that is away is tried again, with pauses up to five seconds, for as long as it takes: what waits lies in
    the local segments. `on_shipped(sequence)` and `on_failed(error)` are called on the shipper's thread.
    """

    def __init__(
        self,
        connections: Connections,
        schema: str,
        tail: SegmentTail,
        owner: Owner,
        connection: Connection,
        *,
        shipped: int,
        mark_path: Path,
        acknowledge: Literal["local", "server"],
        on_shipped: Callable[[int], None],
        on_failed: Callable[[StoreError], None],
    ) -> None:
        self.target = self.shipped = shipped
        self.failure: StoreError | None = None
        self.problem = ""
        self.forget_through = 0
        self._connections = connections
        self._schema = schema
        self._tail = tail
        self._owner = owner
        self._connection: Connection | None = connection
        self._mark_path = mark_path
        self._acknowledge = acknowledge
        self._marked = -1
        self._marked_at = 0.0
        self._on_shipped = on_shipped
        self._on_failed = on_failed
        self._batch: list[Raw] = []
        self._forgotten = 0
        self._ending = False
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()

    def wake(self) -> None:
        """There may be something to do; called on the shipper's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Ship until `end`, or until fenced; looks after the owner's lock while there is nothing to ship."""
        import asyncpg

        pause_s = FIRST_PAUSE_S
        while self.failure is None and not self._ending:
            try:
                await self._step()
                self.problem = ""
                pause_s = FIRST_PAUSE_S
            except StoreError as error:
                await self._fail(error)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                self.problem = f"{self._connections.address} is away: {describe(error)}"
                self._drop()
                async with self._moved:
                    self._moved.notify_all()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def reached(self, sequence: int) -> None:
        """Return once `sequence` is on the server; raises the failure if it never will be."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.shipped >= sequence or self.failure is not None)
        if self.failure is not None:
            raise self.failure

    async def pruned(self) -> None:
        """Return once the server has forgotten what it is to forget, or is away: then the next prune does it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._forgotten >= self.forget_through or self.failure or self.problem)

    def end(self) -> None:
        """Stop after what is going on now; called on the shipper's thread."""
        self._ending = True
        self._wake.set()

    async def close(self) -> None:
        """Leave a mark of how far we came and let go of the connection, after `run` has returned or was cancelled."""
        await self._mark()
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            async with self._connections.watched(connection):
                await release(connection)
                await connection.close()

    async def _step(self) -> None:
        if self.shipped >= self.target and self.forget_through <= self._forgotten:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._wake.wait()
            except TimeoutError:
                await self._heartbeat()
            self._wake.clear()
            return
        connection = await self._connected()
        if self.shipped < self.target:
            await self._ship(connection)
        if self.forget_through > self._forgotten:
            await self._forget(connection, self.forget_through)
        if time.monotonic() - self._marked_at > MARK_INTERVAL_S:
            await self._mark()

    async def _ship(self, connection: Connection) -> None:
        if not self._batch:
            self._batch = await asyncio.to_thread(self._tail.read, self.target)
        batch = self._batch
        heads = [_head(raw.payload) for raw in batch]
        async with self._connections.watched(connection):
            status = await connection.execute(
                SHIP,
                self._owner.token,
                self._owner.store_id,
                [raw.sequence for raw in batch],
                [ts for _, ts in heads],
                [kind for kind, _ in heads],
                [raw.payload for raw in batch],
                [crc32(raw.payload) for raw in batch],
            )
        if status == "INSERT 0 0":
            await self._check(connection)
            raise Fenced("fenced: another Nautilus owns this store now")
        await self._arrived(batch[-1].sequence)

    async def _arrived(self, sequence: int) -> None:
        self._batch = []
        self.shipped = sequence
        self._on_shipped(sequence)
        async with self._moved:
            self._moved.notify_all()

    async def _forget(self, connection: Connection, through: int) -> None:
        async with self._connections.watched(connection), transaction(connection):
            await check(connection, self._owner)
            await connection.execute("DELETE FROM journal WHERE sequence <= $1", through)
        self._forgotten = through
        async with self._moved:
            self._moved.notify_all()

    async def _connected(self) -> Connection:
        """The connection, made anew if it was lost; what a lost commit left behind is found out first."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        connection = await self._connections.dial()
        async with self._connections.watched(connection), transaction(connection):
            await check(connection, self._owner)
            await hold(connection, self._schema)
            row = await connection.fetchrow("SELECT sequence, checksum FROM journal ORDER BY sequence DESC LIMIT 1")
        self._connection = connection
        if row is not None and row["sequence"] > self.shipped:
            last = self._batch[-1] if self._batch else None
            if last is None or (last.sequence, crc32(last.payload)) != (row["sequence"], row["checksum"]):
                raise Diverged(f"the server holds journal record {row['sequence']}, which was not shipped from here")
            await self._arrived(last.sequence)
        return connection

    async def _heartbeat(self) -> None:
        await self._check(await self._connected())

    async def _check(self, connection: Connection) -> None:
        async with self._connections.watched(connection), transaction(connection):
            await check(connection, self._owner)

    async def _fail(self, error: StoreError) -> None:
        self.failure = error
        self._drop()
        self._on_failed(error)
        async with self._moved:
            self._moved.notify_all()

    async def _mark(self) -> None:
        self._marked_at = time.monotonic()
        if self._marked != self.shipped:
            self._marked = self.shipped
            mark = Mark(store_id=self._owner.store_id, shipped=self.shipped, acknowledge=self._acknowledge)
            await asyncio.to_thread(mark.write, self._mark_path)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _head(payload: bytes) -> tuple[str, int | None]:
    """Kind and time of a record, for those who look at the table."""
    record = msgspec.msgpack.decode(payload)
    if isinstance(record, list):
        return str(record[0]) if record else "", None
    if not isinstance(record, dict):
        return "", None
    ts = record.get("ts_event", record.get("ts_init"))
    return str(record.get("type", "")).replace("\0", ""), ts if isinstance(ts, int) and abs(ts) < 1 << 63 else None

"""Current values with PostgreSQL behind them: all in memory for reading, written behind in batches by one task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from nautilus.errors import Invalid, StoreError
from nautilus.store.postgres.connections import (
    CLOSING_PATIENCE_S,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Connection,
    Connections,
    Watchdog,
    transaction,
)
from nautilus.store.postgres.errors import describe
from nautilus.store.postgres.loop_thread import LoopThread
from nautilus.store.postgres.owner import Owner, check
from nautilus.store.postgres.progress import Progress
from nautilus.store.postgres.shipping import Shipper
from nautilus.store.state import MemoryState

BATCH_BYTES = 16 * 1024 * 1024

type Cell = tuple[str, str]
type Batch = dict[Cell, bytes | None]


class PostgresState(MemoryState):
    """`put` is visible at once and committed soon after, in the order of the calls.

    A batch never overtakes the journal: it is committed after the records that were there when its values were put, so
    that no snapshot on the server is ahead of the server's journal. While the server is away the newest value of each
    key waits in memory, which is bounded by the limits of the state; a process that ends before loses those.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._pending: Batch = {}
        self._puts = 0
        self._progress = Progress()
        self._thread: LoopThread | None = None
        self._writer: StateWriter | None = None
        self._told = True

    async def load(self, connection: Connection, watchdog: Watchdog) -> None:
        """Read all values."""
        async with transaction(connection):
            async for row in connection.cursor("SELECT namespace, key, value FROM state", prefetch=100):
                watchdog.reset()
                super().put(row["namespace"], row["key"], row["value"])

    def write_behind(self, thread: LoopThread, writer: StateWriter) -> None:
        """Hand what is put from now on to the writer, which runs on `thread`."""
        self._thread, self._writer, self._told = thread, writer, False

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Set a value; visible at once, committed soon after. Raises as MemoryState does, Invalid for a NUL in text."""
        self._writable(namespace, key)
        super().put(namespace, key, value)
        self._queue((namespace, key), bytes(value))

    def delete(self, namespace: str, key: str) -> None:
        """Remove a value; no error if there is none."""
        self._writable(namespace, key)
        if self.get(namespace, key) is not None:
            super().delete(namespace, key)
            self._queue((namespace, key), None)

    async def flush(self) -> None:
        """Return once everything put so far is committed; raises StoreError if that failed or took too long."""
        await self._committed(self._patience_s)

    async def stop(self) -> None:
        """Commit what is pending; raises StoreError for what could not be within a few seconds."""
        if self._writer is not None:
            self._told = True
            try:
                await self._committed(min(CLOSING_PATIENCE_S, self._patience_s))
            finally:
                self._writer = None

    def problems(self) -> list[str]:
        """Why values are not being written; empty when they are."""
        writer = self._writer
        return [f"{writer.problem}; {self._waiting()}"] if writer is not None and writer.problem else []

    def server_has(self, puts: int) -> None:
        """The first `puts` changes are committed."""
        self._progress.reach(puts)

    def fail(self, failure: StoreError) -> None:
        """Nothing will be written any more."""
        self._progress.fail(failure)

    def take(self) -> tuple[Batch, int]:
        """The oldest changes that wait, and how many there were up to them; called by the writer."""
        with self._lock:
            batch: Batch = {}
            size_bytes = 0
            while self._pending and size_bytes < BATCH_BYTES:
                cell = next(iter(self._pending))
                value = batch[cell] = self._pending.pop(cell)
                size_bytes += len(value or b"")
            # what is left was put later than some of the batch: only a batch that leaves nothing counts them all
            return batch, 0 if self._pending else self._puts

    def give_back(self, batch: Batch) -> None:
        """Changes that could not be committed wait again, before the others; called by the writer."""
        with self._lock:
            self._pending = {cell: value for cell, value in batch.items() if cell not in self._pending} | self._pending

    def _writable(self, namespace: str, key: str) -> None:
        if self._progress.failure is not None:
            raise self._progress.failure
        if self._writer is None:
            raise StoreError("the state is not open")
        if "\0" in namespace + key:
            raise Invalid("key", "must not hold a NUL character")

    def _queue(self, cell: Cell, value: bytes | None) -> None:
        with self._lock:
            self._pending.pop(cell, None)  # a later change goes to the end
            self._pending[cell] = value
            self._puts += 1
        if not self._told:
            self._told = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._told = False
        if self._thread is not None and self._writer is not None:
            self._thread.post(self._writer.wake)

    async def _committed(self, patience_s: float) -> None:
        if self._thread is not None and self._writer is not None:
            self._thread.post(self._writer.wake)
        await self._progress.wait(self._puts, patience_s, self._waiting)

    def _waiting(self) -> str:
        return f"{len(self._pending)} values of the state wait for PostgreSQL in memory"


class StateWriter:
    """The task that commits, on the thread of the connections; a server that is away is tried until it is back."""

    def __init__(
        self,
        state: PostgresState,
        connections: Connections,
        owner: Owner,
        shipper: Shipper,
        *,
        last_sequence: Callable[[], int],
        on_committed: Callable[[int], None],
        on_failed: Callable[[StoreError], None],
    ) -> None:
        self.problem = ""
        self._state = state
        self._connections = connections
        self._owner = owner
        self._shipper = shipper
        self._last_sequence = last_sequence
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be something to write; called on the writer's thread."""
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled or fenced."""
        import asyncpg

        pause_s = FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, puts = self._state.take()
            if not batch:
                continue
            self._wake.set()  # there may be more
            try:
                await self._shipper.reached(self._last_sequence())
                await self._commit(batch)
            except StoreError as error:
                self._on_failed(error)
                return
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                self._state.give_back(batch)
                self.problem = f"{self._connections.address} does not take the state: {describe(error)}"
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self.problem = ""
                pause_s = FIRST_PAUSE_S
                self._on_committed(puts)

    async def _commit(self, batch: Batch) -> None:
        async with self._connections.use() as (connection, _), transaction(connection):
            await check(connection, self._owner)
            await connection.executemany(
                "INSERT INTO state (namespace, key, value) VALUES ($1, $2, $3) "
                "ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
                [(*cell, value) for cell, value in batch.items() if value is not None],
            )
            await connection.executemany(
                "DELETE FROM state WHERE namespace = $1 AND key = $2",
                [cell for cell, value in batch.items() if value is None],
            )

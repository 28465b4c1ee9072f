"""Ticks per second into PostgreSQL with its index: ours beside asyncpg's own ways, one real server, one run."""

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import alternate, quantile, seconds, spread
from nautilus.store.postgres import PostgresSettings, PostgresStore
from nautilus.store.postgres.loop_thread import LoopThread
from nautilus.testing import make_quote
from tests.servers.postgres import PASSWORD, PostgresServer, running_postgres

TICKS = 1_000_000
FEWER_TICKS = 50_000
BATCH = 100_000
JOURNAL_RECORDS = 2_000
START_NS = 1_704_067_200_000_000_000
TABLE = (
    "CREATE TABLE {} (ts_event bigint NOT NULL, ts_init bigint, price_ticks bigint, size_lots bigint, trade_id bigint,"
    " instrument integer NOT NULL, aggressor smallint); CREATE INDEX ON {} (instrument, ts_event)"
)


def ticks(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    time = START_NS + np.arange(count, dtype=np.int64) * 86_000
    return {
        "ts_event": time,
        "ts_init": time + 1_000,
        "price_ticks": 10_000 + random.integers(-3, 4, count).cumsum(),
        "size_lots": random.integers(1, 500, count),
        "aggressor": random.integers(-1, 2, count).astype(np.int8),
        "trade_id": np.arange(count, dtype=np.int64),
    }


class Peers:
    """asyncpg as one uses it without thinking: rows of Python objects."""

    def __init__(self, connection: Any, thread: LoopThread) -> None:
        self._connection = connection
        self._thread = thread
        self._number = 0

    def copy_records(self) -> None:
        self._thread.wait(self._copy_records())

    def executemany(self) -> None:
        self._thread.wait(self._executemany())

    async def _table(self) -> str:
        self._number += 1
        name = f"peer_{self._number}"
        await self._connection.execute(TABLE.format(name, name))
        return name

    def _rows(self, count: int) -> list[tuple[int, ...]]:
        columns = ticks(count)
        return list(zip(*(columns[name].tolist() for name in columns), [1] * count, strict=True))

    async def _copy_records(self) -> None:
        name = await self._table()
        await self._connection.copy_records_to_table(name, records=self._rows(TICKS), columns=[*ticks(1), "instrument"])

    async def _executemany(self) -> None:
        name = await self._table()
        names = ", ".join([*ticks(1), "instrument"])
        await self._connection.executemany(
            f"INSERT INTO {name} ({names}) VALUES ($1, $2, $3, $4, $5, $6, $7)", self._rows(FEWER_TICKS)
        )


class Ours:
    """A store on the server; each run writes another instrument."""

    def __init__(self, store: PostgresStore, loop: LoopThread) -> None:
        self._store = store
        self._loop = loop
        self._number = 0
        self._columns = ticks(TICKS)

    def write(self) -> None:
        self._number += 1
        self._loop.wait(self._store.catalog.write("trade", f"ONE{self._number}.X", self._columns))

    def write_in_batches(self) -> None:
        self._number += 1
        self._loop.wait(self._batches(f"MANY{self._number}.X"))

    def read_day(self) -> None:
        assert self._store.catalog.read("trade", "ONE1.X").collect().height == TICKS

    def read_slice(self) -> None:
        between = START_NS + 40_000 * 86_000, START_NS + 41_000 * 86_000
        assert self._store.catalog.read("trade", "ONE1.X", *between).collect().height == 1_000

    async def _batches(self, instrument_id: str) -> None:
        for start in range(0, TICKS, BATCH):
            batch = {name: column[start : start + BATCH] for name, column in self._columns.items()}
            await self._store.catalog.write("trade", instrument_id, batch)

    async def durable_appends(self) -> list[float]:
        """Microseconds from one append to its durability, one at a time."""
        loop = asyncio.get_running_loop()
        found = []
        for _ in range(JOURNAL_RECORDS):
            done: asyncio.Future[float] = loop.create_future()
            started = loop.time()
            sequence = self._store.journal.append(make_quote())
            self._store.journal.when_durable(sequence, lambda done=done: done.set_result(loop.time()))
            found.append((await done - started) * 1e6)
        return found

    async def append_and_flush(self, count: int) -> None:
        for _ in range(count):
            self._store.journal.append(make_quote())
        await self._store.journal.flush()


def report(server: PostgresServer, folder: Path) -> None:
    import asyncpg

    loop, thread = LoopThread("benchmark"), LoopThread("peers")
    loop.start()
    thread.start()
    settings = PostgresSettings(dsn=server.dsn(), password=PASSWORD)
    store = PostgresStore(settings, folder, record_types=(type(make_quote()),))
    loop.wait(store.open())
    connection = thread.wait(asyncpg.connect(server.dsn(), password=PASSWORD))
    ours, peers = Ours(store, loop), Peers(connection, thread)
    systems = {
        "ours, one write": (ours.write, TICKS),
        "ours, writes of 100,000": (ours.write_in_batches, TICKS),
        "asyncpg copy_records": (peers.copy_records, TICKS),
        "asyncpg executemany": (peers.executemany, FEWER_TICKS),
    }
    for name, times in alternate({name: run for name, (run, _) in systems.items()}, rounds=5).items():
        print(f"{name:<26} {spread([systems[name][1] / one / 1e3 for one in times])} thousand ticks/s")
    for name, run in {"read 1,000,000 rows": ours.read_day, "read 1,000 of them": ours.read_slice}.items():
        run()
        print(f"{name:<26} {spread([seconds(run) * 1e3 for _ in range(5)])} ms")
    waits = loop.wait(ours.durable_appends())
    print(f"append to committed        p50 {median(waits):,.0f} us, p99 {quantile(waits, 0.99):,.0f} us, one at a time")
    times = [seconds(lambda: loop.wait(ours.append_and_flush(100_000))) for _ in range(3)]
    print(f"appended and committed     {spread([100 / one for one in times])} thousand records/s")
    thread.wait(connection.close())
    loop.wait(store.close())
    loop.wait(asyncio.sleep(0))
    asyncio.run(thread.stop())
    asyncio.run(loop.stop())


def main() -> None:
    with running_postgres("-c", "max_wal_size=4GB", fsync=True) as server, tempfile.TemporaryDirectory() as folder:
        report(server, Path(folder))

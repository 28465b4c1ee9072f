"""What happens when the server, the network or this process fails: nothing is lost, nothing is there twice."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from nautilus.errors import Invalid
from nautilus.store import StoreError
from nautilus.store.postgres import PostgresSettings, PostgresStore, catalog_writer
from nautilus.store.postgres.shipping import Shipper
from tests.servers.postgres import PASSWORD, PostgresServer, free_port
from tests.store.contract import read, replayed, ticks
from tests.store.postgres.opening import opened, query, until
from tests.store.records import RECORD_TYPES, Done, Placed

REPOSITORY = Path(__file__).resolve().parents[3]


def changed(settings: PostgresSettings, **values: object) -> PostgresSettings:
    return msgspec.structs.replace(settings, **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"password": "wrong"}, "refused the user or the password"),
        ({"dsn": "postgresql://nobody@HOST/nautilus"}, "refused the user or the password"),
        ({"dsn": "postgresql://nautilus@HOST/nowhere"}, "no such database"),
        ({"tls": "require"}, "cannot be reached: .*SSL"),
    ],
)
async def test_a_database_that_lets_nobody_in_is_named_with_what_to_do(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path, values: dict[str, str], message: str
) -> None:
    values = {key: value.replace("HOST", f"127.0.0.1:{server.port}") for key, value in values.items()}
    with pytest.raises(StoreError, match=message) as caught:
        await opened(changed(settings, **values), tmp_path)
    assert f"127.0.0.1:{server.port}/" in str(caught.value)
    assert PASSWORD not in str(caught.value)


async def test_a_server_that_is_not_there_is_named(settings: PostgresSettings, tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(StoreError, match=f"127.0.0.1:{port}/nautilus cannot be reached: .* is it running"):
        await opened(changed(settings, dsn=f"postgresql://nautilus@127.0.0.1:{port}/nautilus"), tmp_path)


async def test_a_server_that_never_answers_is_given_up(settings: PostgresSettings, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        dsn = f"postgresql://nautilus@127.0.0.1:{listener.getsockname()[1]}/nautilus"
        with pytest.raises(StoreError, match="cannot be reached: TimeoutError"):
            await opened(changed(settings, dsn=dsn, connect_timeout_s=0.3), tmp_path)


async def test_the_password_may_be_in_a_file(settings: PostgresSettings, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    store = await opened(changed(settings, password="", password_file=str(file)), tmp_path / "store")
    await store.close()
    with pytest.raises(Invalid, match="password_file: cannot be read"):
        await opened(changed(settings, password="", password_file=str(tmp_path / "none")), tmp_path / "store")


class Traffic:
    """Appends and writes without a pause, and keeps what was acknowledged."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.durable: list[int] = []
        self.written = 0
        self._tasks = [asyncio.create_task(self._append()), asyncio.create_task(self._write())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _append(self) -> None:
        for number in count(self.store.journal.last_sequence + 1):
            sequence = self.store.journal.append(Placed(str(number), number))
            self.store.journal.when_durable(sequence, lambda sequence=sequence: self.durable.append(sequence))
            self.store.state.put("n", "last", str(number).encode())
            await asyncio.sleep(0.0005)

    async def _write(self) -> None:
        while True:
            await asyncio.shield(self._write_batch())

    async def _write_batch(self) -> None:
        await self.store.catalog.write("trade", "A.X", ticks(list(range(self.written, self.written + 100))))
        self.written += 100

    async def settled(self) -> None:
        await self.store.journal.flush()
        await self.store.state.flush()


async def check_nothing_lost_nothing_twice(
    traffic: Traffic, server: PostgresServer, settings: PostgresSettings
) -> None:
    store = traffic.store
    await traffic.settled()
    last = store.journal.last_sequence
    assert traffic.durable == list(range(1, last + 1))
    assert await replayed(store) == [(number, Placed(str(number), number)) for number in range(1, last + 1)]
    assert await query(server, settings, "SELECT count(*), min(sequence), max(sequence) FROM journal") == (
        f"{last}|1|{last}"
    )
    assert await query(server, settings, "SELECT convert_from(value, 'UTF8') FROM state") == str(last)
    times = (await read(store, "trade", "A.X"))["ts_event"].to_list()
    assert times == list(range(len(times)))
    assert len(times) in {traffic.written, traffic.written + 100}
    assert store.problems() == []


async def test_a_server_that_crashes_again_and_again_loses_and_doubles_nothing(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    traffic = Traffic(await opened(settings, tmp_path))
    for end in (server.kill, server.stop, server.kill):
        durable, written = len(traffic.durable), traffic.written
        await until(lambda durable=durable: len(traffic.durable) > durable + 50)
        await until(lambda written=written: traffic.written > written + 300)
        await asyncio.to_thread(end)
        appended = traffic.store.journal.last_sequence
        await until(lambda appended=appended: traffic.store.journal.last_sequence > appended + 100)
        await until(lambda: any("wait for PostgreSQL on this machine" in one for one in traffic.store.problems()))
        assert len(traffic.durable) < appended
        await asyncio.to_thread(server.start)
    await until(lambda: traffic.store.journal.shipped > appended)
    await traffic.stop()
    await check_nothing_lost_nothing_twice(traffic, server, settings)
    await traffic.store.close()


async def frozen_for(seconds: float, server: PostgresServer, settings: PostgresSettings, directory: Path) -> None:
    traffic = Traffic(await opened(changed(settings, command_timeout_s=1.5), directory))
    await until(lambda: traffic.written > 300)
    await asyncio.to_thread(server.freeze)
    try:
        until_s = time.monotonic() + seconds
        await until(lambda: any("is away" in problem for problem in traffic.store.problems()), 20)
        await until(lambda: time.monotonic() > until_s, seconds + 1)
        appended, durable = traffic.store.journal.last_sequence, len(traffic.durable)
    finally:
        await asyncio.to_thread(server.thaw)
    assert appended > durable
    await until(lambda: traffic.store.journal.shipped > appended, 60)
    await traffic.stop()
    await check_nothing_lost_nothing_twice(traffic, server, settings)
    await traffic.store.close()


async def test_a_server_frozen_for_seconds_loses_and_doubles_nothing(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    await frozen_for(4, server, settings, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(240)
async def test_a_server_frozen_for_a_minute_loses_and_doubles_nothing(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    await frozen_for(60, server, changed(settings, patience_s=120), tmp_path)


async def test_a_server_frozen_within_a_large_copy_loses_and_doubles_nothing(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(changed(settings, command_timeout_s=1.5), tmp_path)
    columns = {name: np.arange(400_000) for name in ("ts_event", "a", "b", "c", "d", "e", "f")}
    await store.catalog.write("trade", "A.X", ticks([0]))
    writing = asyncio.create_task(store.catalog.write("wide", "A.X", columns))
    copying = "SELECT coalesce(max(tuples_processed), 0) > 0 FROM pg_stat_progress_copy"
    while await query(server, settings, copying) == "f":
        assert not writing.done()
    await asyncio.to_thread(server.freeze)
    assert not writing.done()
    try:
        await asyncio.wait([writing], timeout=3)  # longer than the server may be silent
    finally:
        await asyncio.to_thread(server.thaw)
    await writing
    assert (await read(store, "wide", "A.X"))["f"].to_list() == list(range(400_000))
    await store.close()


async def test_a_write_gives_up_when_patience_ends_and_leaves_nothing_half_done(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(changed(settings, patience_s=0.5), tmp_path)
    await store.catalog.write("trade", "A.X", ticks([1]))
    await asyncio.to_thread(server.stop)
    try:
        with pytest.raises(StoreError, match=f"127.0.0.1:{server.port}/nautilus refused"):
            await store.catalog.write("trade", "A.X", ticks([2]))
        store.journal.append(Done("a"))
        with pytest.raises(StoreError, match="1 journal records wait"):
            await store.journal.flush()
        store.state.put("n", "k", b"v")
        with pytest.raises(StoreError, match="values of the state wait"):
            await store.state.flush()
        assert store.state.get("n", "k") == b"v"
    finally:
        await asyncio.to_thread(server.start)
    await store.catalog.write("trade", "A.X", ticks([3]))
    await until(lambda: store.journal.shipped == 1)
    assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [1, 3]
    await store.close()


async def test_closing_without_the_server_keeps_the_journal_for_the_next_start(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(settings, tmp_path)
    await asyncio.to_thread(server.stop)
    try:
        store.journal.append(Done("a"))
        await until(lambda: bool(store.problems()))
        await store.close()
    finally:
        await asyncio.to_thread(server.start)
    store = await opened(settings, tmp_path)
    await store.journal.flush()
    assert await query(server, settings, "SELECT count(*) FROM journal") == "1"
    await store.close()


async def test_a_catalog_commit_whose_answer_was_lost_is_not_written_twice(
    settings: PostgresSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened(settings, tmp_path)
    transaction, lost = catalog_writer.transaction, []

    @asynccontextmanager
    async def answer_lost_once(connection: object) -> AsyncIterator[None]:
        async with transaction(connection):
            yield
        if not lost:
            lost.append(True)
            raise ConnectionResetError("the answer to COMMIT was lost")

    await store.catalog.write("trade", "A.X", ticks([1]))
    monkeypatch.setattr(catalog_writer, "transaction", answer_lost_once)
    await store.catalog.write("trade", "A.X", ticks([2, 3]))
    assert lost
    assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [1, 2, 3]
    await store.close()


async def test_a_journal_commit_whose_answer_was_lost_is_not_shipped_twice(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await opened(settings, tmp_path)
    arrived, lost = Shipper._arrived, []

    async def answer_lost_once(self: Shipper, sequence: int) -> None:
        if not lost:
            lost.append(sequence)
            raise ConnectionResetError("the answer was lost")
        await arrived(self, sequence)

    monkeypatch.setattr(Shipper, "_arrived", answer_lost_once)
    for number in range(10):
        store.journal.append(Placed(str(number), number))
    await store.journal.flush()
    store.journal.append(Done("after"))
    await store.journal.flush()
    assert lost
    assert await query(server, settings, "SELECT count(*), max(sequence) FROM journal") == "11|11"
    await store.close()


APPENDING = """
import asyncio, sys
from pathlib import Path
import msgspec
from nautilus.store.postgres import PostgresSettings, PostgresStore
from tests.store.records import RECORD_TYPES, Placed

async def main():
    settings = msgspec.json.decode(sys.argv[1], type=PostgresSettings)
    store = PostgresStore(settings, Path(sys.argv[2]), record_types=RECORD_TYPES, segment_bytes=20_000)
    await store.open(int(sys.argv[3]))
    number = store.journal.last_sequence
    while True:
        for _ in range(20):
            number += 1
            sequence = store.journal.append(Placed(str(number), number))
            print("appended", sequence, flush=True)
            store.journal.when_durable(
                sequence, lambda sequence=sequence: print("durable", sequence, flush=True),
                lambda error: (print("failed", error, flush=True), sys.exit(3)))
        await asyncio.sleep(0.002)

asyncio.run(main())
"""


@asynccontextmanager
async def appending(
    settings: PostgresSettings, directory: Path, token: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Callable[[str, int], object]]]:
    """A process that appends until it is killed; the function reads its output up to a line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", APPENDING, msgspec.json.encode(settings).decode(), str(directory), str(token),
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines: list[str] = []

    async def up_to(word: str, number: int) -> list[str]:
        assert process.stdout is not None
        while not (lines and lines[-1].startswith(word) and int(lines[-1].split()[1]) >= number):
            line = await process.stdout.readline()
            if not line:
                raise AssertionError(f"{lines[-3:]}: {(await process.stderr.read()).decode()[-2000:]}")
            lines.append(line.decode())
        return lines

    try:
        yield process, up_to
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def newest(lines: list[str], word: str) -> int:
    return max(int(line.split()[1]) for line in lines if line.startswith(word) and line.endswith("\n"))


@pytest.mark.parametrize("acknowledge", ["server", "local"])
async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path, acknowledge: str
) -> None:
    mode = changed(settings, acknowledge=acknowledge)
    for token in (1, 2):
        async with appending(mode, tmp_path, token) as (process, up_to):
            lines = await up_to("durable", 400 * token)
            process.send_signal(signal.SIGKILL)
            lines += (await process.stdout.read()).decode().splitlines(keepends=True)
        if acknowledge == "server":
            assert int(await query(server, settings, "SELECT max(sequence) FROM journal")) >= newest(lines, "durable")
        store = await opened(mode, tmp_path, token + 1 if token == 2 else token)
        await until(lambda store=store: store.journal.shipped == store.journal.last_sequence)
        last = store.journal.last_sequence
        assert last >= newest(lines, "appended")
        assert await replayed(store) == [(number, Placed(str(number), number)) for number in range(1, last + 1)]
        assert await query(server, settings, "SELECT count(*), max(sequence) FROM journal") == f"{last}|{last}"
        await store.close()


async def test_a_paused_owner_is_overtaken_and_writes_no_more_when_it_wakes(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    async with appending(settings, tmp_path / "old", 1) as (process, up_to):
        await up_to("durable", 200)
        process.send_signal(signal.SIGSTOP)
        new = await opened(settings, tmp_path / "new", token=2)
        taken_over_at = new.journal.last_sequence
        assert taken_over_at >= 200
        new.journal.append(Done("by the new owner"))
        await new.journal.flush()
        process.send_signal(signal.SIGCONT)
        rest = (await process.stdout.read()).decode()
        assert "failed fenced: token 2 owns this store now" in rest
    assert await query(server, settings, f"SELECT owner_token FROM journal WHERE sequence > {taken_over_at}") == "2"
    await new.close()


async def test_the_directory_is_for_one_process(settings: PostgresSettings, tmp_path: Path) -> None:
    first = await opened(settings, tmp_path)
    with pytest.raises(StoreError, match="is in use by another Nautilus"):
        await PostgresStore(settings, tmp_path, record_types=RECORD_TYPES).open()
    await first.close()


WRITING = """
import asyncio, sys
from pathlib import Path
import msgspec, numpy
from nautilus.store.postgres import PostgresSettings, PostgresStore

async def main():
    store = PostgresStore(msgspec.json.decode(sys.argv[1], type=PostgresSettings), Path(sys.argv[2]))
    await store.open()
    for number in range(1000):
        await store.catalog.write("trade", "A.X", {"ts_event": numpy.arange(number * 20_000, (number + 1) * 20_000)})
        print(number + 1, flush=True)

asyncio.run(main())
"""


async def test_a_process_killed_while_it_writes_leaves_whole_writes(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITING, msgspec.json.encode(settings).decode(), str(tmp_path),
        cwd=REPOSITORY, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    written = [int(await process.stdout.readline()) for _ in range(8)]
    process.kill()
    written += [int(line) for line in (await process.stdout.read()).split()]
    await process.wait()
    store = await opened(settings, tmp_path)
    times = (await read(store, "trade", "A.X"))["ts_event"].to_numpy()
    assert len(times) in {written[-1] * 20_000, (written[-1] + 1) * 20_000}
    np.testing.assert_array_equal(times, np.arange(len(times)))
    assert (await asyncio.to_thread(store.catalog.list))[0].rows == len(times)
    await store.close()


async def test_a_pool_with_nothing_free_is_told_apart_from_a_server_that_is_away(
    settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(changed(settings, pool_size=2, command_timeout_s=0.5, patience_s=0.1), tmp_path)
    await store.catalog.write("trade", "A.X", ticks([1]))
    for _ in range(2):
        await store._thread.run(store._connections._slots.acquire())
    with pytest.raises(StoreError, match="all 2 connections of the pool are in use"):
        await read(store, "trade", "A.X")
    for _ in range(2):
        store._thread.post(store._connections._slots.release)
    assert (await read(store, "trade", "A.X")).height == 1
    await store.close()


async def test_a_reading_that_is_dropped_gives_its_connection_back(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(changed(settings, pool_size=2), tmp_path)
    await store.catalog.write("trade", "A.X", {name: np.arange(200_000) for name in ("ts_event", *"abcdefgh")})

    def drop_readings() -> None:
        for _ in range(6):
            batches = store.catalog.read("trade", "A.X").collect_batches(chunk_size=1000)
            assert next(iter(batches)).height > 0

    await asyncio.to_thread(drop_readings)
    assert (await read(store, "trade", "A.X")).height == 200_000
    await store.close()

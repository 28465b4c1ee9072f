"""The embedded store, on a directory and in memory, does what every store must."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from nautilus.store import CorruptFile, EmbeddedStore, StoreError, StoreInUse
from tests.store.contract import StoreContract, read, replayed, ticks
from tests.store.records import RECORD_TYPES, Done, Placed

REPOSITORY = Path(__file__).resolve().parents[2]


class TestInMemory(StoreContract):
    @pytest.fixture
    def make_store(self) -> Callable[[], EmbeddedStore]:
        return lambda: EmbeddedStore.in_memory(record_types=RECORD_TYPES)

    @pytest.fixture
    def make_small_store(self) -> Callable[[], EmbeddedStore]:
        return lambda: EmbeddedStore.in_memory(record_types=RECORD_TYPES, segment_bytes=200)


class TestInDirectory(StoreContract):
    @pytest.fixture(params=["group", "none"])
    def make_store(self, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], EmbeddedStore]:
        return lambda: EmbeddedStore(tmp_path / "store", record_types=RECORD_TYPES, sync=request.param)

    @pytest.fixture
    def make_small_store(self, tmp_path: Path) -> Callable[[], EmbeddedStore]:
        return lambda: EmbeddedStore(tmp_path / "store", record_types=RECORD_TYPES, segment_bytes=200)

    async def test_everything_is_there_after_opening_again(self, make_store: Callable[[], EmbeddedStore]) -> None:
        first = make_store()
        await first.open()
        first.journal.append(Placed("a", 1))
        first.state.put("n", "k", b"v")
        first.state.put("n", "gone", b"v")
        first.state.delete("n", "gone")
        await first.catalog.write("trade", "A.X", ticks([1, 2]))
        await first.close()
        second = make_store()
        report = await second.open()
        assert report.last_sequence == 1
        assert report.cut_bytes == 0
        assert await replayed(second) == [(1, Placed("a", 1))]
        assert second.journal.append(Done("a")) == 2
        assert second.state.items("n") == [("k", b"v")]
        assert (await read(second, "trade", "A.X")).height == 2
        await second.close()


def sql(directory: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(directory / "state.sqlite", isolation_level=None)
    rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def store_in(directory: Path) -> EmbeddedStore:
    return EmbeddedStore(directory, record_types=RECORD_TYPES)


async def test_a_second_store_on_the_directory_is_refused_and_says_who_has_it(tmp_path: Path) -> None:
    first = store_in(tmp_path)
    await first.open()
    with pytest.raises(StoreInUse, match=str(os.getpid())):
        await store_in(tmp_path).open()
    await first.close()
    third = store_in(tmp_path)
    await third.open()
    await third.close()


async def test_others_on_the_machine_may_not_read_journal_and_state(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.open()
    files = ["lock", "state.sqlite", "journal/00000001.log"]
    modes = await asyncio.to_thread(lambda: [(tmp_path / name).stat().st_mode & 0o777 for name in files])
    assert modes == [0o600] * 3
    await store.close()


async def test_a_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used"):
        await store_in(tmp_path / "file" / "store").open()


async def test_a_failed_open_lets_the_directory_go(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(
        b"this is no database, and long enough for SQLite to see it is not one" * 20
    )
    with pytest.raises(CorruptFile, match=r"state\.sqlite"):
        await store_in(tmp_path).open()
    (tmp_path / "state.sqlite").unlink()
    store = store_in(tmp_path)
    await store.open()
    await store.close()


async def test_state_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await asyncio.to_thread(sql, tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99"):
        await store_in(tmp_path).open()


async def test_state_that_cannot_be_written_is_a_problem_until_it_can(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.open()
    await asyncio.to_thread(sql, tmp_path, "ALTER TABLE state RENAME TO hidden")
    store.state.put("n", "k", b"v")
    with pytest.raises(StoreError, match="could not be written"):
        await store.state.flush()
    assert "state.sqlite" in store.problems()[0]
    assert store.state.get("n", "k") == b"v"
    await asyncio.to_thread(sql, tmp_path, "ALTER TABLE hidden RENAME TO state")
    await store.state.flush()
    assert store.problems() == []
    assert await asyncio.to_thread(sql, tmp_path, "SELECT value FROM state") == [(b"v",)]
    await store.close()


async def test_close_leaves_no_thread_behind(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    await store.open()
    store.journal.append(Done("a"))
    store.state.put("n", "k", b"v")
    await store.catalog.write("trade", "A.X", ticks([1]))
    await store.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("nautilus-")] == []


KILLED = """
import asyncio, sys
from pathlib import Path
from nautilus.store import EmbeddedStore
from tests.store.records import RECORD_TYPES, Placed

async def main():
    store = EmbeddedStore(Path(sys.argv[1]), record_types=RECORD_TYPES, segment_bytes=20_000)
    await store.open()
    number = store.journal.last_sequence
    while True:
        for _ in range(100):
            number += 1
            sequence = store.journal.append(Placed(str(number), number))
            print(sequence, flush=True)
        await asyncio.sleep(0)

asyncio.run(main())
"""


def killed_while_appending(directory: Path) -> int:
    """Last sequence that a process printed after appending it, before it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(directory)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [next(process.stdout) for _ in range(2000)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    return [int(line) for line in acknowledged if line.endswith("\n")][-1]


async def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    for _ in range(3):
        acknowledged = await asyncio.to_thread(killed_while_appending, tmp_path)
        store = store_in(tmp_path)
        await store.open()
        records = await replayed(store)
        assert len(records) == store.journal.last_sequence >= acknowledged
        assert all(record == Placed(str(sequence), sequence) for sequence, record in records)
        await store.close()


FULL = """
import asyncio, resource, sys
from pathlib import Path
from nautilus.store import EmbeddedStore, StoreError
from tests.store.records import RECORD_TYPES, Placed

async def main():
    store = EmbeddedStore(Path(sys.argv[1]), record_types=RECORD_TYPES)
    await store.open()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    written = 0
    try:
        while True:
            written = store.journal.append(Placed("x" * 100, 1))
    except StoreError as error:
        assert "could not be written" in str(error), error
        assert len(store.problems()) == 1, store.problems()
    assert len(list(store.journal.replay())) == written
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert store.journal.append(Placed("after", 2)) == written + 1
    assert store.problems() == []
    await store.close()
    print(written + 1)

asyncio.run(main())
"""


async def test_a_full_disk_loses_only_the_record_that_was_refused(tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FULL, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    store = store_in(tmp_path)
    report = await store.open()
    assert report.cut_bytes == 0
    assert report.last_sequence == int(done.stdout)
    assert (await replayed(store))[-1][1] == Placed("after", 2)
    await store.close()

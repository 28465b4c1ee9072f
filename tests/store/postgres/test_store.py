"""The store on a real PostgreSQL does what every store must, and what only it can."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from nautilus.store import EmbeddedStore, StoreError
from nautilus.store.postgres import DatabaseInUse, Diverged, Fenced, PostgresSettings, PostgresStore, owner, shipping
from tests.servers.postgres import PostgresServer
from tests.store.contract import StoreContract, read, replayed, ticks
from tests.store.postgres.opening import opened, query, until
from tests.store.records import RECORD_TYPES, Done, Placed

type MakeStore = Callable[[], PostgresStore]


class TestOnPostgres(StoreContract):
    @pytest.fixture(params=["server", "local"])
    def make_store(self, settings: PostgresSettings, tmp_path: Path, request: pytest.FixtureRequest) -> MakeStore:
        mode = msgspec.structs.replace(settings, acknowledge=request.param)
        return lambda: PostgresStore(mode, tmp_path / "store", record_types=RECORD_TYPES)

    @pytest.fixture
    def make_small_store(self, settings: PostgresSettings, tmp_path: Path) -> MakeStore:
        return lambda: PostgresStore(settings, tmp_path / "store", record_types=RECORD_TYPES, segment_bytes=200)


async def test_everything_is_there_after_opening_again(settings: PostgresSettings, tmp_path: Path) -> None:
    first = await opened(settings, tmp_path)
    first.journal.append(Placed("a", 1))
    first.state.put("n", "k", b"v")
    first.state.put("n", "gone", b"v")
    first.state.delete("n", "gone")
    await first.catalog.write("trade", "A.X", ticks([1, 2]))
    await first.close()
    second = PostgresStore(settings, tmp_path, record_types=RECORD_TYPES)
    report = await second.open()
    assert (report.last_sequence, report.cut_bytes) == (1, 0)
    assert await replayed(second) == [(1, Placed("a", 1))]
    assert second.journal.append(Done("a")) == 2
    assert second.state.items("n") == [("k", b"v")]
    assert (await read(second, "trade", "A.X")).height == 2
    await second.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("nautilus-")] == []


async def test_another_machine_goes_on_where_the_first_one_stopped(settings: PostgresSettings, tmp_path: Path) -> None:
    records = [Placed(str(number), number) for number in range(1200)]
    first = await opened(settings, tmp_path / "first")
    for record in records[:600]:
        first.journal.append(record)
    first.state.put("n", "k", b"from the first")
    await first.close()
    second = await opened(settings, tmp_path / "second")
    assert await replayed(second) == list(enumerate(records[:600], 1))
    assert second.state.get("n", "k") == b"from the first"
    for record in records[600:]:
        second.journal.append(record)
    await second.close()
    third = await opened(settings, tmp_path / "first")
    assert await replayed(third) == list(enumerate(records, 1))
    await third.close()


async def test_a_machine_goes_on_after_records_it_never_saw_were_pruned(
    settings: PostgresSettings, tmp_path: Path
) -> None:
    first = await opened(settings, tmp_path / "first")
    first.journal.append(Done("a"))
    await first.close()
    second = PostgresStore(settings, tmp_path / "second", record_types=RECORD_TYPES, segment_bytes=200)
    await second.open()
    for number in range(50):
        second.journal.append(Placed(str(number), number))
    await second.journal.flush()
    await asyncio.to_thread(second.journal.prune, 30)
    await second.close()
    third = await opened(settings, tmp_path / "first")
    assert (await replayed(third, 30))[-1] == (51, Placed("49", 49))
    with pytest.raises(StoreError, match="pruned"):
        await replayed(third)
    await third.close()


async def without_server(directory: Path, *records: msgspec.Struct) -> None:
    """Records that a node wrote to its own disk and could not ship before it died."""
    local = EmbeddedStore(directory, record_types=RECORD_TYPES)
    await local.open()
    for record in records:
        local.journal.append(record)
    await local.close()


async def test_what_waited_on_a_dead_machine_is_shipped_when_it_starts_again(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    first = await opened(settings, tmp_path)
    first.journal.append(Done("a"))
    await first.close()
    await without_server(tmp_path, Done("b"), Done("c"))
    second = await opened(settings, tmp_path)
    await second.journal.flush()
    assert await query(server, settings, "SELECT string_agg(sequence || kind, ',' ORDER BY 1) FROM journal") == (
        "1done,2done,3done"
    )
    await second.close()


@pytest.mark.parametrize("mark", ["kept", "lost"])
async def test_journals_that_went_apart_are_refused_and_left_alone(
    settings: PostgresSettings, tmp_path: Path, mark: str
) -> None:
    first = await opened(settings, tmp_path / "first")
    first.journal.append(Done("a"))
    await first.close()
    await without_server(tmp_path / "first", Done("only here"))
    if mark == "lost":
        (tmp_path / "first" / "postgres.json").unlink()
    second = await opened(settings, tmp_path / "second")
    second.journal.append(Done("only there"))
    second.journal.append(Done("only there"))
    await second.close()
    with pytest.raises(Diverged, match=r"record 2 .* keep this directory aside"):
        await opened(settings, tmp_path / "first")
    local = EmbeddedStore(tmp_path / "first", record_types=RECORD_TYPES)
    await local.open()
    assert (await replayed(local))[-1] == (2, Done("only here"))
    await local.close()
    third = await opened(settings, tmp_path / "second")
    assert [record for _, record in await replayed(third)] == [Done("a"), Done("only there"), Done("only there")]
    await third.close()


@pytest.mark.parametrize("acknowledge", ["server", "local"])
async def test_what_an_owner_wrote_after_it_was_taken_over_from_is_set_aside_where_nobody_was_told_of_it(
    settings: PostgresSettings, tmp_path: Path, acknowledge: Literal["server", "local"]
) -> None:
    mode = msgspec.structs.replace(settings, acknowledge=acknowledge)
    first = await opened(mode, tmp_path / "first", token=1)
    first.journal.append(Done("a"))
    await first.close()
    await without_server(tmp_path / "first", Done("too late"))
    second = await opened(mode, tmp_path / "second", token=2)
    second.journal.append(Done("b"))
    second.journal.append(Done("c"))
    await second.close()
    if acknowledge == "local":  # the second record may have been acted upon
        with pytest.raises(Diverged):
            await opened(mode, tmp_path / "first", token=3)
        return
    third = await opened(mode, tmp_path / "first", token=3)
    assert [record for _, record in await replayed(third)] == [Done("a"), Done("b"), Done("c")]
    (problem,) = third.problems()
    assert "never acknowledged" in problem
    assert third.journal.append(Done("d")) == 4
    await third.journal.flush()
    await third.close()
    aside = EmbeddedStore(tmp_path / "aside", record_types=RECORD_TYPES)
    shutil.copytree(tmp_path / "first" / "journal-before-3", tmp_path / "aside" / "journal")
    await aside.open()
    assert [record for _, record in await replayed(aside)] == [Done("a"), Done("too late")]
    await aside.close()
    fourth = await opened(mode, tmp_path / "first", token=4)
    assert fourth.problems() == []
    assert (await replayed(fourth))[-1] == (4, Done("d"))
    await fourth.close()


async def test_a_directory_of_another_database_is_refused(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    first = await opened(settings, tmp_path)
    first.journal.append(Done("a"))
    await first.close()
    other = msgspec.structs.replace(settings, schema=f"{settings.schema}_other")
    with pytest.raises(StoreError, match="belongs to store"):
        await opened(other, tmp_path)


async def test_a_second_owner_is_refused_while_the_first_one_lives(
    settings: PostgresSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "DEATH_NOTICED_S", 0.1)
    first = await opened(settings, tmp_path / "first")
    with pytest.raises(DatabaseInUse, match=rf"process {os.getpid()} on .*, token 1"):
        await opened(settings, tmp_path / "second")
    with pytest.raises(DatabaseInUse):
        await opened(settings, tmp_path / "second", token=1)
    with pytest.raises(StoreError, match="token 0 is lower than 1"):
        await opened(settings, tmp_path / "second", token=0)
    first.journal.append(Done("a"))
    await first.journal.flush()
    await first.close()
    second = await opened(settings, tmp_path / "second")
    assert second.token == 2
    await second.close()


async def test_a_higher_token_takes_over_and_the_old_owner_writes_no_more(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    old = await opened(settings, tmp_path / "old", token=7)
    old.journal.append(Done("a"))
    await old.journal.flush()
    new = await opened(settings, tmp_path / "new", token=8)
    refused: list[StoreError] = []
    old.journal.when_durable(old.journal.append(Done("late")), lambda: None, refused.append)
    old.state.put("n", "k", b"late")
    with pytest.raises(Fenced, match="token 8 owns this store"):
        await old.catalog.write("trade", "A.X", ticks([1]))
    with pytest.raises(Fenced, match="token 8 owns this store"):
        await old.journal.flush()
    with pytest.raises(Fenced):
        await old.state.flush()
    await until(lambda: len(refused) == 1)
    assert isinstance(refused[0], Fenced)
    assert "token 8" in old.problems()[0]
    with pytest.raises(Fenced):
        old.journal.append(Done("later"))
    with pytest.raises(Fenced):
        await old.close()
    with pytest.raises(DatabaseInUse, match="token 8"):
        await opened(settings, tmp_path / "third")
    new.journal.append(Done("b"))
    await new.journal.flush()
    assert await query(server, settings, "SELECT max(sequence), max(owner_token), count(*) FROM journal") == "2|8|2"
    assert await query(server, settings, "SELECT count(*) FROM state") == "0"
    await new.close()


async def test_an_idle_owner_that_was_overtaken_says_so(
    settings: PostgresSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "HEARTBEAT_S", 0.1)
    old = await opened(settings, tmp_path / "old", token=1)
    new = await opened(settings, tmp_path / "new", token=2)
    await until(lambda: bool(old.problems()))
    assert "token 2 owns this store" in old.problems()[0]
    await new.close()
    await old.close()

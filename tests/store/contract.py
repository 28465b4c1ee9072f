"""What every store must do; a test module subclasses it and says how to make one."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import numpy as np
import polars as pl
import pytest

from nautilus.errors import Invalid, NotFound
from nautilus.store import EmbeddedStore, StoreError, UnknownRecord
from tests.store.records import Done, Placed

DAY_NS = 86_400_000_000_000
ODD_IDS = [
    "AAPL.XNAS",
    "../../etc/passwd",
    ".",
    "..",
    "brk.b",
    "BRK.B",
    "EUR/USD.IDEALPRO",
    "ü 漢.X",
    "a\0b",
    "%41.X",
    "CON",
]

type MakeStore = Callable[[], EmbeddedStore]


class Unlisted(msgspec.Struct, tag="unlisted"):
    value: int = 0


def ticks(times: list[int], first_price: int = 100) -> dict[str, np.ndarray]:
    prices = np.arange(first_price, first_price + len(times), dtype=np.int64)
    return {"ts_event": np.array(times, dtype=np.int64), "price_ticks": prices}


async def read(store: EmbeddedStore, kind: str, instrument_id: str, *between: int | None) -> pl.DataFrame:
    return await asyncio.to_thread(lambda: store.catalog.read(kind, instrument_id, *between).collect())


async def replayed(store: EmbeddedStore, after: int = 0) -> list[tuple[int, msgspec.Struct]]:
    return await asyncio.to_thread(lambda: list(store.journal.replay(after)))


class StoreContract:
    @pytest.fixture
    async def store(self, make_store: MakeStore) -> AsyncIterator[EmbeddedStore]:
        store = make_store()
        await store.open()
        yield store
        await store.close()

    async def test_close_twice_and_before_open(self, make_store: MakeStore) -> None:
        store = make_store()
        await store.close()
        store = make_store()
        await store.open()
        await store.close()
        await store.close()

    async def test_a_store_is_opened_once(self, store: EmbeddedStore) -> None:
        with pytest.raises(StoreError, match="opened once"):
            await store.open()

    async def test_journal_numbers_records_from_one_and_gives_them_back_typed(self, store: EmbeddedStore) -> None:
        records = [Placed("a", 1), Done("a", 1.5), Placed("b", 2, b"\xc1N")]
        assert store.journal.last_sequence == 0
        assert [store.journal.append(record) for record in records] == [1, 2, 3]
        assert await replayed(store) == list(enumerate(records, 1))
        assert await replayed(store, 2) == [(3, records[2])]
        assert await replayed(store, 3) == []
        assert store.journal.last_sequence == 3
        assert store.journal.size_bytes == len(await asyncio.to_thread(store.journal.bytes)) > 0

    async def test_replay_gives_what_was_there_when_it_was_called(self, store: EmbeddedStore) -> None:
        store.journal.append(Done("a"))
        replay = await asyncio.to_thread(store.journal.replay)
        store.journal.append(Done("b"))
        assert [sequence for sequence, _ in await asyncio.to_thread(list, replay)] == [1]

    async def test_the_same_records_give_the_same_bytes(self, make_store: MakeStore) -> None:
        memory = EmbeddedStore.in_memory(record_types=(Placed, Done))
        await memory.open()
        store = make_store()
        await store.open()
        for one in (memory, store):
            one.journal.append(Placed("a", 1))
            one.journal.append(Done("a"))
        assert await asyncio.to_thread(store.journal.bytes) == await asyncio.to_thread(memory.journal.bytes)
        await store.close()

    async def test_durable_callbacks_come_once_in_order(self, store: EmbeddedStore) -> None:
        called: list[int] = []
        for expected in range(1, 51):
            assert store.journal.append(Done("a")) == expected
            store.journal.when_durable(expected, lambda expected=expected: called.append(expected))
        await store.journal.flush()
        await asyncio.sleep(0)
        assert called == list(range(1, 51))
        store.journal.when_durable(50, lambda: called.append(0))
        assert called[-1] == 0

    async def test_waiting_for_a_record_not_yet_written_is_an_error(self, store: EmbeddedStore) -> None:
        with pytest.raises(ValueError, match="has not been written"):
            store.journal.when_durable(1, lambda: None)

    async def test_a_record_type_not_declared_is_refused(self, store: EmbeddedStore) -> None:
        with pytest.raises(UnknownRecord, match="Unlisted"):
            store.journal.append(Unlisted())
        assert store.journal.last_sequence == 0

    async def test_an_oversized_record_is_refused(self, store: EmbeddedStore) -> None:
        with pytest.raises(StoreError, match="over the limit"):
            store.journal.append(Placed("a", 1, bytes(17 * 1024 * 1024)))
        assert store.journal.append(Placed("a", 1)) == 1

    async def test_segments_rotate_and_prune(self, make_small_store: MakeStore) -> None:
        store = make_small_store()
        await store.open()
        for number in range(1, 101):
            store.journal.append(Placed(str(number), number))
        await store.journal.flush()
        assert [sequence for sequence, _ in await replayed(store)] == list(range(1, 101))
        assert [sequence for sequence, _ in await replayed(store, 60)] == list(range(61, 101))
        before = store.journal.size_bytes
        freed = await asyncio.to_thread(store.journal.prune, 50)
        assert 0 < freed == before - store.journal.size_bytes
        assert store.journal.size_bytes == len(await asyncio.to_thread(store.journal.bytes))
        assert [sequence for sequence, _ in await replayed(store, 50)] == list(range(51, 101))
        with pytest.raises(StoreError, match="pruned"):
            await replayed(store)
        assert await asyncio.to_thread(store.journal.prune, 50) == 0
        await store.close()

    async def test_append_on_a_closed_store_is_an_error(self, make_store: MakeStore) -> None:
        store = make_store()
        with pytest.raises(StoreError, match="not open"):
            store.journal.append(Done("a"))
        await store.open()
        await store.close()
        with pytest.raises(StoreError, match="not open"):
            store.journal.append(Done("a"))

    async def test_state_reads_its_own_writes(self, store: EmbeddedStore) -> None:
        state = store.state
        assert state.get("keys", "a") is None
        state.put("keys", "b", b"2")
        state.put("keys", "a", b"1")
        state.put("other", "a", b"3")
        assert state.get("keys", "a") == b"1"
        assert state.keys("keys") == ["a", "b"]
        assert state.items("keys") == [("a", b"1"), ("b", b"2")]
        state.put("keys", "a", b"9")
        state.delete("keys", "b")
        state.delete("keys", "never there")
        state.delete("nowhere", "at all")
        assert state.items("keys") == [("a", b"9")]
        assert state.size_bytes == 2
        await state.flush()
        assert state.items("keys") == [("a", b"9")]

    async def test_state_refuses_text_that_cannot_be_stored(self, store: EmbeddedStore) -> None:
        with pytest.raises(Invalid):
            store.state.put("keys", "\ud800", b"")

    async def test_state_refuses_a_value_over_the_limit(self, store: EmbeddedStore) -> None:
        with pytest.raises(StoreError, match="over the limit"):
            store.state.put("keys", "a", bytes(65 * 1024 * 1024))
        assert store.state.get("keys", "a") is None

    async def test_catalog_gives_back_rows_by_time(self, store: EmbeddedStore) -> None:
        catalog = store.catalog
        await catalog.write("quote", "AAPL.XNAS", ticks([10, 30, 20]))
        await catalog.write("quote", "AAPL.XNAS", ticks([DAY_NS + 1, 15], 200))
        frame = await read(store, "quote", "AAPL.XNAS")
        assert frame["ts_event"].to_list() == [10, 15, 20, 30, DAY_NS + 1]
        assert frame["price_ticks"].to_list() == [100, 201, 102, 101, 200]
        ranged = await read(store, "quote", "AAPL.XNAS", 15, 30)
        assert ranged["ts_event"].to_list() == [15, 20]
        assert (await read(store, "quote", "AAPL.XNAS", 5 * DAY_NS)).height == 0
        assert (await read(store, "quote", "AAPL.XNAS", 16, 17)).columns == ["ts_event", "price_ticks"]

    async def test_rows_of_one_time_stay_in_the_order_written(self, store: EmbeddedStore) -> None:
        for price in range(40):
            await store.catalog.write("trade", "A.X", ticks([7], price))
        assert (await read(store, "trade", "A.X"))["price_ticks"].to_list() == list(range(40))

    async def test_catalog_lists_what_it_holds(self, store: EmbeddedStore) -> None:
        await store.catalog.write("trade", "B.X", ticks([5, DAY_NS]))
        await store.catalog.write("bar.60s", "A.X", ticks([-3, 9]))
        entries = await asyncio.to_thread(store.catalog.list)
        assert [(entry.kind, entry.instrument_id) for entry in entries] == [("bar.60s", "A.X"), ("trade", "B.X")]
        assert (entries[0].rows, entries[0].start_ns, entries[0].end_ns) == (2, -3, 9)
        assert (entries[1].rows, entries[1].start_ns, entries[1].end_ns) == (2, 5, DAY_NS)
        assert all(entry.bytes > 0 and entry.files > 0 and entry.corrupt == () for entry in entries)

    async def test_catalog_forgets_whole_days_and_nothing_of_others(self, store: EmbeddedStore) -> None:
        catalog = store.catalog
        await catalog.write("trade", "A.X", ticks([5, 6, DAY_NS + 5, 2 * DAY_NS + 5]))
        await catalog.write("quote", "A.X", ticks([5]))
        assert await catalog.prune(2 * DAY_NS - 1, "trade") == 2
        assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [DAY_NS + 5, 2 * DAY_NS + 5]
        assert (await read(store, "quote", "A.X")).height == 1
        assert await catalog.prune(2 * DAY_NS) == 2
        assert await catalog.prune(2 * DAY_NS) == 0
        entries = await asyncio.to_thread(catalog.list)
        assert [(entry.kind, entry.rows, entry.start_ns) for entry in entries] == [("trade", 1, 2 * DAY_NS + 5)]
        await catalog.write("trade", "A.X", ticks([7]))
        assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [7, 2 * DAY_NS + 5]

    async def test_any_instrument_id_is_kept_apart(self, store: EmbeddedStore) -> None:
        for number, instrument_id in enumerate(ODD_IDS):
            await store.catalog.write("trade", instrument_id, ticks([number]))
        assert sorted(entry.instrument_id for entry in await asyncio.to_thread(store.catalog.list)) == sorted(ODD_IDS)
        for number, instrument_id in enumerate(ODD_IDS):
            assert (await read(store, "trade", instrument_id))["ts_event"].to_list() == [number]

    async def test_columns_that_differ_between_writes_are_joined(self, store: EmbeddedStore) -> None:
        await store.catalog.write("trade", "A.X", ticks([1]))
        await store.catalog.write("trade", "A.X", ticks([2]) | {"fee": np.array([0.5])})
        assert (await read(store, "trade", "A.X"))["fee"].to_list() == [None, 0.5]

    async def test_what_was_never_written_is_not_found(self, store: EmbeddedStore) -> None:
        with pytest.raises(NotFound):
            await read(store, "quote", "AAPL.XNAS")
        await store.catalog.write("quote", "AAPL.XNAS", ticks([]))
        assert await asyncio.to_thread(store.catalog.list) == []

    @pytest.mark.parametrize(
        "columns",
        [
            {},
            {"price": np.array([1])},
            {"ts_event": np.array([1.0])},
            {"ts_event": np.array([1]), "price": np.array([1, 2])},
            {"ts_event": np.array([[1]])},
            {"ts_event": np.array([1]), "price": np.array([object()])},
        ],
    )
    async def test_columns_that_cannot_be_kept_are_refused(
        self, store: EmbeddedStore, columns: dict[str, np.ndarray]
    ) -> None:
        with pytest.raises(Invalid, match="columns"):
            await store.catalog.write("quote", "AAPL.XNAS", columns)
        assert await asyncio.to_thread(store.catalog.list) == []

    @pytest.mark.parametrize("instrument_id", ["", "X" * 81, "\ud800"])
    async def test_names_that_cannot_be_files_are_refused(self, store: EmbeddedStore, instrument_id: str) -> None:
        with pytest.raises(Invalid):
            await store.catalog.write("quote", instrument_id, ticks([1]))

    async def test_a_healthy_store_has_no_problems(self, store: EmbeddedStore) -> None:
        store.journal.append(Done("a"))
        store.state.put("a", "b", b"c")
        await store.journal.flush()
        await store.state.flush()
        assert store.problems() == []

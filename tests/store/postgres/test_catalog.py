"""Market data in PostgreSQL: every type comes back as it was, days are partitions, columns may be added."""

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from nautilus.errors import Invalid, NotFound
from nautilus.store.columns import DTYPES
from nautilus.store.memory_catalog import MemoryCatalog
from nautilus.store.postgres import PostgresSettings
from tests.servers.postgres import PostgresServer
from tests.store.contract import DAY_NS, read, ticks
from tests.store.postgres.opening import opened, query

LIMITS = {
    name: np.array([0, np.finfo(name).max, -np.inf, np.nan])[:3]
    if name.startswith("float")
    else np.array([0, 1, 1])
    if name == "bool"
    else np.array([0, np.iinfo(name).min, np.iinfo(name).max if name != "uint64" else 2**63 - 1], dtype=name)
    for name in DTYPES
}


async def test_every_type_comes_back_as_it_was_written(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(settings, tmp_path)
    columns = {name: values.astype(name) for name, values in LIMITS.items()}
    await store.catalog.write("all", "A.X", {"ts_event": np.array([1, 2, 3]), **columns})
    frame = await read(store, "all", "A.X")
    assert frame.columns == ["ts_event", *columns]
    for name, values in columns.items():
        assert frame[name].to_numpy().dtype == np.dtype(name)
        np.testing.assert_array_equal(frame[name].to_numpy(), values)
    await store.close()


async def test_a_column_keeps_its_type(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(settings, tmp_path)
    await store.catalog.write("trade", "A.X", ticks([1]))
    with pytest.raises(Invalid, match=r"columns\.price_ticks: must be int64 as in earlier writes, not float64"):
        await store.catalog.write("trade", "B.X", {"ts_event": np.array([2]), "price_ticks": np.array([1.5])})
    await store.catalog.write("trade", "B.X", ticks([3]))
    assert (await read(store, "trade", "B.X"))["ts_event"].to_list() == [3]
    await store.close()


@pytest.mark.parametrize("name", ["", "x" * 64, "ctid", "nautilus_row", "a\0b"])
async def test_names_that_no_column_can_have_are_refused(settings: PostgresSettings, tmp_path: Path, name: str) -> None:
    store = await opened(settings, tmp_path)
    with pytest.raises(Invalid, match="columns"):
        await store.catalog.write("trade", "A.X", ticks([1]) | {name: np.array([1])})
    await store.close()


async def test_odd_names_of_columns_and_kinds_are_kept(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(settings, tmp_path)
    odd = {
        name: np.array([number]) for number, name in enumerate(["Select", 'a"b', "ü 漢", "a'; DROP TABLE owner; --"])
    }
    for kind in ("bar.60s", "BAR.60s", "select", "x; DROP TABLE owner"):
        await store.catalog.write(kind, "A.X", ticks([1]) | odd)
        assert (await read(store, kind, "A.X")).columns == ["ts_event", "price_ticks", *odd]
    await store.close()


async def test_values_that_do_not_fit_are_refused(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(settings, tmp_path)
    with pytest.raises(Invalid, match=r"columns\.id: must be below 2\^63"):
        await store.catalog.write("trade", "A.X", ticks([1]) | {"id": np.array([2**63], dtype=np.uint64)})
    await store.close()


async def test_only_what_a_query_needs_is_fetched_and_the_answer_is_the_same(
    settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(settings, tmp_path)
    count = 300_000
    columns = {"ts_event": np.arange(count), "a": np.arange(count) % 7, "b": np.arange(count) / 3}
    await store.catalog.write("trade", "A.X", columns)
    memory = MemoryCatalog()
    await memory.write("trade", "A.X", columns)

    def compare() -> None:
        ours, expected = store.catalog.read("trade", "A.X"), memory.read("trade", "A.X")
        for ask in (
            lambda lazy: lazy,
            lambda lazy: lazy.select("b"),
            lambda lazy: lazy.filter(pl.col("a") == 3).select("b"),
            lambda lazy: lazy.head(10),
            lambda lazy: lazy.filter(pl.col("a") == 3).head(10),
            lambda lazy: lazy.group_by("a").agg(pl.col("ts_event").sum()).sort("a"),
            lambda lazy: lazy.select(pl.len()),
        ):
            assert ask(ours).collect().equals(ask(expected).collect())
        streamed = ours.group_by("a").agg(pl.col("b").max()).sort("a").collect(engine="streaming")
        assert streamed.equals(expected.group_by("a").agg(pl.col("b").max()).sort("a").collect())

    await asyncio.to_thread(compare)
    assert store.problems() == []
    await store.close()


type Writes = list[tuple[list[int], bool]]


@given(st.lists(st.tuples(st.lists(st.integers(-3, 3), min_size=1, max_size=6), st.booleans()), min_size=1, max_size=5))
@example_settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_it_answers_as_the_catalog_in_memory(
    settings: PostgresSettings, tmp_path_factory: pytest.TempPathFactory, writes: Writes
) -> None:
    from uuid import uuid4

    settings = msgspec.structs.replace(settings, schema=f"test_{uuid4().hex}")
    store = await opened(settings, tmp_path_factory.mktemp("store"))
    memory = MemoryCatalog()
    for number, (half_days, has_fee) in enumerate(writes):
        columns = ticks([half_day * (DAY_NS // 2) for half_day in half_days], 100 * number)
        if has_fee:
            columns["fee"] = np.arange(len(half_days)) / 2
        await store.catalog.write("trade", "A.X", columns)
        await memory.write("trade", "A.X", columns)
    expected = memory.read("trade", "A.X").collect()
    assert (await read(store, "trade", "A.X")).select(expected.columns).equals(expected)
    removed = await memory.prune(DAY_NS // 2)
    assert await store.catalog.prune(DAY_NS // 2) == removed
    if removed < expected.height:
        left = await read(store, "trade", "A.X")
        assert left.equals(memory.read("trade", "A.X").collect().select(left.columns))
    await store.close()


async def test_pruning_drops_the_partitions_of_whole_days(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    store = await opened(settings, tmp_path)
    await store.catalog.write("trade", "A.X", ticks([1, DAY_NS + 1, 2 * DAY_NS]))
    await store.catalog.write("trade", "B.X", ticks([5]))
    await store.catalog.write("quote", "A.X", ticks([5]))
    assert await store.catalog.prune(2 * DAY_NS - 1, "trade") == 2
    with pytest.raises(NotFound):
        await read(store, "trade", "B.X")
    assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [DAY_NS + 1, 2 * DAY_NS]
    partitions = "SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY 1) FROM pg_inherits"
    where = "JOIN pg_class ON oid = inhrelid WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    assert await query(server, settings, f"{partitions} {where}") == (
        "data_1_trade_19700102 data_1_trade_19700103 data_2_quote_19700101"
    )
    assert await store.catalog.prune(5 * DAY_NS) == 3
    assert await asyncio.to_thread(store.catalog.list) == []
    await store.catalog.write("trade", "A.X", ticks([1]))
    assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [1]
    await store.close()


async def test_retention_drops_old_days_when_a_new_one_begins(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(msgspec.structs.replace(settings, retention_days={"trade": 2}), tmp_path)
    for day in range(5):
        for kind in ("trade", "quote"):
            await store.catalog.write(kind, "A.X", ticks([day * DAY_NS]))
    assert (await read(store, "trade", "A.X"))["ts_event"].to_list() == [2 * DAY_NS, 3 * DAY_NS, 4 * DAY_NS]
    assert (await read(store, "quote", "A.X")).height == 5
    await store.close()


async def test_many_writers_at_once_are_kept_apart(settings: PostgresSettings, tmp_path: Path) -> None:
    store = await opened(settings, tmp_path)
    await asyncio.gather(*(store.catalog.write("trade", f"{number % 3}.X", ticks([number])) for number in range(30)))
    frames = await asyncio.gather(*(read(store, "trade", f"{number}.X") for number in range(3)))
    assert [frame.height for frame in frames] == [10, 10, 10]
    await store.close()

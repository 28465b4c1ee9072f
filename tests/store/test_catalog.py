"""The Parquet catalog: whole files only, merged as they grow many, damage named."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.store import CorruptFile, DiskRefused
from nautilus.store.catalog import MERGE_PARTS, ParquetCatalog
from nautilus.store.parts import NAME_MAX_BYTES, decode_name, encode_name, live_parts
from tests.store.contract import ticks

DAY = "1970-01-01"


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[ParquetCatalog]:
    catalog = ParquetCatalog(tmp_path)
    await asyncio.to_thread(catalog.open)
    yield catalog
    await catalog.stop()


async def read(catalog: ParquetCatalog, *arguments: Any) -> pl.DataFrame:
    return await asyncio.to_thread(lambda: catalog.read(*arguments).collect())


def day_of(tmp_path: Path, instrument: str = "A.X") -> Path:
    return tmp_path / "%74%72%61%64%65" / instrument / DAY


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
        lambda name: len(name.encode()) <= NAME_MAX_BYTES
    )
)
def test_file_names_are_safe_and_can_be_read_back(name: str) -> None:
    encoded = encode_name(name)
    assert decode_name(encoded) == name
    assert len(encoded) <= 3 * NAME_MAX_BYTES < 255
    assert encoded == encoded.upper()
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_%.")
    assert not encoded.startswith(".")
    assert not encoded.endswith(".")


async def test_many_small_writes_are_merged_and_lose_nothing(catalog: ParquetCatalog, tmp_path: Path) -> None:
    count = MERGE_PARTS * 3 + 5
    for number in range(count):
        await catalog.write("trade", "A.X", ticks([count - number], number))
    live, replaced = await asyncio.to_thread(live_parts, day_of(tmp_path))
    assert len(live) == 3 + 5
    assert len(replaced) == MERGE_PARTS
    assert (await read(catalog, "trade", "A.X"))["price_ticks"].to_list() == list(range(count))[::-1]
    (entry,) = await asyncio.to_thread(catalog.list)
    assert (entry.rows, entry.files) == (count, 8)


async def test_large_runs_of_merged_files_are_merged_again(
    catalog: ParquetCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nautilus.store.catalog.MERGE_PARTS", 3)
    for number in range(27):
        await catalog.write("trade", "A.X", ticks([number], number))
    live, _ = await asyncio.to_thread(live_parts, day_of(tmp_path))
    assert [(part.first, part.last, part.rows) for part in live] == [(1, 27, 27)]
    assert (await read(catalog, "trade", "A.X"))["ts_event"].to_list() == list(range(27))


async def test_a_frame_made_before_a_merge_still_reads(catalog: ParquetCatalog) -> None:
    for number in range(MERGE_PARTS - 1):
        await catalog.write("trade", "A.X", ticks([number]))
    before = await asyncio.to_thread(catalog.read, "trade", "A.X")
    await catalog.write("trade", "A.X", ticks([100]))
    assert (await asyncio.to_thread(before.collect)).height == MERGE_PARTS - 1


async def test_opening_removes_what_a_crash_left(catalog: ParquetCatalog, tmp_path: Path) -> None:
    for number in range(MERGE_PARTS):
        await catalog.write("trade", "A.X", ticks([number]))
    (day_of(tmp_path) / "x.parquet.writing").write_bytes(b"half")
    again = ParquetCatalog(tmp_path)
    await asyncio.to_thread(again.open)
    assert len(list(day_of(tmp_path).iterdir())) == 1
    assert (await read(again, "trade", "A.X")).height == MERGE_PARTS
    await again.stop()


@pytest.mark.parametrize("how", ["flip", "cut", "empty"])
async def test_a_damaged_file_is_named_on_read_and_skipped_in_the_list(tmp_path: Path, how: str) -> None:
    writer = ParquetCatalog(tmp_path)
    await asyncio.to_thread(writer.open)
    await writer.write("trade", "A.X", ticks([1, 2, 3]))
    await writer.write("trade", "A.X", ticks([4]))
    await writer.stop()
    victim = (await asyncio.to_thread(live_parts, day_of(tmp_path)))[0][0].path
    data = victim.read_bytes()
    middle = len(data) // 2
    changed = {"flip": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :], "cut": data[:-9], "empty": b""}
    victim.write_bytes(changed[how])
    catalog = ParquetCatalog(tmp_path)
    await asyncio.to_thread(catalog.open)
    for _ in range(2):
        with pytest.raises(CorruptFile, match=victim.name):
            await read(catalog, "trade", "A.X")
    (entry,) = await asyncio.to_thread(catalog.list)
    assert entry.corrupt == (victim.name,)
    assert (entry.rows, entry.files) == (1, 1)
    assert victim.name in catalog.problems()[0]
    assert (await read(catalog, "trade", "A.X", 4))["ts_event"].to_list() == [4]
    await catalog.write("trade", "A.X", ticks([5]))
    victim.unlink()
    assert (await read(catalog, "trade", "A.X"))["ts_event"].to_list() == [4, 5]
    assert (await asyncio.to_thread(catalog.list))[0].corrupt == ()
    assert catalog.problems() == []
    await catalog.stop()


async def test_a_damaged_part_does_not_stop_writing(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await catalog.write("trade", "A.X", ticks([0]))
    (await asyncio.to_thread(live_parts, day_of(tmp_path)))[0][0].path.write_bytes(b"PAR1 damaged PAR1")
    for number in range(MERGE_PARTS + 3):
        await catalog.write("trade", "A.X", ticks([1 + number]))
    (entry,) = await asyncio.to_thread(catalog.list)
    assert entry.rows == MERGE_PARTS + 3
    assert len(entry.corrupt) == 1


async def test_files_and_folders_of_others_are_reported_or_left_alone(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await catalog.write("trade", "A.X", ticks([1]))
    (day_of(tmp_path) / "stranger.parquet").write_bytes(b"")
    (day_of(tmp_path).parent / "notes").mkdir()
    (entry,) = await asyncio.to_thread(catalog.list)
    assert entry.corrupt == ("stranger.parquet",)
    assert (await read(catalog, "trade", "A.X")).height == 1


async def test_columns_of_every_kind_come_back_as_they_were(catalog: ParquetCatalog) -> None:
    columns = {
        "ts_event": np.array([1, 2]),
        "small": np.array([1, -1], dtype=np.int8),
        "wide": np.array([0, 2**64 - 1], dtype=np.uint64),
        "price": np.array([0.1, np.nan]),
        "single": np.array([0.5, 1.5], dtype=np.float32),
        "flag": np.array([True, False]),
    }
    await catalog.write("trade", "A.X", columns)
    frame = await read(catalog, "trade", "A.X")
    for name, column in columns.items():
        np.testing.assert_array_equal(frame[name].to_numpy(), column)
        assert frame[name].to_numpy().dtype == column.dtype


async def test_readers_and_a_writer_do_not_disturb_one_another(catalog: ParquetCatalog, tmp_path: Path) -> None:
    other_process = ParquetCatalog(tmp_path)
    writing = True
    counts: list[int] = []

    def read_on() -> None:
        while writing or len(counts) < 20:
            reader = (catalog, other_process)[len(counts) % 2]
            counts.append(reader.read("trade", "A.X").collect().height)
            assert sum(entry.rows for entry in reader.list()) >= counts[-1]

    await catalog.write("trade", "A.X", ticks([0]))
    reading = asyncio.get_running_loop().run_in_executor(None, read_on)
    for number in range(1, 8 * MERGE_PARTS):
        await catalog.write("trade", "A.X", ticks([number]))
    writing = False
    await reading
    assert counts == sorted(counts)
    assert (await read(catalog, "trade", "A.X")).height == 8 * MERGE_PARTS
    assert other_process.problems() == catalog.problems() == []


async def test_an_empty_day_hides_no_columns(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await catalog.write("trade", "A.X", ticks([1]))
    (day_of(tmp_path).parent / "1970-01-09").mkdir()
    assert (await read(catalog, "trade", "A.X", 5)).columns == ["ts_event", "price_ticks"]


async def test_a_file_that_cannot_be_read_now_is_not_called_damaged(
    catalog: ParquetCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalog.write("trade", "A.X", ticks([1]))

    def refuse(_: Path) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("nautilus.store.part_files.checksum_of", refuse)
        with pytest.raises(DiskRefused, match=r"could not be read: Too many open files \(EMFILE\); raise the limit"):
            await read(catalog, "trade", "A.X")
    assert (await read(catalog, "trade", "A.X")).height == 1


async def test_damage_is_looked_for_in_every_file_again(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await catalog.write("trade", "A.X", ticks([1]))
    await catalog.write("quote", "A.X", ticks([1]))
    await read(catalog, "trade", "A.X")
    victim = (await asyncio.to_thread(live_parts, day_of(tmp_path)))[0][0].path
    victim.write_bytes(victim.read_bytes()[:-12] + b"changed!PAR1")
    seen: list[tuple[int, int]] = []
    found = await asyncio.to_thread(catalog.damage, progress=lambda *one: seen.append(one))
    assert len(found) == 1
    assert victim.name in found[0]
    assert seen == [(1, 2), (2, 2)]
    assert await asyncio.to_thread(catalog.damage, "quote") == []

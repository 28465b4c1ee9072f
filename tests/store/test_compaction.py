"""Compaction: one file a day, the same rows in the same order, whatever happens in the midst of it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.store import StoreError
from nautilus.store.catalog import ParquetCatalog
from nautilus.store.parts import live_parts
from tests.store.contract import DAY_NS, ticks

REPOSITORY = Path(__file__).resolve().parents[2]
BATCHES = st.lists(
    st.lists(st.integers(0, 3 * DAY_NS // (DAY_NS // 4)), min_size=1, max_size=5), min_size=1, max_size=9
)


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[ParquetCatalog]:
    catalog = ParquetCatalog(tmp_path)
    await asyncio.to_thread(catalog.open)
    yield catalog
    await catalog.stop()


async def read(catalog: ParquetCatalog, *arguments: Any) -> pl.DataFrame:
    return await asyncio.to_thread(lambda: catalog.read(*arguments).collect())


async def opened(directory: Path) -> ParquetCatalog:
    catalog = ParquetCatalog(directory)
    await asyncio.to_thread(catalog.open)
    return catalog


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*/*/*/*"))


async def write_some(catalog: ParquetCatalog) -> None:
    """Overlapping, disordered writes of one day and one of the next."""
    for number in range(5):
        await catalog.write("trade", "A.X", ticks([50 - number, 10 + number, 30], 100 * number))
    await catalog.write("trade", "A.X", ticks([DAY_NS + 1]))


async def test_a_day_that_is_over_becomes_one_file_with_the_same_rows(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await write_some(catalog)
    before = await read(catalog, "trade", "A.X")
    seen: list[tuple[int, int]] = []
    report = await catalog.compact(progress=lambda done, total: seen.append((done, total)))
    assert (report.days, report.rows, report.files_before, report.files_after) == (1, 15, 5, 1)
    assert report.bytes_before > report.bytes_after > 0
    assert report.left_alone == ()
    assert seen == [(1, 1)]
    assert (await read(catalog, "trade", "A.X")).equals(before)
    (entry,) = await asyncio.to_thread(catalog.list)
    assert (entry.rows, entry.files) == (16, 2)
    assert (await catalog.compact()).days == 0
    assert len(files(tmp_path)) == 2


async def test_the_day_that_runs_is_compacted_only_when_told_that_it_is_over(catalog: ParquetCatalog) -> None:
    await write_some(catalog)
    await catalog.write("trade", "A.X", ticks([DAY_NS + 2]))
    assert (await catalog.compact(before_ns=2 * DAY_NS - 1)).days == 1
    assert (await catalog.compact(before_ns=2 * DAY_NS)).days == 1


async def test_only_what_is_asked_for_is_compacted(catalog: ParquetCatalog) -> None:
    for kind, instrument in (("trade", "A.X"), ("trade", "B.X"), ("quote", "A.X")):
        for time in (1, 2):
            await catalog.write(kind, instrument, ticks([time]))
    assert (await catalog.compact("trade", "B.X", before_ns=DAY_NS)).days == 1
    assert (await catalog.compact("trade", before_ns=DAY_NS)).days == 1
    assert (await catalog.compact(before_ns=DAY_NS)).days == 1


async def test_a_frame_made_before_a_compaction_still_reads(catalog: ParquetCatalog) -> None:
    await write_some(catalog)
    before = await asyncio.to_thread(catalog.read, "trade", "A.X")
    await catalog.compact()
    assert (await asyncio.to_thread(before.collect)).height == 16


async def test_rows_written_to_a_compacted_day_come_after_those_of_their_time(catalog: ParquetCatalog) -> None:
    await write_some(catalog)
    await catalog.compact()
    await catalog.write("trade", "A.X", ticks([30], 999))
    frame = await read(catalog, "trade", "A.X", 30, 31)
    assert frame["price_ticks"].to_list() == [2, 102, 202, 302, 402, 999]


async def test_a_damaged_day_is_named_and_left_alone(catalog: ParquetCatalog, tmp_path: Path) -> None:
    await write_some(catalog)
    first = (await asyncio.to_thread(lambda: live_parts(next(tmp_path.glob("*/*/1970-01-01")))))[0][0]
    first.path.write_bytes(b"PAR1 damaged PAR1")
    report = await catalog.compact()
    assert report.days == 0
    assert "damaged" in report.left_alone[0]
    assert len(files(tmp_path)) == 6


async def test_columns_whose_types_disagree_are_never_put_into_one_file(
    catalog: ParquetCatalog, tmp_path: Path
) -> None:
    large = 2**63 + 1
    await catalog.write("trade", "A.X", {"ts_event": np.array([1]), "id": np.array([large], dtype=np.uint64)})
    for number in range(40):
        await catalog.write("trade", "A.X", {"ts_event": np.array([2 + number]), "id": np.array([-1])})
    report = await catalog.compact(before_ns=DAY_NS)
    assert "type of column id" in report.left_alone[0]
    assert (await read(catalog, "trade", "A.X", 1, 2))["id"].to_list() == [large]


async def test_a_column_that_some_writes_have_not_is_null_there(catalog: ParquetCatalog) -> None:
    await catalog.write("trade", "A.X", ticks([2]))
    await catalog.write("trade", "A.X", ticks([1]) | {"fee": np.array([0.5])})
    await catalog.compact(before_ns=DAY_NS)
    assert (await read(catalog, "trade", "A.X"))["fee"].to_list() == [0.5, None]


class Crash(BaseException):
    """The process dies here."""


STEPS = [
    "part_files.sync_file",
    "part_files.checksum_of",
    "part_files.sync_directory",
    "compaction.stage_stream",
    "compaction.publish",
]


@settings(max_examples=60)
@given(BATCHES, st.sampled_from(STEPS), st.booleans())
def test_a_crash_at_any_step_loses_and_doubles_nothing(batches: list[list[int]], step: str, after: bool) -> None:
    async def run(folder: Path) -> None:
        catalog = await opened(folder)
        for number, batch in enumerate(batches):
            await catalog.write("trade", "A.X", ticks([time * (DAY_NS // 4) for time in batch], 100 * number))
        expected = await read(catalog, "trade", "A.X")
        with pytest.MonkeyPatch.context() as patch:
            module, name = step.split(".")
            real = getattr(sys.modules[f"nautilus.store.{module}"], name)

            def crash(*arguments: Any) -> None:
                if after:
                    real(*arguments)
                raise Crash

            patch.setattr(f"nautilus.store.{step}", crash)
            with suppress(Crash):
                await catalog.compact(before_ns=4 * DAY_NS)
        assert (await read(ParquetCatalog(folder), "trade", "A.X")).equals(expected)
        await catalog.stop()
        again = await opened(folder)
        assert (await read(again, "trade", "A.X")).equals(expected)
        await again.compact(before_ns=4 * DAY_NS)
        assert (await read(again, "trade", "A.X")).equals(expected)
        assert sum(entry.files for entry in await asyncio.to_thread(again.list)) == len(
            {time // 4 for batch in batches for time in batch}
        )
        await again.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from nautilus.store.catalog import ParquetCatalog

deadly, calls = int(sys.argv[2]), 0

def count(event, arguments):
    global calls
    if armed and event in {"os.rename", "os.remove", "os.rmdir", "open"} and str(arguments[0]).startswith(sys.argv[1]):
        calls += 1
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

armed = False
sys.addaudithook(count)

async def main():
    global armed
    catalog = ParquetCatalog(Path(sys.argv[1]))
    catalog.open()
    armed = True
    await catalog.compact(before_ns=10**18)
    armed = False
    await catalog.stop()

asyncio.run(main())
"""


async def test_a_process_killed_at_any_call_of_the_system_loses_and_doubles_nothing(tmp_path: Path) -> None:
    writer = ParquetCatalog(tmp_path)
    await asyncio.to_thread(writer.open)
    await write_some(writer)
    expected = await read(writer, "trade", "A.X")
    await writer.stop()
    for deadly in range(1, 40):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, str(tmp_path), str(deadly)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (await read(ParquetCatalog(tmp_path), "trade", "A.X")).equals(expected)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert deadly > 5
    assert done.returncode == 0
    assert len(files(tmp_path)) >= 2
    cleaned = ParquetCatalog(tmp_path)
    await asyncio.to_thread(cleaned.open)
    assert len(files(tmp_path)) == 2
    await cleaned.stop()


async def test_compaction_on_a_closed_catalog_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not open"):
        await ParquetCatalog(tmp_path).compact()


@settings(max_examples=100)
@given(BATCHES, st.integers(0, 12), st.integers(0, 12), st.sampled_from([0, 65_536]))
def test_rows_come_by_time_and_then_as_written(
    batches: list[list[int]], start: int, length: int, sorted_rows: int
) -> None:
    async def run(folder: Path) -> None:
        catalog = await opened(folder)
        written = []
        for number, batch in enumerate(batches):
            times = [time * (DAY_NS // 4) for time in batch]
            await catalog.write("trade", "A.X", ticks(times, 100 * number))
            written += [(time, 100 * number + offset) for offset, time in enumerate(times)]
        start_ns, end_ns = start * (DAY_NS // 4), (start + length) * (DAY_NS // 4)
        expected = [row for row in sorted(written, key=lambda row: row[0]) if start_ns <= row[0] < end_ns]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nautilus.store.ordered_scan.SORTED_ROWS", sorted_rows)
            assert (await read(catalog, "trade", "A.X", start_ns, end_ns)).rows() == expected
            await catalog.compact(before_ns=4 * DAY_NS)
            assert (await read(catalog, "trade", "A.X", start_ns, end_ns)).rows() == expected
        await catalog.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))

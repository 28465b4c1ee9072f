"""A full disk, a read-only one, two processes on one directory: clear errors, nothing half-done, and on it goes."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nautilus.store import DiskRefused, EmbeddedStore, StoreInUse
from nautilus.store.catalog import MERGE_PARTS, ParquetCatalog
from tests.store.contract import DAY_NS, ticks
from tests.store.records import RECORD_TYPES

REPOSITORY = Path(__file__).resolve().parents[2]


def python(script: str, *arguments: object, prefix: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(prefix or []), sys.executable, "-c", script, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def own_mounts() -> list[str]:
    """A command prefix under which an unprivileged process may mount a small file system that nobody else sees."""
    prefix = ["unshare", "--user", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("this system gives no mount namespaces to tests")
    return prefix


FULL = """
import asyncio, errno, subprocess, sys
from pathlib import Path
import numpy as np
from nautilus.engines.marketdata.recorder import Recorder
from nautilus.store import DiskRefused, EmbeddedStore, StoreError
from nautilus.testing import make_trade
from tests.store.records import RECORD_TYPES, Placed

directory = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", directory], check=True)

def rows(number):
    rng = np.random.default_rng(number)
    return {"ts_event": np.arange(1000), "price": rng.integers(0, 2**62, 1000)}

def fill():
    with open(directory / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC

def refused(error, name):
    text = str(error)
    assert str(directory / "store" / name) in text and "(ENOSPC)" in text and "free space" in text, text

async def main():
    store = EmbeddedStore(directory / "store", record_types=RECORD_TYPES)
    await store.open()
    store.journal.append(Placed("before", 1))
    await store.catalog.write("trade", "A.X", rows(0))
    recorder = Recorder(store.catalog, 100)
    for _ in range(3):
        recorder.record("trade", make_trade())
    fill()
    appended = store.journal.last_sequence
    try:
        while True:
            appended = store.journal.append(Placed("x" * 1000, 1))
    except DiskRefused as error:
        refused(error, "journal")
    store.state.put("n", "k", bytes(100_000))
    try:
        await store.state.flush()
        raise AssertionError("the state took it")
    except StoreError as error:
        refused(error, "state.sqlite")
    assert store.state.get("n", "k") == bytes(100_000)
    try:
        await store.catalog.write("trade", "A.X", rows(1))
        raise AssertionError("the catalog took it")
    except DiskRefused as error:
        refused(error, "catalog")
    await recorder.flush()
    assert "No space left" in recorder.failure and recorder.waiting == 3 and recorder.written == 0
    assert store.catalog.refused_writes == 2
    assert store.catalog.read("trade", "A.X").collect().height == 1000
    assert list(directory.rglob("*.writing")) == []
    assert len(store.problems()) == 3, store.problems()
    (directory / "filler").unlink()
    assert store.journal.append(Placed("after", 2)) == appended + 1
    await store.journal.flush()
    await store.state.flush()
    await store.catalog.write("trade", "A.X", rows(1))
    await recorder.flush()
    assert recorder.failure == "" and recorder.written == 3
    assert store.problems() == [], store.problems()
    await store.close()
    again = EmbeddedStore(directory / "store", record_types=RECORD_TYPES)
    report = await again.open()
    assert (report.cut_bytes, report.last_sequence) == (0, appended + 1)
    assert [record for _, record in again.journal.replay(appended)] == [Placed("after", 2)]
    assert again.state.get("n", "k") == bytes(100_000)
    assert again.catalog.read("trade", "A.X").collect().height == 2000
    await again.close()

asyncio.run(main())
print("done")
"""


async def test_a_full_disk_is_refused_in_clear_words_and_everything_goes_on_when_there_is_room(
    tmp_path: Path, own_mounts: list[str]
) -> None:
    done = await asyncio.to_thread(python, FULL, tmp_path, prefix=own_mounts)
    assert done.stdout == "done\n", done.stderr


READ_ONLY = """
import asyncio, subprocess, sys
from pathlib import Path
import numpy as np
from nautilus.store import DiskRefused, EmbeddedStore
from nautilus.store.catalog import ParquetCatalog

directory = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", directory], check=True)

async def main():
    store = EmbeddedStore(directory / "store")
    await store.open()
    await store.catalog.write("trade", "A.X", {"ts_event": np.arange(10)})
    await store.close()
    subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
    try:
        await EmbeddedStore(directory / "store").open()
        raise AssertionError("it opened")
    except DiskRefused as error:
        text = str(error)
        assert str(directory / "store") in text and "(EROFS)" in text and "mount the file system" in text, text
    assert ParquetCatalog(directory / "store" / "catalog").read("trade", "A.X").collect().height == 10

asyncio.run(main())
print("done")
"""


async def test_a_read_only_disk_is_named_and_can_still_be_read(tmp_path: Path, own_mounts: list[str]) -> None:
    done = await asyncio.to_thread(python, READ_ONLY, tmp_path, prefix=own_mounts)
    assert done.stdout == "done\n", done.stderr


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
import numpy as np
from nautilus.store import DiskRefused
from nautilus.store.catalog import ParquetCatalog

async def main():
    catalog = ParquetCatalog(Path(sys.argv[1]))
    catalog.open()
    rows = {"ts_event": np.arange(100_000), "x": np.random.default_rng(1).integers(0, 2**62, 100_000)}
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        await catalog.write("trade", "A.X", rows)
        raise AssertionError("it was written")
    except DiskRefused as error:
        assert "(EFBIG)" in str(error) and "ulimit -f" in str(error), error
    assert catalog.list() == [] and list(Path(sys.argv[1]).rglob("*.parquet*")) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for _ in range(2):
        await catalog.write("trade", "A.X", rows)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        await catalog.compact(before_ns=10**18)
        raise AssertionError("it was compacted")
    except DiskRefused as error:
        assert "could not be compacted" in str(error) and "(EFBIG)" in str(error), error
    assert catalog.read("trade", "A.X").collect().height == 200_000
    assert list(Path(sys.argv[1]).rglob("*.writing")) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert (await catalog.compact(before_ns=10**18)).days == 1
    await catalog.stop()

asyncio.run(main())
print("done")
"""


async def test_a_limit_on_file_sizes_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    done = await asyncio.to_thread(python, LIMITED, tmp_path)
    assert done.stdout == "done\n", done.stderr


HOLDER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from nautilus.store import EmbeddedStore

async def main():
    store = EmbeddedStore(Path(sys.argv[1]))
    await store.open()
    await store.catalog.write("trade", "A.X", {"ts_event": np.arange(10)})
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the directory open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


async def test_the_second_process_on_a_directory_is_told_who_has_it_and_may_read(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    store = EmbeddedStore(tmp_path, record_types=RECORD_TYPES)
    with pytest.raises(StoreInUse, match=rf"{tmp_path} is in use .*process {holder.pid}.* stop it or choose another"):
        await store.open()
    catalog = ParquetCatalog(tmp_path / "catalog")
    frame = await asyncio.to_thread(lambda: catalog.read("trade", "A.X").collect())
    assert frame.height == 10
    holder.send_signal(signal.SIGKILL)
    await asyncio.to_thread(holder.wait)
    after = EmbeddedStore(tmp_path, record_types=RECORD_TYPES)
    await after.open()
    await after.close()


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[ParquetCatalog]:
    catalog = ParquetCatalog(tmp_path / "catalog")
    await asyncio.to_thread(catalog.open)
    yield catalog
    await catalog.stop()


async def read(catalog: ParquetCatalog) -> pl.DataFrame:
    return await asyncio.to_thread(lambda: catalog.read("trade", "A.X").collect())


def failing_at(real: Callable[..., Any], number: int, code: int) -> Callable[..., Any]:
    """The call, whose `number`-th time is refused by the system."""
    calls = 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(code, os.strerror(code))
        return real(*arguments)

    return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("step", ["sync_file", "sync_directory", "make_directory"])
async def test_rows_of_several_days_are_written_all_or_not_at_all(
    catalog: ParquetCatalog, tmp_path: Path, step: str, code: int
) -> None:
    await catalog.write("trade", "A.X", ticks([1]))
    before = await read(catalog)
    rows = ticks([2, DAY_NS + 2, 2 * DAY_NS + 2])
    refused = 0
    for number in range(1, 20):
        with pytest.MonkeyPatch.context() as patch:
            real = getattr(sys.modules["nautilus.store.part_files"], step)
            patch.setattr(f"nautilus.store.part_files.{step}", failing_at(real, number, code))
            (outcome,) = await asyncio.gather(catalog.write("trade", "A.X", rows), return_exceptions=True)
        if outcome is None:
            break
        assert isinstance(outcome, DiskRefused)
        refused += 1
        assert outcome.code == code
        assert str(tmp_path / "catalog") in str(outcome)
        assert catalog.problems() == [str(outcome)]
        assert (await read(catalog)).equals(before)
        assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*.writing"))) == []
    assert refused == catalog.refused_writes == number - 1 >= 3
    assert (await read(catalog)).height == 4
    assert catalog.problems() == []


async def test_a_merge_that_the_disk_refuses_is_a_problem_and_no_failed_write(
    catalog: ParquetCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MERGE_PARTS - 1):
        await catalog.write("trade", "A.X", ticks([number]))
    real = sys.modules["nautilus.store.part_files"].publish
    monkeypatch.setattr("nautilus.store.catalog.publish", failing_at(real, 2, errno.ENOSPC))
    await catalog.write("trade", "A.X", ticks([MERGE_PARTS]))
    assert "could not be merged: No space left on device" in catalog.problems()[0]
    assert (await read(catalog)).height == MERGE_PARTS
    await catalog.write("trade", "A.X", ticks([99]))
    assert catalog.problems() == []
    (entry,) = await asyncio.to_thread(catalog.list)
    assert (entry.rows, entry.files) == (MERGE_PARTS + 1, 1)


async def test_a_day_that_cannot_be_removed_stays_whole(
    catalog: ParquetCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalog.write("trade", "A.X", ticks([1, DAY_NS]))

    def refuse(path: Path, _: Path) -> Path:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(DiskRefused, match=r"1970-01-01 could not be removed: .*EROFS"):
            await catalog.prune(DAY_NS)
    assert (await read(catalog)).height == 2
    assert await catalog.prune(DAY_NS) == 1


async def test_a_day_half_removed_when_the_process_died_is_gone_at_the_next_start(
    catalog: ParquetCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalog.write("trade", "A.X", ticks([1, DAY_NS]))
    monkeypatch.setattr("nautilus.store.catalog.shutil.rmtree", failing_at(shutil.rmtree, 1, errno.EIO))
    with pytest.raises(DiskRefused):
        await catalog.prune(DAY_NS)
    assert (await read(catalog))["ts_event"].to_list() == [DAY_NS]
    again = ParquetCatalog(tmp_path / "catalog")
    await asyncio.to_thread(again.open)
    assert len(await asyncio.to_thread(lambda: list(tmp_path.glob("catalog/*/*/*")))) == 1
    await again.stop()


STREAMED = """
import asyncio, resource, sys
from pathlib import Path
import numpy as np
import polars as pl
from nautilus.store.catalog import ParquetCatalog

DAY, ROWS = 86_400_000_000_000, 400_000

async def main():
    catalog = ParquetCatalog(Path(sys.argv[1]))
    catalog.open()
    for day in range(16):
        for part in range(2):
            times = day * DAY + part + np.arange(ROWS) * 2
            await catalog.write("trade", "A.X", {"ts_event": times, "a": times, "b": times, "c": times})
    await catalog.stop()
    lazy = ParquetCatalog(Path(sys.argv[1])).read("trade", "A.X")
    lazy.head(10).collect(engine="streaming")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lazy.sink_csv("/dev/null")
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

asyncio.run(main())
"""


async def test_a_long_range_of_overlapping_files_is_streamed_in_little_memory(tmp_path: Path) -> None:
    done = await asyncio.to_thread(python, STREAMED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100, "MiB more for 390 MiB of rows"

"""A million ticks into the catalog and slices out of it, beside plain Polars on the same Parquet without our promises.

The catalog splits by day, names the file by its checksum and synchronises it before a write returns; the peer writes
and reads one file with Polars' defaults. A cold read compares the checksums of the files it needs, as a new process
does; a warm one has done so before. The page cache is warm in both.
"""

import asyncio
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.measure import alternate, spread
from nautilus.store.catalog import ParquetCatalog

ROWS = 1_000_000
INSTRUMENTS = 10
PARTS = 10_000
DAY_NS = 86_400_000_000_000
HOUR_NS = DAY_NS // 24
START_NS = 19_675 * DAY_NS  # 2023-11-14


def ticks(rows: int, seed: int) -> dict[str, np.ndarray]:
    """A day of trades of one instrument: int64 columns in order of time."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, DAY_NS, rows)) + START_NS
    return {
        "ts_event": time,
        "ts_init": time + rng.integers(1_000, 90_000, rows),
        "price_ticks": 10_000 + np.cumsum(rng.integers(-1, 2, rows)),
        "size_lots": rng.integers(1, 500, rows),
        "aggressor": rng.choice([-1, 1], rows),
        "trade_id": np.arange(rows),
    }


def show(title: str, found: dict[str, list[float]]) -> None:
    for name, times in found.items():
        print(f"{title:<44} {name:<24} {spread([1e3 * one for one in times])} ms")
    ours, theirs = (median(times) for times in found.values())
    print(f"{title:<44} ours over theirs {ours / theirs:.2f}")


def write_and_read(title: str, instruments: int, folder: Path) -> None:
    """A million rows of some instruments written, then a whole day and an hour of one of them read."""
    columns = [ticks(ROWS // instruments, seed) for seed in range(instruments)]
    catalog = ParquetCatalog(folder / "ours")
    catalog.open()
    loop = asyncio.new_event_loop()
    written = 0

    async def write_all() -> None:
        for number, one in enumerate(columns):
            await catalog.write(f"trade{written}", f"I{number}.X", one)

    def ours() -> None:
        nonlocal written
        written += 1
        loop.run_until_complete(write_all())

    def theirs() -> None:
        for number, one in enumerate(columns):
            pl.DataFrame(one).write_parquet(folder / f"I{number}.parquet")

    show(f"write 1 M ticks, {title}", alternate({"catalog": ours, "polars": theirs}))
    for what, start_ns, length_ns in (("whole day", START_NS, DAY_NS), ("an hour", START_NS + 12 * HOUR_NS, HOUR_NS)):
        between = (start_ns, start_ns + length_ns)

        def cold(between: tuple[int, int] = between) -> None:
            ParquetCatalog(folder / "ours").read("trade1", "I0.X", *between).collect()

        def warm(between: tuple[int, int] = between) -> None:
            catalog.read("trade1", "I0.X", *between).collect()

        def plain(between: tuple[int, int] = between) -> None:
            time = pl.col("ts_event")
            wanted = (time >= between[0]) & (time < between[1])
            pl.scan_parquet(folder / "I0.parquet").filter(wanted).collect()

        rows = catalog.read("trade1", "I0.X", *between).collect().height
        label = f"read {what} of one, {rows:,} rows"
        show(f"{label}, cold", alternate({"catalog": cold, "polars": plain}))
        show(f"{label}, warm", alternate({"catalog": warm, "polars": plain}))
    loop.run_until_complete(catalog.stop())
    loop.close()


def list_many(folder: Path) -> None:
    """Listing ten thousand parts, the first time and again."""
    source = ParquetCatalog(folder / "one")
    source.open()
    asyncio.run(source.write("trade", "A.X", ticks(10, 0)))
    (part,) = (folder / "one").glob("*/*/*/*.parquet")
    data = part.read_bytes()
    for number in range(PARTS):
        day = folder / "many" / "%74" / f"I{number % 40}.X" / str(np.datetime64(19_000 + number // 40, "D"))
        day.mkdir(parents=True)
        (day / part.name).write_bytes(data)
    catalog = ParquetCatalog(folder / "many")
    found = alternate({"first": lambda: ParquetCatalog(folder / "many").list(), "again": catalog.list}, rounds=5)
    for name, times in found.items():
        print(f"list {PARTS:,} parts of 40 instruments {name:<30} {spread([1e3 * one for one in times])} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for title, instruments in ((f"{INSTRUMENTS} instruments", INSTRUMENTS), ("1 instrument", 1)):
            part = Path(folder, str(instruments))
            part.mkdir()
            write_and_read(title, instruments, part)
        list_many(Path(folder))


if __name__ == "__main__":
    main()

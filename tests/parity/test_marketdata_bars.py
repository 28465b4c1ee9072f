"""Oracle: Polars group-bys over the same trades."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nautilus.engines.marketdata import BarRule, build_bars, find_days, read_day
from nautilus.model import BarColumns, TradeColumns

pytestmark = pytest.mark.parity
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def lobster_trades(shared_data: Path):
    path = shared_data / "lobster"
    if not path.is_dir():
        pytest.skip(f"no LOBSTER files at {path}")
    return read_day(find_days(path)[0]).trades()


@pytest.fixture(scope="module")
def made_trades():
    generator = np.random.default_rng(11)
    count = 20_000
    time = np.sort(generator.integers(0, 3600 * SECOND, count))
    time[::50] -= time[::50] % SECOND
    time = np.sort(time)
    price = 10_000 + np.cumsum(generator.integers(-2, 3, count))
    size = generator.integers(1, 2000, count)
    return TradeColumns("X.Y", price, size, generator.choice([-1, 0, 1], count), np.arange(count), time, time)


def _frame(trades):
    frame = pl.DataFrame(trades.arrays()).with_row_index("row")
    return frame.with_columns(before=pl.col("size_lots").cum_sum() - pl.col("size_lots"))


def _bars(frame, completed):
    """Group by `bar`; `lots` is what a trade gives to it."""
    return (
        frame.group_by("bar", maintain_order=True)
        .agg(
            open_ticks=pl.col("price_ticks").first(),
            high_ticks=pl.col("price_ticks").max(),
            low_ticks=pl.col("price_ticks").min(),
            close_ticks=pl.col("price_ticks").last(),
            volume_lots=pl.col("lots").sum(),
            buy_lots=pl.col("lots").filter(pl.col("aggressor") == 1).sum(),
            trade_count=pl.len(),
            first=pl.col("ts_event").first(),
            last=pl.col("ts_event").last(),
        )
        .filter(completed)
    )


def _check(ours: BarColumns, oracle: pl.DataFrame, ts_open, ts_event):
    assert len(ours) == oracle.height > 0
    for name in ("open_ticks", "high_ticks", "low_ticks", "close_ticks", "volume_lots", "buy_lots", "trade_count"):
        assert np.array_equal(getattr(ours, name), oracle[name].to_numpy()), name
    assert np.array_equal(ours.ts_open, ts_open)
    assert np.array_equal(ours.ts_event, ts_event)


@pytest.fixture(params=["lobster_trades", "made_trades"])
def trades(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("seconds", [1, 60, 3600])
def test_time_bars(trades, seconds):
    step = seconds * SECOND
    last = int(trades.ts_event[-1]) // step
    frame = _frame(trades).with_columns(bar=pl.col("ts_event") // step, lots=pl.col("size_lots"))
    ours, _ = build_bars(trades, BarRule.parse(f"{seconds}s"), until_ns=(last + 1) * step)
    oracle = _bars(frame, pl.lit(value=True))
    _check(ours, oracle, oracle["bar"].to_numpy() * step, (oracle["bar"].to_numpy() + 1) * step)


@pytest.mark.parametrize("count", [1, 7, 100])
def test_tick_bars(trades, count):
    frame = _frame(trades).with_columns(bar=pl.col("row") // count, lots=pl.col("size_lots"))
    oracle = _bars(frame, pl.col("trade_count") == count)
    _check(build_bars(trades, BarRule.parse(f"{count}t"))[0], oracle, oracle["first"], oracle["last"])


@pytest.mark.parametrize("volume", [37, 5000])
def test_volume_bars(trades, volume):
    after = pl.col("before") + pl.col("size_lots")
    pieces = (
        _frame(trades)
        .with_columns(bar=pl.int_ranges(pl.col("before") // volume, (after - 1) // volume + 1))
        .explode("bar")
        .with_columns(
            lots=pl.min_horizontal(after, (pl.col("bar") + 1) * volume)
            - pl.max_horizontal(pl.col("before"), pl.col("bar") * volume)
        )
    )
    oracle = _bars(pieces, pl.col("volume_lots") == volume)
    _check(build_bars(trades, BarRule.parse(f"{volume}v"))[0], oracle, oracle["first"], oracle["last"])

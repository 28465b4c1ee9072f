"""VPIN of a whole series of trades at once, the same numbers as trade by trade."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.vpin.buckets import pour, signed_buckets
from nautilus.engines.vpin.bulk_volume import buy_share, causal_buy_share, change_deviation
from nautilus.engines.vpin.settings import VpinSettings
from nautilus.engines.vpin.time_bars import price_changes, time_bars
from nautilus.engines.vpin.trade_sides import lee_ready, tick_rule
from nautilus.engines.vpin.vpin_series import empirical_cdf, rolling_vpin
from nautilus.errors import Invalid

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class VpinSeries:
    """Complete buckets and the VPIN after each, arrays of shape [buckets]; lots, nanoseconds.

    `vpin_signed` rests on the sides of single trades, `vpin_bulk` on bulk volume classification of the same volume;
    each `cdf` is the rank among the values so far. NaN where there are too few buckets.
    """

    bucket_lots: int
    buy_lots: Integers
    sell_lots: Integers
    bulk_buy_lots: Floats
    ts_open: Integers
    ts_close: Integers
    vpin_signed: Floats
    vpin_bulk: Floats
    cdf_signed: Floats
    cdf_bulk: Floats

    def __len__(self) -> int:
        return len(self.buy_lots)


def vpin_series(
    ts: Integers,
    price: Integers,
    size: Integers,
    aggressor: Integers,
    settings: VpinSettings,
    *,
    bid: Integers | None = None,
    ask: Integers | None = None,
) -> VpinSeries:
    """VPIN of trades in order of time, all arrays [trades]: nanoseconds, ticks, lots and sides (1, -1, 0).

    `bid` and `ask` [trades] in ticks are the quote in force at each trade; the side rule "lee_ready" needs them. Volume
    after the last full bucket is left out. Nothing looks ahead: row k is known when the bar of `ts_close[k]` closes.
    Raises Invalid where the arrays do not fit together.
    """
    for name, array in (("price", price), ("size", size), ("aggressor", aggressor)):
        if array.shape != ts.shape:
            raise Invalid(name, f"must have the shape {ts.shape} of ts")
    side = _signed(price, aggressor, settings, bid, ask)
    buy, sell, opened, filled = signed_buckets(ts, size, side, settings.bucket_lots)
    _, first, last, volume = time_bars(ts, price, size, settings.bar_interval_ns)
    share = causal_buy_share(price_changes(first, last, settings.price_change), settings.deviation_span)
    bulk, _ = pour(share, volume.astype(np.float64), float(settings.bucket_lots), len(buy))
    lots = np.full(len(buy), float(settings.bucket_lots))
    window, minimum = settings.window, settings.minimum_buckets
    signed = rolling_vpin(np.abs(buy - sell).astype(np.float64), lots, window, minimum)
    bulked = rolling_vpin(np.abs(2.0 * bulk - lots), lots, window, minimum)
    return VpinSeries(
        bucket_lots=settings.bucket_lots,
        buy_lots=buy,
        sell_lots=sell,
        bulk_buy_lots=bulk,
        ts_open=opened,
        ts_close=filled,
        vpin_signed=signed,
        vpin_bulk=bulked,
        cdf_signed=empirical_cdf(signed, settings.cdf_capacity),
        cdf_bulk=empirical_cdf(bulked, settings.cdf_capacity),
    )


def _signed(
    price: Integers, aggressor: Integers, settings: VpinSettings, bid: Integers | None, ask: Integers | None
) -> Integers:
    if settings.side_rule == "lee_ready":
        if bid is None or ask is None:
            raise Invalid("side_rule", "lee_ready needs the bid and ask in force at each trade")
        return lee_ready(price, bid, ask)
    if settings.side_rule == "tick":
        return tick_rule(price)
    return aggressor if aggressor.all() else np.where(aggressor != 0, aggressor, tick_rule(price))


@dataclass(frozen=True, slots=True)
class SampleVpin:
    """VPIN of a closed sample: bucket volume (lots, a fraction), and arrays [buckets]; NaN before the first window.

    `duration` is the time a bucket took in seconds, days without trades left out; volume is taken to be traded evenly
    within each bar.
    """

    bucket_volume: float
    days: int
    deviation: float
    buy_volume: Floats
    sell_volume: Floats
    duration: Floats
    vpin: Floats


def sample_vpin(
    ts: Integers,
    price: Integers,
    size: Integers,
    *,
    bar_interval_ns: int = 60_000_000_000,
    buckets_per_day: int = 50,
    window: int = 50,
) -> SampleVpin:
    """VPIN as published for research: bucket = average daily volume / n, bulk deviation over the entire sample.

    Both look ahead, so this is for studies; `vpin_series` is what could have been known at the time. Bars without
    trades on days with trades, between the first and the last bar, count as price changes of zero in the deviation.
    Arrays [trades] in order of time: nanoseconds, ticks, lots. Easley, Lopez de Prado and O'Hara (2012); the
    convention on bars is PINstimation's. Raises Invalid for fewer than two bars.
    """
    bar, first, last, volume = time_bars(ts, price, size, bar_interval_ns)
    days = _days_with_trades(ts)
    change = price_changes(first, last, "within")
    deviation = change_deviation(change, _bars_on_days(bar, days, bar_interval_ns) - bar.size)
    share = buy_share(change, deviation)
    buckets = buckets_per_day * days.size
    size_of_bucket = float(volume.sum()) / buckets
    buy, filled_by = pour(share, volume.astype(np.float64), size_of_bucket, buckets)
    duration = _durations(bar, volume, filled_by, size_of_bucket, bar_interval_ns, days)
    vpin = rolling_vpin(np.abs(2.0 * buy - size_of_bucket), np.full(buckets, size_of_bucket), window, window)
    return SampleVpin(size_of_bucket, int(days.size), deviation, buy, size_of_bucket - buy, duration, vpin)


def _durations(
    bar: Integers, volume: Integers, filled_by: Integers, bucket_volume: float, interval_ns: int, days: Integers
) -> Floats:
    """Seconds between the moments at which buckets filled, the first counted from the first bar's start."""
    before = (np.cumsum(volume) - volume)[filled_by]
    part = (bucket_volume * np.arange(1, filled_by.size + 1) - before) / volume[filled_by]
    filled = (bar[filled_by] + np.clip(part, 0.0, 1.0)) * (interval_ns / 1e9)
    day = filled // (DAY_NS / 1e9)
    idle_days = day - days[0] - np.searchsorted(days, day)
    return np.diff(filled - idle_days * (DAY_NS / 1e9), prepend=bar[0] * (interval_ns / 1e9))


def _days_with_trades(ts: Integers) -> Integers:
    days = np.arange(ts[0] // DAY_NS, ts[-1] // DAY_NS + 2)
    return days[:-1][np.diff(np.searchsorted(ts, days * DAY_NS)) > 0]


def _bars_on_days(bar: Integers, days: Integers, interval_ns: int) -> int:
    begin = np.maximum(-(-days * DAY_NS // interval_ns), bar[0])
    end = np.minimum(-(-(days + 1) * DAY_NS // interval_ns), bar[-1] + 1)
    return int((end - begin).sum())

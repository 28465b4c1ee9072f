"""Trades gathered into time bars on the grid of the epoch, and the price change of each bar."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
PriceChange = Literal["between", "within"]


def _time_bars_reference(
    ts: Integers, price: Integers, size: Integers, interval: int
) -> tuple[Integers, Integers, Integers, Integers]:
    index = np.maximum.accumulate(ts // interval)
    bar, start = np.unique(index, return_index=True)
    end = np.append(start[1:], len(ts))
    volume = np.add.reduceat(size, start) if len(ts) else size
    return bar, price[start], price[end - 1], volume


@kernel(
    reference=_time_bars_reference,
    example=lambda: (np.array([0, 5, 12]), np.array([10, 11, 12]), np.array([1, 2, 3]), 10),
)
def time_bars(
    ts: Integers, price: Integers, size: Integers, interval: int
) -> tuple[Integers, Integers, Integers, Integers]:
    """Bars that contain trades: (bar number = floor(ts / interval), first price, last price, volume), each [bars].

    `ts` [trades] and `interval` in nanoseconds, `price` in ticks, `size` in lots. A trade stamped earlier than the bar
    that is open is counted in the open bar: bars never reopen.

    >>> time_bars(np.array([0, 5, 12]), np.array([10, 11, 12]), np.array([1, 2, 3]), 10)
    (array([0, 1]), array([10, 12]), array([11, 12]), array([3, 3]))
    """
    trades = ts.size
    bar = np.empty(trades, dtype=np.int64)
    first = np.empty(trades, dtype=np.int64)
    last = np.empty(trades, dtype=np.int64)
    volume = np.empty(trades, dtype=np.int64)
    bars = 0
    end = np.int64(0)
    total = np.int64(0)
    for i in range(trades):
        if bars == 0 or ts[i] >= end:
            if bars > 0:
                last[bars - 1] = price[i - 1]
                volume[bars - 1] = total
            number = ts[i] // interval
            end = (number + 1) * interval
            bar[bars] = number
            first[bars] = price[i]
            total = np.int64(0)
            bars += 1
        total += size[i]
    if bars > 0:
        last[bars - 1] = price[trades - 1]
        volume[bars - 1] = total
    return bar[:bars].copy(), first[:bars].copy(), last[:bars].copy(), volume[:bars].copy()


def price_changes(first: Integers, last: Integers, rule: PriceChange) -> Floats:
    """Price change of each bar, [bars], in ticks.

    "between": last price against the last price of the bar before (Easley, Lopez de Prado and O'Hara 2012; the first
    bar against its own first price). "within": last price against the bar's own first price (PINstimation).

    >>> price_changes(np.array([10, 13]), np.array([11, 15]), "between")
    array([1., 4.])
    """
    if rule == "within":
        return (last - first).astype(np.float64)
    before = np.concatenate((first[:1], last[:-1]))
    return (last - before).astype(np.float64)

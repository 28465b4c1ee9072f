"""Equal-volume buckets: trades or bars poured in order, split exactly at every edge."""

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def _signed_buckets_reference(
    ts: Integers, size: Integers, side: Integers, bucket_lots: int
) -> tuple[Integers, Integers, Integers, Integers]:
    trade_of_lot = np.repeat(np.arange(len(size)), size)
    count = len(trade_of_lot) // bucket_lots
    lots = trade_of_lot[: count * bucket_lots].reshape(count, bucket_lots)
    sides = side[lots]
    return (sides > 0).sum(axis=1), (sides < 0).sum(axis=1), ts[lots[:, 0]], ts[lots[:, -1]]


@kernel(
    reference=_signed_buckets_reference,
    example=lambda: (np.array([1, 2, 3]), np.array([4, 1, 5]), np.array([1, -1, 0]), 3),
)
def signed_buckets(
    ts: Integers, size: Integers, side: Integers, bucket_lots: int
) -> tuple[Integers, Integers, Integers, Integers]:
    """Complete buckets of exactly `bucket_lots`: (buy lots, sell lots, time opened, time filled), each [buckets].

    `ts` [trades], `size` in lots (>= 0), `side` 1, -1 or 0. A trade of side 0 fills the bucket and is on neither side,
    so that buy + sell may be less than the bucket. A trade that crosses edges is split exactly over all it fills.

    >>> signed_buckets(np.array([1, 2]), np.array([4, 3]), np.array([1, -1]), 3)
    (array([3, 1]), array([0, 2]), array([1, 1]), array([1, 2]))
    """
    total = np.int64(0)
    for i in range(size.size):
        total += size[i]
    count = total // bucket_lots
    buy = np.empty(count, dtype=np.int64)
    sell = np.empty(count, dtype=np.int64)
    opened = np.empty(count, dtype=np.int64)
    filled = np.empty(count, dtype=np.int64)
    k = 0
    room = np.int64(bucket_lots)
    net = np.int64(0)
    known = np.int64(0)
    start = ts[0] if ts.size else np.int64(0)
    for i in range(size.size):
        left = size[i]
        sign = side[i]
        if room == bucket_lots:
            start = ts[i]
        while left >= room and k < count:
            net += sign * room
            known += sign * sign * room
            buy[k] = (known + net) // 2
            sell[k] = (known - net) // 2
            opened[k] = start
            filled[k] = ts[i]
            k += 1
            left -= room
            room = np.int64(bucket_lots)
            net = np.int64(0)
            known = np.int64(0)
            start = ts[i]
        net += sign * left
        known += sign * sign * left
        room -= left
    return buy, sell, opened, filled


def _pour_reference(share: Floats, volume: Floats, bucket_volume: float, count: int) -> tuple[Floats, Integers]:
    ends = np.cumsum(volume)
    edges = bucket_volume * np.arange(1, count + 1)
    overlap = np.minimum(ends, edges[:, None]) - np.maximum(ends - volume, edges[:, None] - bucket_volume)
    return np.maximum(overlap, 0.0) @ share, np.minimum(np.searchsorted(ends, edges), len(volume) - 1)


@kernel(reference=_pour_reference, example=lambda: (np.array([0.5, 0.75]), np.array([4.0, 2.0]), 3.0, 2))
def pour(share: Floats, volume: Floats, bucket_volume: float, count: int) -> tuple[Floats, Integers]:
    """Buy volume of the first `count` buckets and the bar that filled each, both [buckets].

    `share` [bars] is the buyers' share of each bar's `volume`. Whole volumes (below 2**53) are split exactly; where
    `bucket_volume` is a fraction, a bucket within 1e-10 of full is full.

    >>> pour(np.array([1.0, 0.0]), np.array([4.0, 2.0]), 3.0, 2)
    (array([3., 1.]), array([0, 1]))
    """
    buy = np.zeros(count)
    filled_by = np.zeros(count, dtype=np.int64)
    tolerance = min(0.5, 1e-10 * bucket_volume)
    k = 0
    room = bucket_volume
    for i in range(volume.size):
        left = volume[i]
        while k < count and left >= room - tolerance:
            part = min(left, room)
            buy[k] += part * share[i]
            filled_by[k] = i
            left -= part
            room = bucket_volume
            k += 1
        if k == count:
            break
        buy[k] += left * share[i]
        room -= left
    return buy, filled_by

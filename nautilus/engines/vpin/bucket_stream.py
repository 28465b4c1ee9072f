"""Volume buckets trade by trade: constant work a trade, the same buckets as the batch kernels to the last bit."""

import math
from collections import deque
from typing import Any

import msgspec

from nautilus.engines.vpin.settings import VpinSettings
from nautilus.errors import Invalid

MAX_WAITING_BUCKETS = 100_000
_SQRT_HALF = math.sqrt(0.5)
_BEFORE_TIME = -(1 << 63)


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """A complete bucket of `lots`. Sides of single trades and the bulk estimate stand beside each other.

    `buy_lots + sell_lots` falls short of `lots` where the side of a trade could not be told. `fed_lots` are those whose
    side the feed named. `ts_open` and `ts_close` are the times of its first and last trade.
    """

    index: int
    lots: int
    buy_lots: int
    sell_lots: int
    bulk_buy_lots: float
    fed_lots: int
    ts_open: int
    ts_close: int

    @property
    def signed_imbalance(self) -> int:
        """|buy - sell| by the sides of single trades, in lots."""
        return abs(self.buy_lots - self.sell_lots)

    @property
    def bulk_imbalance(self) -> float:
        """|buy - sell| by bulk classification, in lots."""
        return abs(2.0 * self.bulk_buy_lots - self.lots)


class BucketStream:
    """Pours trades into buckets. A bucket is handed out when it is full and the time bar of its last trade has closed.

    Until then its bulk split is not known: the bar's price change is what decides it.

    >>> stream = BucketStream(VpinSettings(bucket_lots=3, bar_interval_ns=10))
    >>> stream.on_trade(1, 100, 4, 1), stream.on_trade(2, 101, 1, -1)
    (None, None)
    >>> stream.on_trade(11, 101, 1, -1)
    [Bucket(index=0, lots=3, buy_lots=3, sell_lots=0, bulk_buy_lots=1.5, fed_lots=3, ts_open=1, ts_close=1)]
    """

    __slots__ = (
        "_bar_end",
        "_bar_first",
        "_bar_open",
        "_bar_volume",
        "_bars",
        "_bulk_buy",
        "_bulk_filled",
        "_buy",
        "_direction",
        "_fed",
        "_index",
        "_interval",
        "_last_price",
        "_lots",
        "_mean",
        "_midpoint_twice",
        "_next_lots",
        "_opened",
        "_previous_last",
        "_room",
        "_rule",
        "_sell",
        "_span",
        "_variance",
        "_waiting",
        "_within",
    )

    def __init__(self, settings: VpinSettings) -> None:
        self._interval = settings.bar_interval_ns
        self._within = settings.price_change == "within"
        self._rule = settings.side_rule
        self._span = settings.deviation_span
        self._lots = self._next_lots = self._room = settings.bucket_lots
        self._index = self._buy = self._sell = self._fed = self._opened = 0
        self._waiting: deque[tuple[int, int, int, int, int, int, int]] = deque()
        self._last_price = self._direction = self._midpoint_twice = 0
        self._bar_end = _BEFORE_TIME
        self._bar_first = self._bar_volume = self._bars = self._previous_last = 0
        self._bar_open = False
        self._mean = self._variance = self._bulk_buy = 0.0
        self._bulk_filled = 0

    def on_quote(self, bid_ticks: int, ask_ticks: int) -> None:
        """Note the quote in force; a side of 0 or less is missing. Only the rule "lee_ready" looks at it."""
        self._midpoint_twice = bid_ticks + ask_ticks if bid_ticks > 0 and ask_ticks > 0 else 0

    def on_trade(self, ts: int, price: int, size: int, side: int) -> list[Bucket] | None:
        """Take a trade (ns, ticks, lots, side 1, -1 or 0) and return the buckets it has made known, None for none."""
        if size >= self._room and size // self._next_lots + len(self._waiting) > MAX_WAITING_BUCKETS:
            raise Invalid("size_lots", f"{size} lots would fill more than {MAX_WAITING_BUCKETS} buckets at once")
        done = self._turn_bar(ts, price) if ts >= self._bar_end else None
        if price != self._last_price:
            self._direction = 1 if price > self._last_price else -1
            self._last_price = price
        fed = side
        if not side or self._rule != "feed":
            side = self._direction
            if self._rule == "lee_ready" and self._midpoint_twice and 2 * price != self._midpoint_twice:
                side = 1 if 2 * price > self._midpoint_twice else -1
        self._bar_volume += size
        if self._room == self._lots:
            self._opened = ts
        if size >= self._room:
            size = self._fill(ts, size, side, fed)
        if side > 0:
            self._buy += size
        elif side < 0:
            self._sell += size
        if fed:
            self._fed += size
        self._room -= size
        return done

    def _fill(self, ts: int, left: int, side: int, fed: int) -> int:
        while left >= self._room:
            part = self._room
            buy = self._buy + (part if side > 0 else 0)
            sell = self._sell + (part if side < 0 else 0)
            known = self._fed + (part if fed else 0)
            self._waiting.append((self._index, self._lots, buy, sell, known, self._opened, ts))
            left -= part
            self._index += 1
            self._buy = self._sell = self._fed = 0
            self._lots = self._room = self._next_lots
            self._opened = ts
        return left

    def _turn_bar(self, ts: int, price: int) -> list[Bucket] | None:
        done = self._close_bar() if self._bar_open else None
        if not self._bars:
            self._last_price = price
        self._previous_last = self._last_price
        self._bar_open = True
        self._bar_end = (ts // self._interval + 1) * self._interval
        self._bar_first = price
        return done

    def _close_bar(self) -> list[Bucket] | None:
        change = float(self._last_price - (self._bar_first if self._within else self._previous_last))
        self._bars += 1
        weight = 1.0 / min(self._bars, self._span)
        offset = change - self._mean
        self._mean += weight * offset
        self._variance = (1.0 - weight) * (self._variance + weight * offset * offset)
        share = 0.5
        if self._variance > 0.0:
            share = 0.5 * math.erfc(-_SQRT_HALF * (change / math.sqrt(self._variance)))
        volume, self._bar_volume = self._bar_volume, 0
        done: list[Bucket] = []
        while self._waiting:
            index, lots, buy, sell, fed, opened, closed = self._waiting.popleft()
            part = lots - self._bulk_filled
            bulk = self._bulk_buy + part * share
            done.append(Bucket(index, lots, buy, sell, bulk, fed, opened, closed))
            volume -= part
            self._bulk_buy, self._bulk_filled = 0.0, 0
        self._bulk_buy += volume * share
        self._bulk_filled += volume
        return done or None

    def close_bar(self) -> list[Bucket]:
        """End the open bar now, as at the end of the data; what trades next opens another."""
        done = self._close_bar() if self._bar_open else None
        self._bar_open = False
        self._bar_end = _BEFORE_TIME
        return done or []

    def advance(self, ts: int) -> list[Bucket]:
        """Close the open bar if it has ended by `ts`, without waiting for the next trade."""
        return self.close_bar() if self._bar_open and ts >= self._bar_end else []

    def resize(self, bucket_lots: int) -> None:
        """Change the bucket from the next one on; the one being filled keeps its size."""
        if bucket_lots < 1:
            raise Invalid("bucket_lots", f"must be at least 1, not {bucket_lots}")
        self._next_lots = bucket_lots

    @property
    def filling(self) -> tuple[int, int, int, int, int, int]:
        """The bucket being filled: index, lots, filled lots, buy lots, sell lots, time opened (0: nothing in it)."""
        filled = self._lots - self._room
        return self._index, self._lots, filled, self._buy, self._sell, self._opened if filled else 0

    @property
    def waiting(self) -> int:
        """Full buckets whose last bar has not closed."""
        return len(self._waiting)

    def state(self) -> dict[str, Any]:
        """Everything that changes as trades come, as plain values; `restore` takes it back."""
        names = (name for name in self.__slots__ if name not in _SETTINGS)
        values = {name.removeprefix("_"): getattr(self, name) for name in names}
        values["waiting"] = list(self._waiting)
        return values

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        for name, value in state.items():
            setattr(self, f"_{name}", value)
        self._waiting = deque(tuple(row) for row in state["waiting"])


_SETTINGS = frozenset({"_interval", "_rule", "_span", "_within"})

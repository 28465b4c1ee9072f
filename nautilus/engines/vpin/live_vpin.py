"""The live VPIN of one instrument: chooses the bucket, judges every point, keeps the last ones."""

from collections import deque
from itertools import islice
from typing import Any

import msgspec

from nautilus.engines.vpin.bucket_stream import Bucket
from nautilus.engines.vpin.estimator import VpinEstimator, VpinPoint
from nautilus.engines.vpin.models import SECOND_NS, BucketFill, InstrumentSettings, VpinConfig, VpinRow, VpinState
from nautilus.engines.vpin.toxicity import LEVELS, ToxicityLevel, next_level, severity
from nautilus.errors import NotReady
from nautilus.model.market import Trade

WARMUP_TRADES = 2000


class AgainstFeed(msgspec.Struct):
    """Lots of all buckets so far: those whose side the feed named, and how many of them bulk volume puts elsewhere."""

    lots: int = 0
    fed_lots: int = 0
    compared_lots: int = 0
    misplaced_lots: float = 0.0

    def add(self, bucket: Bucket) -> None:
        """Count a bucket; only one whose sides are all named is compared."""
        self.lots += bucket.lots
        self.fed_lots += bucket.fed_lots
        if bucket.fed_lots == bucket.lots:
            self.compared_lots += bucket.lots
            self.misplaced_lots += abs(bucket.bulk_buy_lots - bucket.buy_lots)

    @property
    def accuracy(self) -> float | None:
        """Share of the compared lots that bulk volume puts on the side that the feed named; None without any."""
        return 1.0 - self.misplaced_lots / self.compared_lots if self.compared_lots else None

    @property
    def share(self) -> float:
        """Share of the lots whose side the feed named."""
        return self.fed_lots / self.lots if self.lots else 0.0


class LiveVpin:
    """Trades of one instrument in, points with their level out.

    Until the size of a bucket is known, trades wait, at most `WARMUP_TRADES`; then they are poured in, so none is lost.
    """

    def __init__(self, instrument_id: str, config: VpinConfig, settings: InstrumentSettings) -> None:
        self.instrument_id = instrument_id
        self.config = config
        self.settings = settings
        self.level: ToxicityLevel = "unknown"
        self.history: deque[tuple[VpinPoint, ToxicityLevel]] = deque(maxlen=config.history)
        self._estimator: VpinEstimator | None = None
        self._early: list[tuple[int, int, int, int]] = []
        self._early_lots = 0
        self._since_lots = 0
        self._resize_at = 0
        self._resized_at = 0
        self._quote = (0, 0)
        self._feed = AgainstFeed()
        if settings.bucket_lots:
            self._estimator = VpinEstimator(config.settings(settings.bucket_lots))

    # -- market data ---------------------------------------------------------------------------------------------

    def on_quote(self, bid_ticks: int, ask_ticks: int) -> None:
        """The quote in force."""
        self._quote = (bid_ticks, ask_ticks)
        if self._estimator is not None:
            self._estimator.stream.on_quote(bid_ticks, ask_ticks)

    def on_trade(self, trade: Trade) -> "list[VpinPoint] | tuple[()]":
        """Take a trade and return the points it has made known."""
        estimator = self._estimator
        if estimator is None:
            return self._warm_up(trade)
        points = estimator.on_trade(trade.ts_event, trade.price_ticks, trade.size_lots, trade.aggressor)
        self._since_lots += trade.size_lots
        if trade.ts_event >= self._resize_at:
            self._follow_volume(trade.ts_event)
        return points

    def advance(self, ts: int) -> "list[VpinPoint] | tuple[()]":
        """Points known because a time bar has ended by `ts`."""
        return () if self._estimator is None else self._estimator.advance(ts)

    def _warm_up(self, trade: Trade) -> "list[VpinPoint] | tuple[()]":
        row = (trade.ts_event, trade.price_ticks, trade.size_lots, int(trade.aggressor))
        self._early.append(row)
        self._early_lots += trade.size_lots
        elapsed = trade.ts_event - self._early[0][0]
        if elapsed < self.config.warmup_seconds * SECOND_NS and len(self._early) < WARMUP_TRADES:
            return ()
        estimator = VpinEstimator(self.config.settings(self._adapted(self._early_lots, elapsed)))
        estimator.stream.on_quote(*self._quote)
        points = [point for early in self._early for point in estimator.on_trade(*early)]
        self._estimator = estimator
        self._early, self._early_lots, self._since_lots = [], 0, 0
        self._begin_period(trade.ts_event)
        return points

    def _adapted(self, lots: int, elapsed_ns: int) -> int:
        seconds = max(elapsed_ns / SECOND_NS, 1e-3)
        return max(1, min(1_000_000_000, round(lots / seconds * self.config.bucket_seconds)))

    def _begin_period(self, ts: int) -> None:
        self._since_lots = 0
        self._resized_at = ts
        self._resize_at = ts + round(self.config.resize_seconds * SECOND_NS)

    def _follow_volume(self, ts: int) -> None:
        """Choose the size anew; a period broken by a pause such as a night says nothing about the rate of trading."""
        elapsed = ts - self._resized_at
        unbroken = self._resized_at and elapsed < 2 * self.config.resize_seconds * SECOND_NS
        if self._estimator is not None and not self.settings.bucket_lots and unbroken and self._since_lots:
            self._estimator.stream.resize(self._adapted(self._since_lots, elapsed))
        self._begin_period(ts)

    def configure(self, settings: InstrumentSettings) -> None:
        """Use other settings; a fixed bucket holds from the next one on."""
        self.settings = settings
        if not settings.bucket_lots:
            return
        if self._estimator is None:
            self._estimator = VpinEstimator(self.config.settings(settings.bucket_lots))
            self._early, self._early_lots = [], 0
        else:
            self._estimator.stream.resize(settings.bucket_lots)

    # -- judging -------------------------------------------------------------------------------------------------

    def headline(self, point: VpinPoint) -> tuple[float | None, float | None]:
        """(VPIN, percentile) of the classification that is published."""
        if self.config.classification == "bulk":
            return point.vpin_bulk, point.cdf_bulk
        return point.vpin_signed, point.cdf_signed

    def judge(self, point: VpinPoint) -> ToxicityLevel:
        """Move the level with a new point and keep it."""
        vpin, cdf = self.headline(point)
        score = cdf if self.config.level_on == "cdf" else vpin
        thresholds = self.settings.thresholds
        self.level = next_level(self.level, score, thresholds.bounds, thresholds.margin)
        self.history.append((point, self.level))
        self._feed.add(point.bucket)
        return self.level

    @property
    def alert_active(self) -> bool:
        """Whether the level is one to be alarmed at."""
        return severity(self.level) >= LEVELS.index(self.config.alert_level)

    # -- answers -------------------------------------------------------------------------------------------------

    def state(self) -> VpinState:
        """What is known now; raises NotReady before the first bucket."""
        if self._estimator is None:
            raise NotReady(f"{len(self._early)} trades of {self.instrument_id} so far: its volume is being observed")
        if not self.history:
            raise NotReady(f"no volume bucket of {self.instrument_id} is complete yet")
        point = self.history[-1][0]
        vpin, cdf = self.headline(point)
        return VpinState(
            instrument_id=self.instrument_id,
            ts_event=point.bucket.ts_close,
            classification=self.config.classification,
            vpin=vpin,
            cdf=cdf,
            level=self.level,
            alert_active=self.alert_active,
            vpin_bulk=point.vpin_bulk,
            vpin_signed=point.vpin_signed,
            cdf_bulk=point.cdf_bulk,
            cdf_signed=point.cdf_signed,
            buckets=point.bucket.index + 1,
            window=self.config.window,
            bucket_lots=point.bucket.lots,
            bulk_accuracy=self._feed.accuracy,
            fed_share=self._feed.share,
        )

    def rows(self, limit: int) -> list[VpinRow]:
        """The last complete buckets, oldest first."""
        kept = islice(self.history, max(0, len(self.history) - limit), None)
        return [_row(point, level) for point, level in kept]

    def filling(self) -> BucketFill:
        """The bucket being filled; raises NotReady before its size is known."""
        if self._estimator is None:
            raise NotReady(f"{len(self._early)} trades of {self.instrument_id} so far: its volume is being observed")
        index, lots, filled, buy, sell, opened = self._estimator.stream.filling
        rate = self._lots_per_second()
        return BucketFill(
            instrument_id=self.instrument_id,
            bucket_index=index,
            bucket_lots=lots,
            filled_lots=filled,
            fill=filled / lots,
            buy_lots=buy,
            sell_lots=sell,
            ts_open=opened or None,
            waiting=self._estimator.stream.waiting,
            lots_per_second=rate,
            expected_seconds=(lots - filled) / rate if rate else None,
        )

    def _lots_per_second(self) -> float | None:
        recent = [point.bucket for point, _ in islice(self.history, max(0, len(self.history) - 10), None)]
        elapsed = recent[-1].ts_close - recent[0].ts_open if recent else 0
        return sum(bucket.lots for bucket in recent) * SECOND_NS / elapsed if elapsed > 0 else None

    # -- restart -------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any] | None:
        """What `restore` needs; None while the volume is being observed."""
        if self._estimator is None:
            return None
        return {
            "defined_by": msgspec.to_builtins(self._estimator.settings),
            "settings": msgspec.to_builtins(self.settings),
            "estimator": self._estimator.state(),
            "level": self.level,
            "last": msgspec.to_builtins(self.history[-1][0]) if self.history else None,
            "feed": msgspec.to_builtins(self._feed),
            "volume": (self._since_lots, self._resized_at, self._resize_at),
        }

    def restore(self, data: dict[str, Any]) -> bool:
        """Go on from a snapshot; False, and nothing changed, where it was made under other rules."""
        before = msgspec.convert(data["defined_by"], _Defined)
        settings = self.config.settings(before.bucket_lots)
        if msgspec.to_builtins(settings) != data["defined_by"]:
            return False
        self._estimator = VpinEstimator.restored(settings, data["estimator"])
        self.settings = msgspec.convert(data["settings"], InstrumentSettings)
        self.level = data["level"]
        self._feed = msgspec.convert(data["feed"], AgainstFeed)
        self._since_lots, self._resized_at, self._resize_at = data["volume"]
        if data["last"] is not None:
            self.history.append((msgspec.convert(data["last"], VpinPoint), self.level))
        return True


class _Defined(msgspec.Struct):
    bucket_lots: int


def _row(point: VpinPoint, level: ToxicityLevel) -> VpinRow:
    bucket = point.bucket
    return VpinRow(
        bucket_index=bucket.index,
        ts_open=bucket.ts_open,
        ts_close=bucket.ts_close,
        bucket_lots=bucket.lots,
        buy_lots=bucket.buy_lots,
        sell_lots=bucket.sell_lots,
        bulk_buy_lots=bucket.bulk_buy_lots,
        vpin_bulk=point.vpin_bulk,
        vpin_signed=point.vpin_signed,
        cdf_bulk=point.cdf_bulk,
        cdf_signed=point.cdf_signed,
        level=level,
    )

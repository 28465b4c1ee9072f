"""Configuration, requests and answers of the vpin engine."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.engines.vpin.settings import SignedRule, VpinSettings
from nautilus.engines.vpin.time_bars import PriceChange
from nautilus.engines.vpin.toxicity import ToxicityLevel
from nautilus.errors import Invalid

Classification = Literal["bulk", "signed"]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Lots = Annotated[int, Meta(ge=1, le=1_000_000_000)]
SECOND_NS = 1_000_000_000


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where levels begin, on the scale that `level_on` names, and how far below them they end."""

    elevated: Annotated[Share, Meta(description="Scores from here on are elevated.")] = 0.80
    high: Annotated[Share, Meta(description="Scores from here on are high.")] = 0.95
    extreme: Annotated[Share, Meta(description="Scores from here on are extreme.")] = 0.99
    margin: Annotated[Share, Meta(description="A level ends when the score is this far below its threshold.")] = 0.02

    def __post_init__(self) -> None:
        if not self.elevated <= self.high <= self.extreme:
            raise Invalid("thresholds", "must rise: elevated <= high <= extreme")

    @property
    def bounds(self) -> tuple[float, float, float]:
        """The three thresholds, rising."""
        return self.elevated, self.high, self.extreme


class VpinConfig(EngineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section `engines.vpin` of the configuration."""

    bucket_lots: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="Lots of a bucket; 0 adapts it to the volume of the instrument.")
    ] = 0
    bucket_seconds: Annotated[
        float, Meta(ge=0.1, le=86_400, description="An adapted bucket is what trades in so many seconds on average.")
    ] = 5.0
    warmup_seconds: Annotated[
        float, Meta(ge=0.1, le=86_400, description="Trading observed before the first size is chosen.")
    ] = 5.0
    resize_seconds: Annotated[
        float, Meta(ge=1, le=604_800, description="How often an adapted size follows the volume.")
    ] = 3600.0
    bar_seconds: Annotated[
        float, Meta(ge=0.001, le=86_400, description="Length of the time bars of bulk volume classification.")
    ] = 1.0
    window: Annotated[int, Meta(ge=1, le=10_000, description="Buckets in a VPIN.")] = 50
    minimum_buckets: Annotated[int, Meta(ge=1, le=10_000, description="Buckets before the first VPIN.")] = 10
    price_change: Annotated[PriceChange, Meta(description="Price change of a bar: between bars, or within it.")] = (
        "between"
    )
    side_rule: Annotated[
        SignedRule, Meta(description="How single trades are signed; feed falls back on the tick rule.")
    ] = "feed"
    classification: Annotated[Classification, Meta(description="Which VPIN is published and judged.")] = "bulk"
    deviation_span: Annotated[int, Meta(ge=2, le=1_000_000, description="Bars in the deviation of price changes.")] = (
        1000
    )
    cdf_capacity: Annotated[int, Meta(ge=1, le=100_000, description="VPINs in the empirical distribution.")] = 1000
    cdf_minimum: Annotated[int, Meta(ge=1, le=100_000, description="VPINs before the first percentile.")] = 30
    level_on: Annotated[
        Literal["cdf", "vpin"], Meta(description="Whether levels judge the percentile or VPIN itself.")
    ] = "cdf"
    thresholds: Thresholds = Thresholds()
    alert_level: Annotated[
        Literal["elevated", "high", "extreme"], Meta(description="From which level on alerts are active.")
    ] = "high"
    history: Annotated[int, Meta(ge=1, le=100_000, description="Buckets kept for each instrument.")] = 1000

    def __post_init__(self) -> None:
        self.settings(1)

    def settings(self, bucket_lots: int) -> VpinSettings:
        """The parameters of VPIN for a bucket; raises Invalid where they contradict one another."""
        return VpinSettings(
            bucket_lots=bucket_lots,
            bar_interval_ns=round(self.bar_seconds * SECOND_NS),
            window=self.window,
            minimum_buckets=self.minimum_buckets,
            price_change=self.price_change,
            side_rule=self.side_rule,
            deviation_span=self.deviation_span,
            cdf_capacity=self.cdf_capacity,
            cdf_minimum=self.cdf_minimum,
        )


class InstrumentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may differ from instrument to instrument."""

    bucket_lots: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    thresholds: Thresholds = Thresholds()


class VpinState(msgspec.Struct, frozen=True, kw_only=True):
    """Latest VPIN of one instrument, by bulk volume and by the sides of single trades.

    `vpin`, `cdf` and `level` are those of `classification`. `bulk_accuracy` is the share of the lots so far
    that bulk classification puts on the side that the feed named, `fed_share` the share whose side it named.
    """

    instrument_id: str
    ts_event: int
    classification: Classification
    vpin: float | None
    cdf: float | None
    level: ToxicityLevel
    alert_active: bool
    vpin_bulk: float | None
    vpin_signed: float | None
    cdf_bulk: float | None
    cdf_signed: float | None
    buckets: int
    window: int
    bucket_lots: int
    bulk_accuracy: float | None
    fed_share: float


class VpinRow(msgspec.Struct, frozen=True, kw_only=True):
    """One complete bucket and the VPIN after it; times in ns, volumes in lots."""

    bucket_index: int
    ts_open: int
    ts_close: int
    bucket_lots: int
    buy_lots: int
    sell_lots: int
    bulk_buy_lots: float
    vpin_bulk: float | None
    vpin_signed: float | None
    cdf_bulk: float | None
    cdf_signed: float | None
    level: ToxicityLevel


class BucketFill(msgspec.Struct, frozen=True, kw_only=True):
    """The bucket being filled. `waiting` buckets are full, but the time bar of their last trade is still open.

    `expected_seconds` is the volume missing at the rate of the last ten buckets.
    """

    instrument_id: str
    bucket_index: int
    bucket_lots: int
    filled_lots: int
    fill: float
    buy_lots: int
    sell_lots: int
    ts_open: int | None
    waiting: int
    lots_per_second: float | None
    expected_seconds: float | None


_Column = Meta(min_length=1, max_length=50_000)


class ComputeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trades in order of time, as columns of equal length; aggressor 1 buyer, -1 seller, 0 not known."""

    ts_event: Annotated[list[Annotated[int, Meta(ge=0, le=4_000_000_000_000_000_000)]], _Column]
    price_ticks: Annotated[list[Annotated[int, Meta(ge=1, le=1_000_000_000_000)]], _Column]
    size_lots: Annotated[list[Lots], _Column]
    aggressor: Annotated[list[Annotated[int, Meta(ge=-1, le=1)]], Meta(max_length=50_000)] = []
    bucket_lots: Lots
    bar_seconds: Annotated[float, Meta(ge=0.001, le=86_400)] = 60.0
    window: Annotated[int, Meta(ge=1, le=10_000)] = 50
    minimum_buckets: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    price_change: PriceChange = "between"
    side_rule: Literal["feed", "tick"] = "feed"


class ComputeResult(msgspec.Struct, frozen=True, kw_only=True):
    """VPIN after each complete bucket, as columns; None before the first window."""

    bucket_lots: int
    ts_close: list[int]
    buy_lots: list[int]
    sell_lots: list[int]
    bulk_buy_lots: list[float]
    vpin_bulk: list[float | None]
    vpin_signed: list[float | None]
    cdf_bulk: list[float | None]
    cdf_signed: list[float | None]

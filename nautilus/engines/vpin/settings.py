"""What defines a VPIN: the bucket, the bar, the window and the rules, shared by streaming and batch."""

from typing import Literal

import msgspec

from nautilus.engines.vpin.time_bars import PriceChange
from nautilus.errors import Invalid

SignedRule = Literal["feed", "tick", "lee_ready"]


class VpinSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of one VPIN; raises Invalid where they contradict one another.

    `side_rule` signs single trades: "feed" trusts the aggressor the feed names and falls back on the tick rule where it
    names none, "tick" and "lee_ready" ignore the feed. `deviation_span` is in bars, `cdf_capacity` in buckets.
    """

    bucket_lots: int
    bar_interval_ns: int = 60_000_000_000
    window: int = 50
    minimum_buckets: int = 50
    price_change: PriceChange = "between"
    side_rule: SignedRule = "feed"
    deviation_span: int = 1000
    cdf_capacity: int = 5000
    cdf_minimum: int = 50

    def __post_init__(self) -> None:
        for name in ("bucket_lots", "bar_interval_ns", "window", "minimum_buckets", "deviation_span", "cdf_capacity"):
            if getattr(self, name) < 1:
                raise Invalid(name, f"must be at least 1, not {getattr(self, name)}")
        if self.minimum_buckets > self.window:
            raise Invalid("minimum_buckets", f"must not exceed the window of {self.window} buckets")
        if self.deviation_span < 2:
            raise Invalid("deviation_span", "must be at least 2 bars")
        if not 1 <= self.cdf_minimum <= self.cdf_capacity:
            raise Invalid("cdf_minimum", f"must lie in [1, {self.cdf_capacity}]")

"""The VPIN of one instrument as its trades come: buckets, both classifications, their ranks, all in constant time."""

from typing import Any

import msgspec

from nautilus.engines.vpin.bucket_stream import Bucket, BucketStream
from nautilus.engines.vpin.settings import VpinSettings
from nautilus.engines.vpin.vpin_series import EmpiricalDistribution, RollingVpin


class VpinPoint(msgspec.Struct, frozen=True, gc=False):
    """VPIN after a bucket; None while buckets are too few. Each `cdf` is the rank among the values kept so far."""

    bucket: Bucket
    vpin_signed: float | None
    vpin_bulk: float | None
    cdf_signed: float | None
    cdf_bulk: float | None


class VpinEstimator:
    """Trades in, a `VpinPoint` for each bucket out.

    >>> estimator = VpinEstimator(VpinSettings(bucket_lots=2, bar_interval_ns=10, window=1, minimum_buckets=1))
    >>> estimator.on_trade(1, 100, 2, 1)
    ()
    >>> [point.vpin_signed for point in estimator.on_trade(11, 100, 2, -1)]
    [1.0]
    """

    __slots__ = ("_bulk", "_cdf_bulk", "_cdf_signed", "_signed", "settings", "stream")

    def __init__(self, settings: VpinSettings) -> None:
        self.settings = settings
        self.stream = BucketStream(settings)
        self._signed = RollingVpin(settings.window, settings.minimum_buckets)
        self._bulk = RollingVpin(settings.window, settings.minimum_buckets)
        self._cdf_signed = EmpiricalDistribution(settings.cdf_capacity)
        self._cdf_bulk = EmpiricalDistribution(settings.cdf_capacity)

    def on_trade(self, ts: int, price: int, size: int, side: int) -> "list[VpinPoint] | tuple[()]":
        """Take a trade (ns, ticks, lots, side) and return a point for each bucket that it has made known."""
        done = self.stream.on_trade(ts, price, size, side)
        return () if done is None else [self._point(bucket) for bucket in done]

    def advance(self, ts: int) -> list[VpinPoint]:
        """Points of the buckets that the end of a bar by `ts` has made known."""
        return [self._point(bucket) for bucket in self.stream.advance(ts)]

    def close_bar(self) -> list[VpinPoint]:
        """Points of the buckets known when the open bar ends now."""
        return [self._point(bucket) for bucket in self.stream.close_bar()]

    def _point(self, bucket: Bucket) -> VpinPoint:
        lots = float(bucket.lots)
        signed = self._signed.add(float(bucket.signed_imbalance), lots)
        bulk = self._bulk.add(bucket.bulk_imbalance, lots)
        return VpinPoint(bucket, signed, bulk, self._rank(self._cdf_signed, signed), self._rank(self._cdf_bulk, bulk))

    def _rank(self, distribution: EmpiricalDistribution, vpin: float | None) -> float | None:
        if vpin is None:
            return None
        rank = distribution.add(vpin)
        return rank if len(distribution) >= self.settings.cdf_minimum else None

    @property
    def vpin_signed(self) -> float | None:
        """VPIN by the sides of single trades, now."""
        return self._signed.value

    @property
    def vpin_bulk(self) -> float | None:
        """VPIN by bulk classification, now."""
        return self._bulk.value

    @property
    def buckets(self) -> int:
        """Buckets taken in, the first window included."""
        return self._bulk.count

    def state(self) -> dict[str, Any]:
        """All that changes as trades come, as plain values."""
        return {
            "stream": self.stream.state(),
            "signed": self._signed.state(),
            "bulk": self._bulk.state(),
            "cdf_signed": self._cdf_signed.values(),
            "cdf_bulk": self._cdf_bulk.values(),
        }

    @classmethod
    def restored(cls, settings: VpinSettings, state: dict[str, Any]) -> "VpinEstimator":
        """An estimator that goes on from `state` under `settings`."""
        estimator = cls(settings)
        window, minimum = settings.window, settings.minimum_buckets
        estimator.stream.restore(state["stream"])
        estimator._signed = RollingVpin.restored(window, minimum, state["signed"])
        estimator._bulk = RollingVpin.restored(window, minimum, state["bulk"])
        estimator._cdf_signed = EmpiricalDistribution(settings.cdf_capacity, state["cdf_signed"])
        estimator._cdf_bulk = EmpiricalDistribution(settings.cdf_capacity, state["cdf_bulk"])
        return estimator

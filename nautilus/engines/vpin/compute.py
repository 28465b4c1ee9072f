"""VPIN of the trades of a request, checked as a whole before anything is computed."""

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.vpin.batch import vpin_series
from nautilus.engines.vpin.models import SECOND_NS, ComputeRequest, ComputeResult
from nautilus.engines.vpin.settings import VpinSettings
from nautilus.errors import Invalid

MAX_BUCKETS = 10_000


def compute(request: ComputeRequest) -> ComputeResult:
    """VPIN of the request's trades; raises Invalid naming the field at fault."""
    ts, price, size = (
        np.array(column, dtype=np.int64) for column in (request.ts_event, request.price_ticks, request.size_lots)
    )
    aggressor = np.array(request.aggressor, dtype=np.int64) if request.aggressor else np.zeros(len(ts), dtype=np.int64)
    for name, column in (("price_ticks", price), ("size_lots", size), ("aggressor", aggressor)):
        if len(column) != len(ts):
            raise Invalid(name, f"must have {len(ts)} values like ts_event, not {len(column)}")
    if (np.diff(ts) < 0).any():
        raise Invalid("ts_event", "must not go back in time")
    if int(size.sum()) // request.bucket_lots > MAX_BUCKETS:
        raise Invalid("bucket_lots", f"would give more than {MAX_BUCKETS} buckets")
    settings = VpinSettings(
        bucket_lots=request.bucket_lots,
        bar_interval_ns=round(request.bar_seconds * SECOND_NS),
        window=request.window,
        minimum_buckets=request.minimum_buckets or request.window,
        price_change=request.price_change,
        side_rule=request.side_rule,
        cdf_capacity=MAX_BUCKETS,
        cdf_minimum=1,
    )
    series = vpin_series(ts, price, size, aggressor, settings)
    return ComputeResult(
        bucket_lots=request.bucket_lots,
        ts_close=series.ts_close.tolist(),
        buy_lots=series.buy_lots.tolist(),
        sell_lots=series.sell_lots.tolist(),
        bulk_buy_lots=series.bulk_buy_lots.tolist(),
        vpin_bulk=_defined(series.vpin_bulk),
        vpin_signed=_defined(series.vpin_signed),
        cdf_bulk=_defined(series.cdf_bulk),
        cdf_signed=_defined(series.cdf_signed),
    )


def _defined(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN

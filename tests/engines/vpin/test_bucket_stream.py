import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import BucketStream, VpinEstimator, VpinSettings, vpin_series
from nautilus.engines.vpin.bucket_stream import MAX_WAITING_BUCKETS
from nautilus.errors import Invalid

TRADE = st.tuples(st.integers(-3, 25), st.integers(-2, 2), st.integers(0, 40), st.sampled_from([-1, 0, 1]))
TRADES = st.lists(TRADE, min_size=1, max_size=60)


def series(steps):
    """Columns ts, price, size, side from steps of time and price."""
    ts = 1000 + np.cumsum([step for step, *_ in steps])
    price = 500 + np.cumsum([move for _, move, *_ in steps])
    return ts, price, np.array([s[2] for s in steps], dtype=np.int64), np.array([s[3] for s in steps], dtype=np.int64)


def settings(**changes):
    base = {"bucket_lots": 7, "bar_interval_ns": 10, "window": 4, "minimum_buckets": 2, "deviation_span": 5}
    return VpinSettings(**(base | {"cdf_capacity": 6, "cdf_minimum": 1} | changes))


@given(TRADES, st.integers(1, 30), st.sampled_from(["feed", "tick"]), st.sampled_from(["within", "between"]))
def test_streaming_equals_batch_to_the_last_bit(steps, bucket_lots, rule, change):
    chosen = settings(bucket_lots=bucket_lots, side_rule=rule, price_change=change)
    ts, price, size, side = series(steps)
    batch = vpin_series(ts, price, size, side, chosen)
    estimator = VpinEstimator(chosen)
    points = []
    for row in zip(ts.tolist(), price.tolist(), size.tolist(), side.tolist(), strict=True):
        points += estimator.on_trade(*row)
    points += estimator.close_bar()
    assert [p.bucket.buy_lots for p in points] == batch.buy_lots.tolist()
    assert [p.bucket.sell_lots for p in points] == batch.sell_lots.tolist()
    assert [p.bucket.bulk_buy_lots for p in points] == batch.bulk_buy_lots.tolist()
    assert [p.bucket.ts_open for p in points] == batch.ts_open.tolist()
    assert [p.bucket.ts_close for p in points] == batch.ts_close.tolist()
    assert [p.bucket.index for p in points] == list(range(len(batch)))
    for name in ("vpin_signed", "vpin_bulk", "cdf_signed", "cdf_bulk"):
        assert [getattr(p, name) for p in points] == _nones(getattr(batch, name)), name


def _nones(values):
    return [None if np.isnan(value) else value for value in values.tolist()]


@given(TRADES, st.lists(st.tuples(st.integers(0, 520), st.integers(0, 520)), min_size=60, max_size=60))
def test_lee_ready_streams_as_in_batch(steps, quotes):
    chosen = settings(side_rule="lee_ready")
    ts, price, size, side = series(steps)
    bid, ask = (np.array(column[: len(ts)], dtype=np.int64) for column in zip(*quotes, strict=True))
    batch = vpin_series(ts, price, size, side, chosen, bid=bid, ask=ask)
    stream, buckets = BucketStream(chosen), []
    for i in range(len(ts)):
        stream.on_quote(int(bid[i]), int(ask[i]))
        buckets += stream.on_trade(int(ts[i]), int(price[i]), int(size[i]), int(side[i])) or []
    buckets += stream.close_bar()
    assert [b.buy_lots for b in buckets] == batch.buy_lots.tolist()
    assert [b.sell_lots for b in buckets] == batch.sell_lots.tolist()


@given(TRADES, st.integers(0, 60))
def test_state_survives_a_restart_through_bytes(steps, cut):
    chosen = settings()
    rows = list(zip(*(column.tolist() for column in series(steps)), strict=True))
    whole, first = VpinEstimator(chosen), VpinEstimator(chosen)
    for row in rows[:cut]:
        whole.on_trade(*row)
        first.on_trade(*row)
    second = VpinEstimator.restored(chosen, msgspec.msgpack.decode(msgspec.msgpack.encode(first.state())))
    for row in rows[cut:]:
        assert list(second.on_trade(*row)) == list(whole.on_trade(*row))
    assert second.close_bar() == whole.close_bar()


@given(TRADES)
def test_no_lot_is_lost(steps):
    stream = BucketStream(settings(bucket_lots=5))
    ts, price, size, side = series(steps)
    buckets = []
    for row in zip(ts.tolist(), price.tolist(), size.tolist(), side.tolist(), strict=True):
        buckets += stream.on_trade(*row) or []
    buckets += stream.close_bar()
    _, _, filled, _, _, _ = stream.filling
    assert stream.waiting == 0
    assert 5 * len(buckets) + filled == size.sum()
    assert all(0 <= b.bulk_buy_lots <= 5 and b.buy_lots + b.sell_lots <= 5 and b.fed_lots <= 5 for b in buckets)


def test_a_bar_can_be_closed_by_the_clock():
    stream = BucketStream(settings())
    assert stream.on_trade(1001, 500, 7, 1) is None
    assert stream.advance(1009) == []
    assert [b.index for b in stream.advance(1010)] == [0]
    assert stream.advance(1020) == []
    assert stream.on_trade(1021, 501, 3, -1) is None
    assert stream.filling == (1, 7, 3, 0, 3, 1021)


def test_a_new_size_holds_from_the_next_bucket_on():
    stream = BucketStream(settings())
    stream.on_trade(1001, 500, 5, 1)
    stream.resize(3)
    stream.on_trade(1002, 500, 6, -1)
    buckets = stream.close_bar()
    assert [(b.lots, b.buy_lots, b.sell_lots) for b in buckets] == [(7, 5, 2), (3, 0, 3)]
    assert stream.filling[1:3] == (3, 1)
    with pytest.raises(Invalid):
        stream.resize(0)


def test_an_absurd_trade_is_refused_and_changes_nothing():
    stream = BucketStream(settings(bucket_lots=1))
    stream.on_trade(1001, 500, 3, 1)
    before = stream.state()
    with pytest.raises(Invalid, match="would fill more than"):
        stream.on_trade(1002, 501, MAX_WAITING_BUCKETS + 1, 1)
    assert stream.state() == before


@pytest.mark.parametrize(
    "changes",
    [{"bucket_lots": 0}, {"minimum_buckets": 5}, {"deviation_span": 1}, {"cdf_minimum": 7}, {"bar_interval_ns": 0}],
)
def test_settings_that_contradict_are_refused(changes):
    with pytest.raises(Invalid):
        settings(**changes)

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import pour, signed_buckets

TRADES = st.lists(st.tuples(st.integers(0, 25), st.sampled_from([-1, 0, 1])), max_size=40)


@given(TRADES, st.integers(1, 12))
def test_signed_buckets_equal_a_count_lot_by_lot(trades, bucket_lots):
    size = np.array([size for size, _ in trades], dtype=np.int64)
    side = np.array([side for _, side in trades], dtype=np.int64)
    ts = np.arange(10, 10 + len(trades), dtype=np.int64)
    compiled = signed_buckets(ts, size, side, bucket_lots)
    plain = signed_buckets.reference(ts, size, side, bucket_lots)
    assert [column.tolist() for column in compiled] == [column.tolist() for column in plain]
    assert len(compiled[0]) == size.sum() // bucket_lots


def test_a_trade_larger_than_a_bucket_is_split_exactly():
    buy, sell, opened, filled = signed_buckets(np.array([5, 9]), np.array([2, 11]), np.array([-1, 1]), 4)
    assert buy.tolist() == [2, 4, 4]
    assert sell.tolist() == [2, 0, 0]
    assert opened.tolist() == [5, 9, 9]
    assert filled.tolist() == [9, 9, 9]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30)), min_size=1, max_size=30), st.integers(1, 15))
def test_pouring_equals_its_reference(bars, bucket_volume):
    share = np.array([share for share, _ in bars])
    volume = np.array([float(volume) for _, volume in bars])
    count = int(volume.sum()) // bucket_volume
    compiled = pour(share, volume, float(bucket_volume), count)
    plain = pour.reference(share, volume, float(bucket_volume), count)
    np.testing.assert_allclose(compiled[0], plain[0], rtol=0, atol=1e-9)
    assert compiled[1].tolist() == plain[1].tolist()


def test_a_fractional_bucket_fills_to_the_last_one():
    volume = np.full(7, 3.0)
    buy, _ = pour(np.full(7, 0.25), volume, 21.0 / 9, 9)
    np.testing.assert_allclose(buy, 21 / 9 / 4, rtol=1e-12)

import numpy as np
import pytest

from nautilus.engines.vpin import VpinSettings, sample_vpin, vpin_series
from nautilus.errors import Invalid

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000


def market(trades=5000, days=3, seed=1):
    generator = np.random.default_rng(seed)
    ts = np.sort(generator.integers(0, days * DAY, trades))
    price = 1000 + np.cumsum(generator.integers(-2, 3, trades))
    return ts, price, generator.integers(1, 100, trades), generator.choice([-1, 1], trades)


def test_sample_vpin_equals_the_formula_written_out():
    from scipy.stats import norm

    ts, price, size, _ = market()
    result = sample_vpin(ts, price, size, bar_interval_ns=30 * MINUTE, buckets_per_day=10, window=5)
    number = ts // (30 * MINUTE)
    changes = np.zeros(number[-1] - number[0] + 1)
    for bar in np.unique(number):
        inside = price[number == bar]
        changes[bar - number[0]] = inside[-1] - inside[0]
    deviation = changes.std(ddof=1)
    assert result.deviation == pytest.approx(deviation, rel=1e-12)
    per_lot = np.repeat(norm.cdf(changes[number - number[0]] / deviation), size)
    edges = np.linspace(0, size.sum(), 31)
    cumulative = np.concatenate(([0.0], np.cumsum(per_lot)))
    buy = np.diff(np.interp(edges, np.arange(size.sum() + 1), cumulative))
    np.testing.assert_allclose(result.buy_volume, buy, rtol=1e-9)
    imbalance = np.abs(2 * buy - result.bucket_volume)
    assert result.vpin[-1] == pytest.approx(imbalance[-5:].sum() / 5 / result.bucket_volume)
    assert np.isnan(result.vpin[:4]).all()


def test_days_without_trades_count_neither_as_days_nor_as_bars():
    ts, price, size, _ = market()
    later = np.where(ts >= DAY, ts + 5 * DAY, ts)
    plain, gapped = (sample_vpin(t, price, size, bar_interval_ns=30 * MINUTE) for t in (ts, later))
    assert plain.days == gapped.days == 3
    assert plain.deviation == pytest.approx(gapped.deviation, rel=1e-14)
    np.testing.assert_allclose(plain.vpin, gapped.vpin, rtol=1e-12)


def test_one_sided_flow_has_a_vpin_of_one_by_true_sides():
    ts, price, size, _ = market()
    chosen = VpinSettings(bucket_lots=500, window=10, minimum_buckets=10)
    result = vpin_series(ts, price, size, np.ones_like(ts), chosen)
    assert np.nanmin(result.vpin_signed) == np.nanmax(result.vpin_signed) == 1.0
    assert np.isnan(result.vpin_signed[:9]).all()


def test_balanced_flow_has_a_vpin_of_zero_by_true_sides():
    size = np.full(1000, 5)
    side = np.tile([1, -1], 500)
    result = vpin_series(
        np.arange(1000) * MINUTE, np.full(1000, 10), size, side, VpinSettings(bucket_lots=10, minimum_buckets=1)
    )
    assert not result.vpin_signed.any()


def test_arrays_that_do_not_fit_are_refused():
    ts, price, size, side = market(10)
    with pytest.raises(Invalid, match="price"):
        vpin_series(ts, price[:-1], size, side, VpinSettings(bucket_lots=5))
    with pytest.raises(Invalid, match="lee_ready needs"):
        vpin_series(ts, price, size, side, VpinSettings(bucket_lots=5, side_rule="lee_ready"))


def test_no_trades_give_an_empty_series():
    empty = np.array([], dtype=np.int64)
    assert len(vpin_series(empty, empty, empty, empty, VpinSettings(bucket_lots=5))) == 0

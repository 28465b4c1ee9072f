import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import CostMeter, trade_costs
from nautilus.errors import Invalid


def test_the_split_of_one_trade():
    costs = trade_costs(
        np.array([10]),
        np.array([1010]),
        np.array([1]),
        np.array([0, 15, 40]),
        np.array([990, 995, 1000]),
        np.array([1010, 1015, 1020]),
        (5, 20, 100),
    )
    assert costs.effective.tolist() == [200.0]
    assert costs.impact[:, 0].tolist()[:2] == [100.0, 100.0]
    assert costs.realised[:, 0].tolist()[:2] == [100.0, 100.0]
    assert np.isnan(costs.impact[2, 0])  # no quote is known to be in force so late


def test_unknown_sides_and_midpoints_give_nan():
    costs = trade_costs(
        np.array([1, 10]), np.array([5, 5]), np.array([1, 0]), np.array([5]), np.array([4]), np.array([6]), (1,)
    )
    assert np.isnan(costs.effective).all()
    empty = np.array([], dtype=np.int64)
    assert np.isnan(trade_costs(np.array([1]), np.array([5]), np.array([1]), empty, empty, empty, (1,)).effective).all()


EVENT = st.tuples(st.integers(1, 9), st.booleans(), st.integers(95, 105), st.sampled_from([-1, 1]), st.integers(1, 4))


@given(st.lists(EVENT, min_size=2, max_size=60))
def test_running_means_equal_the_batch(events):
    """With distinct times: at equal times a trade meets the quote before it in a stream, the later one in a batch."""
    meter, ts, quotes, trades = CostMeter((7, 30), span=10_000), 0, [], []
    for step, is_quote, level, side, width in events:
        ts += step
        if is_quote:
            quotes.append((ts, level, level + width))
            meter.on_quote(ts, level + width / 2)
        else:
            trades.append((ts, level, side))
            meter.on_trade(ts, level, side)
    if not quotes or not trades:
        return
    costs = trade_costs(
        *(np.array(c) for c in zip(*trades, strict=True)), *(np.array(c) for c in zip(*quotes, strict=True)), (7, 30)
    )
    measured = costs.effective[~np.isnan(costs.effective)]
    assert meter.trades == len(measured)
    if len(measured):
        assert meter.effective_bps == pytest.approx(measured.mean())
    last = max(ts, 0)
    for k, horizon in enumerate(meter.horizons()):
        due = np.array([t for t, _, _ in trades]) + horizon.horizon_ns
        with np.errstate(invalid="ignore"):
            impact = _uncensored(trades, quotes, horizon.horizon_ns)
        settled = (due < last) & ~np.isnan(costs.effective)
        assert horizon.trades == settled.sum()
        if horizon.trades:
            assert horizon.impact_bps == pytest.approx(impact[settled].mean())
            assert horizon.realised_bps == pytest.approx((costs.effective - impact)[settled].mean())
        assert k < 2


def _uncensored(trades, quotes, horizon):
    """Impact with the last quote in force for ever, as a stream sees it."""
    later = [*quotes, (10**9, 1, 2)]
    return trade_costs(
        *(np.array(c) for c in zip(*trades, strict=True)), *(np.array(c) for c in zip(*later, strict=True)), (horizon,)
    ).impact[0]


def test_what_waits_is_bounded_and_the_loss_is_counted():
    meter = CostMeter((100,), span=10, capacity=3)
    meter.on_quote(0, 100.0)
    for ts in range(1, 8):
        meter.on_trade(ts, 101, 1)
    assert meter.dropped == 4
    meter.on_quote(1000, 101.0)
    assert meter.horizons()[0].trades == 3


def test_nothing_measured_says_none():
    meter = CostMeter((100,), span=10)
    meter.on_trade(1, 100, 1)
    assert meter.effective_bps is None
    assert meter.horizons()[0].impact_bps is None
    with pytest.raises(Invalid):
        CostMeter((), span=1)

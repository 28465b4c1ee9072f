import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import order_flow_imbalance, regress
from nautilus.engines.enhanced_vpin.flow_intervals import FlowIntervals, PriceBar


def make(interval=10, window=50, recent=5, minimum=3):
    return FlowIntervals(interval, window, recent, 100, minimum, 0.01)


def test_an_interval_gathers_flow_and_price():
    flows = make()
    assert not flows.on_quote(100, 99, 5, 101, 4)
    assert not flows.on_trade(101, 101, 3, 1)
    assert not flows.on_trade(102, 99, 1, -1)
    assert not flows.on_quote(103, 101, 6, 103, 4)
    assert flows.volume == 4
    assert flows.net_lots == 2
    assert flows.flow == 10  # a better bid brings 6, the consumed ask takes supply of 4 away
    assert flows.value == pytest.approx((303 + 99) * 0.01)
    assert flows.root_value == pytest.approx(math.sqrt(3.03) - math.sqrt(0.99))
    assert flows.on_trade(110, 103, 1, 1)
    assert list(flows.bars) == [PriceBar(101, 101, 99, 99)]
    assert flows.base_impact.pairs() == [(2, 4)]  # the midpoint rose by two ticks, four half ticks
    assert flows.flow_response.pairs() == [(10, 4)]
    assert flows.fall(5) == 0.0


QUOTE = st.tuples(st.integers(0, 12), st.integers(50, 60), st.integers(1, 9), st.integers(1, 4), st.integers(1, 9))


@given(st.lists(QUOTE, min_size=4, max_size=60))
def test_order_flow_equals_the_batch(rows):
    """Intervals without a quote are left out here and are zeros in the batch."""
    step, bid, bid_size, width, ask_size = (np.array(column) for column in zip(*rows, strict=True))
    ts, ask = 1000 + np.cumsum(step), bid + width
    flows = make(interval=10)
    for row in zip(ts.tolist(), bid.tolist(), bid_size.tolist(), ask.tolist(), ask_size.tolist(), strict=True):
        flows.on_quote(*row)
    flows.advance(int(ts[-1]) + 20)
    flow, change = order_flow_imbalance(ts, bid, bid_size, ask, ask_size, 10)
    quoted = np.unique(ts // 10) - ts[0] // 10
    expected = list(zip(flow[quoted].tolist(), (2 * change[quoted]).tolist(), strict=True))
    assert flows.flow_response.pairs() == expected
    plain, ours = regress(*np.array(expected, dtype=float).T), flows.flow_response.estimate()
    assert (plain is None) == (ours is None)
    if plain is not None:
        assert ours.slope == pytest.approx(plain.slope, abs=1e-9)


def test_a_night_is_no_response_to_flow():
    flows = make()
    for k in range(5):
        flows.on_quote(100 + 10 * k, 99 + k, 5, 101 + k, 5)
    flows.on_quote(10_000, 500, 5, 502, 5)
    flows.on_quote(10_005, 501, 5, 503, 5)
    flows.advance(10_020)
    assert [change for _, change in flows.base_impact.pairs()] == [0, 2, 2, 2, 2, 2]


def test_without_quotes_trades_make_the_price():
    flows = make()
    for k in range(6):
        flows.on_trade(100 + 10 * k, 1000 + k, 2, 1)
    assert [change for _, change in flows.base_impact.pairs()] == [0, 2, 2, 2, 2]
    assert flows.last_price == 1005


def test_a_burst_of_volume_and_a_loss_of_depth_show():
    flows = make(minimum=3)
    generator = np.random.default_rng(0)
    for k in range(40):
        flows.on_quote(100 + 10 * k, 999 + k % 2, 50, 1001, 50)
        flows.on_trade(101 + 10 * k, 1001, int(generator.integers(5, 15)), 1)
    flows.on_quote(500, 899, 5, 901, 5)
    flows.on_trade(501, 899, 500, -1)
    flows.advance(520)
    assert flows.volume_deviations > 5
    assert flows.depth_loss == pytest.approx(0.9)
    assert flows.fall(60) == pytest.approx(1 - 899 / 1001)
    assert flows.volatility_ratio > 2

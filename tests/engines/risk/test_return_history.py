"""The ring of marks, and equity as limits see it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.risk.currency_rates import CurrencyRates
from nautilus.engines.risk.equity_watch import DAY_NS, EquityWatch
from nautilus.engines.risk.order_rate import OrderRate
from nautilus.engines.risk.return_history import ReturnHistory
from nautilus.errors import Invalid
from nautilus.model.enums import AssetClass
from nautilus.model.instruments import InstrumentRegistry
from nautilus.testing import make_instrument


def test_a_ring_keeps_the_newest_returns_in_order():
    history = ReturnHistory(5, 10)
    prices = 100.0 * np.cumprod(1.0 + 0.01 * np.arange(12))
    for index, price in enumerate(prices):
        history.add(index * 10, {"X": price})
    np.testing.assert_allclose(history.returns(["X"])[:, 0], 0.01 * np.arange(8, 12))


def test_only_moments_with_every_mark_count():
    history = ReturnHistory(10, 10)
    for time, marks in enumerate([{"X": 1.0}, {"X": 2.0, "Y": 1.0}, {"X": 2.0, "Y": 2.0}, {"Y": 4.0}]):
        history.add(time * 10, marks)
    assert history.returns(["X", "Y"]).tolist() == [[0.0, 1.0]]
    assert history.returns(["Y"]).tolist() == [[1.0], [1.0]]
    assert history.returns(["Z"]).shape == (0, 1)
    assert history.returns([]).shape == (0, 0)


def test_a_pause_is_no_return():
    history = ReturnHistory(10, 10)
    for time, price in ((0, 1.0), (10, 2.0), (1_000, 9.0), (1_010, 18.0)):
        history.add(time, {"X": price})
    assert history.returns(["X"])[:, 0].tolist() == [1.0, 1.0]


def test_many_instruments_grow_the_ring():
    history = ReturnHistory(3, 1)
    for time in range(4):
        history.add(time, {f"I{k}": float(2**time) for k in range(50)})
    assert history.returns([f"I{k}" for k in range(50)]).tolist() == [[1.0] * 50] * 2


def test_a_day_begins_with_the_last_equity_of_the_day_before():
    watch = EquityWatch.begin(100.0, 100.0, 0)
    watch.update(120.0, 100.0, DAY_NS - 1)
    watch.update(110.0, 100.0, DAY_NS)
    assert watch.daily_loss == 10.0
    assert watch.drawdown == pytest.approx(10 / 120)
    watch.update(60.0, 50.0, DAY_NS + 1)
    assert watch.daily_loss == 10.0
    assert watch.drawdown == pytest.approx(10 / 70)


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_no_window_holds_more_than_allowed(gaps, allowed, window):
    rate, now, times = OrderRate(allowed, window), 0, []
    for gap in gaps:
        now += gap
        recent = [time for time in times if now - time < window]
        assert rate.full(now) == (len(recent) >= allowed)
        if not rate.full(now):
            rate.add(now)
            times.append(now)


def test_a_rate_needs_a_limit():
    with pytest.raises(Invalid):
        OrderRate(0, 1)


def test_currency_rates_come_from_pairs():
    registry = InstrumentRegistry()
    registry.add(make_instrument("EUR/USD.SIM", asset_class=AssetClass.FX))
    registry.add(make_instrument("USDJPY.SIM", asset_class=AssetClass.FX))
    rates = CurrencyRates("USD", {"GBP": 1.3}, registry)
    assert rates.get("EUR") is None
    rates.update({"EUR/USD.SIM": 110.0, "USDJPY.SIM": 15_000.0}.get)
    assert (rates.get("USD"), rates.get("GBP"), rates.get("EUR")) == (1.0, 1.3, 1.1)
    assert rates.get("JPY") == pytest.approx(1 / 150)

"""Features against wickra 2.0 (MIT), where that is installed: same numbers and the same rows without one."""

import math

import numpy as np
import pytest

from nautilus.engines.features.registry import bind

wickra = pytest.importorskip("wickra", reason="pip install wickra")
pytestmark = pytest.mark.parity
WINDOW = 20


def market(rows=400):
    rng = np.random.default_rng(3)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows))), 2)
    opened = np.round(close * (1 + rng.normal(0, 5e-4, rows)), 2)
    high = np.round(np.maximum(opened, close) + 0.1 * rng.random(rows), 2)
    low = np.round(np.minimum(opened, close) - 0.1 * rng.random(rows), 2)
    bid = np.round(close - 0.01 * rng.integers(0, 3, rows), 2)
    ask = bid + 0.01 * rng.integers(1, 4, rows)
    sizes = rng.integers(1, 50, (2, rows)).astype(float)
    return opened, high, low, close, bid, ask, *sizes, rng.integers(0, 2, rows) * 2.0 - 1.0


def agree(ours, theirs):
    theirs = np.array([math.nan if value is None else value for value in theirs])
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("parkinson_volatility", "ParkinsonVolatility"),
        ("garman_klass_volatility", "GarmanKlassVolatility"),
        ("rogers_satchell_volatility", "RogersSatchellVolatility"),
        ("yang_zhang_volatility", "YangZhangVolatility"),
    ],
)
def test_range_volatility(ours, theirs):
    opened, high, low, close, *_ = market()
    bound = bind(ours, window=WINDOW)
    columns = {"bars.open": opened, "bars.high": high, "bars.low": low, "bars.close": close}
    percent = 100 * bound.batch(*(columns[name] for name in bound.feature.inputs))
    indicator = getattr(wickra, theirs)(WINDOW, 1)
    rows = zip(opened, high, low, close, np.ones_like(close), range(len(close)), strict=True)
    agree(percent, [indicator.update(tuple(row)) for row in rows])


def test_realised_volatility_and_bipower_variation():
    close = market()[3]
    indicator = wickra.RealizedVolatility(WINDOW)
    agree(bind("realised_volatility", window=WINDOW).batch(close), [indicator.update(x) for x in close.tolist()])
    indicator = wickra.BipowerVariation(WINDOW)
    without_factor = bind("bipower_variation", window=WINDOW).batch(close) * (WINDOW - 1) / WINDOW
    agree(without_factor, [indicator.update(x) for x in close.tolist()])


def test_order_flow_imbalance_microprice_and_queue_imbalance():
    bid, ask, bid_size, ask_size = market()[4:8]
    books = [([b], [s], [a], [t]) for b, s, a, t in zip(bid, bid_size, ask, ask_size, strict=True)]
    quotes = (bid, ask, bid_size, ask_size)
    # wickra sums the contributions of `period` snapshots, the first of which contributes nothing
    ours = bind("order_flow_imbalance", window=WINDOW).batch(*quotes)[WINDOW:]
    indicator = wickra.OrderFlowImbalance(WINDOW)
    theirs = np.array([math.nan if (x := indicator.update(*book)) is None else x for book in books])[WINDOW:]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    indicator = wickra.Microprice()
    agree(bind("microprice").batch(*quotes), [indicator.update(*book) for book in books])
    indicator = wickra.OrderBookImbalanceTop1()
    agree(bind("queue_imbalance").batch(bid_size, ask_size), [indicator.update(*book) for book in books])


def test_trade_imbalance():
    price, size, side = market()[3], market()[6], market()[8]
    indicator = wickra.TradeImbalance(WINDOW)
    theirs = [indicator.update(*row) for row in zip(price, size, (side > 0).tolist(), strict=True)]
    agree(bind("trade_imbalance", window=WINDOW).batch(size, side), theirs)

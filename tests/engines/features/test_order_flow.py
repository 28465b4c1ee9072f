"""Order-flow measures against slow obvious versions."""

import math

import numpy as np
import pytest

from nautilus.engines.features.registry import bind

WINDOW = 25


def quotes(inputs):
    return [inputs[f"quotes.{name}"] for name in ("bid", "ask", "bid_size", "ask_size")]


def slow_events(bid, ask, bid_size, ask_size):
    for i in range(1, len(bid)):
        if bid[i] > bid[i - 1]:
            joined = bid_size[i]
        elif bid[i] < bid[i - 1]:
            joined = -bid_size[i - 1]
        else:
            joined = bid_size[i] - bid_size[i - 1]
        if ask[i] < ask[i - 1]:
            left = ask_size[i]
        elif ask[i] > ask[i - 1]:
            left = -ask_size[i - 1]
        else:
            left = ask_size[i] - ask_size[i - 1]
        yield joined - left


def test_order_flow_imbalance_is_the_sum_of_the_events(inputs):
    events = list(slow_events(*quotes(inputs)))
    got = bind("order_flow_imbalance", window=WINDOW).batch(*quotes(inputs))
    assert np.isnan(got[:WINDOW]).all()
    assert got[WINDOW:].tolist() == [sum(events[i : i + WINDOW]) for i in range(len(events) - WINDOW + 1)]


def test_order_flow_imbalance_ratio_is_in_multiples_of_the_average_depth(inputs):
    bid, ask, bid_size, ask_size = quotes(inputs)
    flow = bind("order_flow_imbalance", window=WINDOW).batch(bid, ask, bid_size, ask_size)
    ratio = bind("order_flow_imbalance_ratio", window=WINDOW).batch(bid, ask, bid_size, ask_size)
    depth = np.mean((bid_size + ask_size)[-WINDOW:]) / 2
    assert ratio[-1] == pytest.approx(flow[-1] / depth, rel=1e-12)


def test_trade_measures_of_the_last_window(inputs):
    price, size, side = (inputs[f"trades.{name}"] for name in ("price", "size", "side"))
    last = slice(-WINDOW, None)
    signed = float((size * side)[last].sum())
    assert bind("signed_volume", window=WINDOW).batch(size, side)[-1] == signed
    assert bind("trade_imbalance", window=WINDOW).batch(size, side)[-1] == signed / float(size[last].sum())
    average = np.average(price[last], weights=size[last])
    deviation = bind("vwap_deviation", window=WINDOW).batch(price, size)[-1]
    assert deviation == pytest.approx(price[-1] / average - 1, abs=1e-14)


@pytest.mark.parametrize(
    ("sides", "bits"),
    [([1] * 8, 0.0), ([1, -1] * 4, 1.0), ([1, 1, 1, -1] * 2, 0.8112781244591328), ([1, 0, -1] * 3, math.log2(3))],
)
def test_sign_entropy_in_bits(sides, bits):
    got = bind("trade_sign_entropy", window=len(sides)).batch(np.array(sides, dtype=float))
    assert got[-1] == pytest.approx(bits, abs=1e-12)


def test_roll_spread_of_a_pure_bounce_is_the_spread():
    rng = np.random.default_rng(1)
    prices = 100 + 0.05 * rng.choice((-1.0, 1.0), 20_000)
    assert bind("roll_spread", window=10_000).batch(prices)[-1] == pytest.approx(0.1, rel=0.05)


def test_roll_spread_of_a_trend_is_not_defined():
    assert np.isnan(bind("roll_spread", window=5).batch(np.arange(10.0) ** 2 + 100)[-1])


def test_kyle_lambda_is_the_least_squares_slope(inputs):
    close, volume, bought = (inputs[f"bars.{name}"] for name in ("close", "volume", "buy_volume"))
    got = bind("kyle_lambda", window=WINDOW).batch(close, volume, bought)[-1]
    flow = (2 * bought - volume)[-WINDOW:]
    assert got == pytest.approx(np.polyfit(flow, np.diff(close)[-WINDOW:], 1)[0], rel=1e-9)


def test_amihud_illiquidity_is_the_mean_move_per_value():
    close, volume = np.array([100.0, 101.0, 99.0]), np.array([5.0, 10.0, 20.0])
    expected = np.mean(np.abs(np.diff(np.log(close))) / (close * volume)[1:])
    assert bind("amihud_illiquidity", window=2).batch(close, volume)[-1] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(bind("amihud_illiquidity", window=2).batch(close, np.zeros(3))[-1])


def test_volume_weighted_rsi_counts_rises_by_their_volume():
    close, volume = np.array([10.0, 11.0, 10.0, 12.0]), np.array([9.0, 3.0, 6.0, 1.0])
    assert bind("volume_weighted_rsi", window=3).batch(close, volume)[-1] == pytest.approx(100 * 5 / 11)
    assert np.isnan(bind("volume_weighted_rsi", window=2).batch(np.ones(5), volume[[0] * 5])[-1])

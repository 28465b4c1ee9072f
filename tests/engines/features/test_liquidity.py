"""What one quote or book says, in hand-computed numbers."""

import math

import numpy as np
import pytest

from nautilus.engines.features.registry import bind


def value(name, *row, **parameters):
    return bind(name, **parameters).stream().update(*row)


def test_spreads_and_prices_of_a_quote():
    quote = (99.0, 101.0, 30.0, 10.0)
    assert value("quoted_spread", 99.0, 101.0) == 2.0
    assert value("relative_spread", 99.0, 101.0) == 0.02
    assert value("mid_price", 99.0, 101.0) == 100.0
    assert value("microprice", *quote) == 100.5
    assert value("microprice_deviation", *quote) == 0.005
    assert value("queue_imbalance", 30.0, 10.0) == 0.5
    assert value("queue_pressure", 30.0, 10.0) == math.log(3.0)


def test_queue_pressure_is_twice_the_artanh_of_the_imbalance():
    assert value("queue_pressure", 30.0, 10.0) == pytest.approx(2 * math.atanh(value("queue_imbalance", 30.0, 10.0)))


def book(bid_sizes, ask_sizes):
    bids = [100.0 - 0.01 * (level + 1) for level in range(5)]
    asks = [100.0 + 0.01 * (level + 1) for level in range(5)]
    return (*bids, *bid_sizes, *asks, *ask_sizes)


def test_depth_imbalance_counts_the_best_levels():
    row = book((30.0, 10.0, 1.0, 1.0, 1.0), (10.0, 10.0, 9.0, 9.0, 9.0))
    assert value("depth_imbalance", *row, levels=2) == 20.0 / 60.0
    assert value("depth_imbalance", *row, levels=5) == -4.0 / 90.0


def slow_slope(mid, prices, sizes):
    volumes = np.log(np.cumsum(sizes))
    steps = [volumes[0] / abs(prices[0] / mid - 1)]
    steps += [(volumes[i] / volumes[i - 1] - 1) / abs(prices[i] / prices[i - 1] - 1) for i in range(1, 5)]
    return sum(steps) / 5


def test_depth_slope_is_the_mean_of_both_sides():
    row = book((30.0, 10.0, 20.0, 15.0, 40.0), (12.0, 10.0, 9.0, 9.0, 90.0))
    expected = 0.5 * (slow_slope(100.0, row[:5], row[5:10]) + slow_slope(100.0, row[10:15], row[15:]))
    assert value("depth_slope", *row) == pytest.approx(expected, rel=1e-12)


def test_a_deep_book_is_steeper_than_a_shallow_one():
    shallow, deep = (2.0, 2.0, 2.0, 2.0, 2.0), (2.0, 20.0, 200.0, 2000.0, 20000.0)
    assert value("depth_slope", *book(deep, deep)) > value("depth_slope", *book(shallow, shallow))

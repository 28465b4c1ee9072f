"""Features made of features, by their definitions."""

import numpy as np
import talib

from nautilus.engines.features.registry import bind


def test_bollinger_position_is_where_the_close_lies_between_the_bands(inputs):
    close = inputs["bars.close"]
    upper, _, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    got = bind("bollinger_position").batch(close)
    np.testing.assert_allclose(got[19:], ((close - lower) / (upper - lower))[19:], rtol=1e-12)


def test_atr_percentile_ranks_the_range_among_its_own_past(inputs):
    bars = [inputs[f"bars.{name}"] for name in ("high", "low", "close")]
    got = bind("atr_percentile", rank_period=50).batch(*bars)
    atr = talib.ATR(*bars, 14)
    below = (atr[-51:-1] <= atr[-1]).mean() * 100
    strictly_below = (atr[-51:-1] < atr[-1]).mean() * 100
    assert strictly_below <= got[-1] <= below
    assert bind("atr_percentile", rank_period=50).warm_up == 64


def test_momentum_rank_is_high_after_a_rise():
    close = np.concatenate([np.full(150, 100.0) + 0.01 * (np.arange(150) % 3), 100 + np.arange(20) ** 2 / 40])
    assert bind("momentum_rank", timeperiod=10, rank_period=50).batch(close)[-1] >= 90


def test_trend_strength_has_the_sign_of_the_direction():
    up = np.linspace(100, 120, 60)
    bound = bind("trend_strength")
    assert bound.batch(up + 0.1, up - 0.1, up)[-1] > 50
    down = up[::-1].copy()
    assert bound.batch(down + 0.1, down - 0.1, down)[-1] < -50

"""Range estimators recover the volatility of a simulated path."""

import math

import numpy as np
import pytest

from nautilus.engines.features.registry import bind

NAMES = ("parkinson_volatility", "garman_klass_volatility", "rogers_satchell_volatility", "yang_zhang_volatility")


def simulated_bars(drift=0.0, bars=2_000, steps=500, seed=4):
    rng = np.random.default_rng(seed)
    moves = rng.normal(drift / steps, 0.01 / math.sqrt(steps), (bars, steps))
    path = np.cumsum(moves.ravel()).reshape(bars, steps)
    opened = np.concatenate([[0.0], path[:-1, -1]])
    high, low = np.maximum(path.max(1), opened), np.minimum(path.min(1), opened)
    columns = (opened, high, low, path[:, -1])
    return dict(zip(("bars.open", "bars.high", "bars.low", "bars.close"), map(np.exp, columns), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_driftless_path_of_one_percent_a_bar(name):
    bars = simulated_bars()
    bound = bind(name, window=2_000 - 1)
    got = bound.batch(*(bars[column] for column in bound.feature.inputs))[-1]
    assert got == pytest.approx(0.01, rel=0.06)  # discrete paths miss a little of the range


def test_only_the_drift_free_estimators_survive_a_trend():
    bars = simulated_bars(drift=0.02)
    bound = {name: bind(name, window=1_999) for name in NAMES}
    got = {name: b.batch(*(bars[column] for column in b.feature.inputs))[-1] for name, b in bound.items()}
    assert got["parkinson_volatility"] > 0.012
    assert got["rogers_satchell_volatility"] == pytest.approx(0.01, rel=0.08)
    assert got["yang_zhang_volatility"] == pytest.approx(0.01, rel=0.08)


def test_yang_zhang_by_its_definition(inputs):
    opened, high, low, close = (np.log(inputs[f"bars.{name}"]) for name in ("open", "high", "low", "close"))
    n = 20
    gap, body = (opened[1:] - close[:-1])[-n:], (close - opened)[-n:]
    satchell = ((high - opened) * (high - close) + (low - opened) * (low - close))[-n:].mean()
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    expected = math.sqrt(gap.var(ddof=1) + k * body.var(ddof=1) + (1 - k) * satchell)
    bound = bind("yang_zhang_volatility", window=n)
    got = bound.batch(*(inputs[column] for column in bound.feature.inputs))[-1]
    assert got == pytest.approx(expected, rel=1e-9)

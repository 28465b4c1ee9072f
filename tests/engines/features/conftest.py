"""A small market with every input a feature may ask for."""

import numpy as np
import pytest

from nautilus.engines.features.arithmetic import logarithm
from nautilus.engines.features.dependence import weighted_window
from nautilus.engines.features.realised import realised_kernel_path
from nautilus.engines.features.rolling_sum import rolling_sum


def make_inputs(rows, seed):
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows))), 2)
    opened = np.round(close * (1 + rng.normal(0, 5e-4, rows)), 2)
    volume = rng.integers(0, 1000, rows).astype(float)
    bid = np.round(close - 0.01 * rng.integers(0, 3, rows), 2)
    inputs = {
        "bars.open": opened,
        "bars.high": np.round(np.maximum(opened, close) * (1 + abs(rng.normal(0, 5e-4, rows))), 2),
        "bars.low": np.round(np.minimum(opened, close) * (1 - abs(rng.normal(0, 5e-4, rows))), 2),
        "bars.close": close,
        "bars.volume": volume,
        "bars.buy_volume": np.floor(volume * rng.random(rows)),
        "bars.benchmark": opened,
        "bars.periods": np.full(rows, 14.0),
        "quotes.bid": bid,
        "quotes.ask": bid + 0.01 * rng.integers(1, 4, rows),
        "quotes.bid_size": rng.integers(1, 50, rows).astype(float),
        "quotes.ask_size": rng.integers(1, 50, rows).astype(float),
        "trades.price": close,
        "trades.size": volume + 1,
        "trades.side": rng.integers(-1, 2, rows).astype(float),
    }
    for level in range(1, 6):
        inputs[f"depth.bid_price_{level}"] = bid - 0.01 * (level - 1)
        inputs[f"depth.ask_price_{level}"] = inputs["quotes.ask"] + 0.01 * (level - 1)
        inputs[f"depth.bid_size_{level}"] = rng.integers(2, 50, rows).astype(float)
        inputs[f"depth.ask_size_{level}"] = rng.integers(2, 50, rows).astype(float)
    return inputs


@pytest.fixture(scope="session")
def inputs():
    return make_inputs(400, seed=7)


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    """Compile the kernels before Hypothesis starts its stop-watch."""
    for one in (logarithm, rolling_sum, realised_kernel_path, weighted_window):
        one.warm()

"""Bulk volume classification: the buyers' share of a bar's volume from its standardised price change.

Easley, Lopez de Prado and O'Hara (2012), "Flow toxicity and liquidity in a high-frequency world", equation (4).
"""

import math

import numpy as np
from numpy.typing import NDArray

from nautilus.accel.kernel import kernel
from nautilus.errors import Invalid

Floats = NDArray[np.float64]


def buy_share(change: Floats, deviation: float) -> Floats:
    """Phi(change / deviation) for each bar, [bars]; one half everywhere where the deviation is zero.

    >>> buy_share(np.array([-1.0, 0.0, 1.0]), 1.0).round(4)
    array([0.1587, 0.5   , 0.8413])
    """
    from scipy.special import ndtr

    if deviation <= 0.0:
        return np.full(change.shape, 0.5)
    return np.asarray(ndtr(change / deviation), dtype=np.float64)


def change_deviation(change: Floats, empty_bars: int = 0) -> float:
    """Sample standard deviation (n - 1) of price changes, of which `empty_bars` more are zero.

    >>> change_deviation(np.array([1.0, -1.0]), empty_bars=1)
    1.0
    """
    count = change.size + empty_bars
    if count < 2:
        raise Invalid("change", "needs two bars at least for a standard deviation")
    mean = float(change.sum()) / count
    squares = float(np.square(change - mean).sum()) + empty_bars * mean * mean
    return math.sqrt(squares / (count - 1))


def _causal_buy_share_reference(change: Floats, span: int) -> Floats:
    share = np.full(change.size, 0.5)
    mean = variance = 0.0
    for i, value in enumerate(change.tolist()):
        weight = 1.0 / min(i + 1, span)
        offset = value - mean
        mean += weight * offset
        variance = (1.0 - weight) * (variance + weight * offset * offset)
        if variance > 0.0:
            share[i] = 0.5 * math.erfc(-math.sqrt(0.5) * (value / math.sqrt(variance)))
    return share


@kernel(reference=_causal_buy_share_reference, example=lambda: (np.array([1.0, -1.0, 2.0]), 100))
def causal_buy_share(change: Floats, span: int) -> Floats:
    """Buyers' share of each bar with the deviation known by then: what streaming computes, without looking ahead.

    `change` [bars]. Mean and variance are recursive with weight 1 / min(bars so far, `span`): the population variance
    of all bars at first, an exponential average of `span` bars later. One half until prices have moved.
    """
    share = np.empty(change.size)
    mean = 0.0
    variance = 0.0
    for i in range(change.size):
        weight = 1.0 / min(i + 1, span)
        offset = change[i] - mean
        mean += weight * offset
        variance = (1.0 - weight) * (variance + weight * offset * offset)
        if variance > 0.0:
            share[i] = 0.5 * math.erfc(-math.sqrt(0.5) * (change[i] / math.sqrt(variance)))
        else:
            share[i] = 0.5
    return share

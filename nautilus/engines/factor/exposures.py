"""From raw characteristics to exposures: winsorised, standardised style scores, sector dummies, decaying weights.

Panels are [dates, instruments]; NaN is a missing score and stays missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nautilus.engines.factor import cross_section, elementwise, time_series

type Panel = NDArray[np.float64]


def exponential_weights(window: int, half_life: float) -> NDArray[np.float64]:
    """Weights [window], oldest first, that halve every `half_life` rows of age; the newest weighs 1.

    >>> exponential_weights(3, 1.0)
    array([0.25, 0.5 , 1.  ])
    """
    if window < 1 or half_life <= 0:
        raise ValueError("window must be at least 1 and half_life positive")
    weights: NDArray[np.float64] = np.exp2(-np.arange(window - 1, -1, -1) / half_life)
    return weights


def standardize(x: Panel, market_caps: Panel) -> Panel:
    """Scores whose cap-weighted mean is 0 and whose equal-weighted standard deviation about it is 1 on every date.

    The convention of Barra's USE4 model (Menchero, Orr and Wang 2011, section 2.2).
    """
    present = ~np.isnan(x) & (market_caps > 0)
    weights = np.where(present, market_caps, 0.0)
    with np.errstate(all="ignore"):
        mean = np.where(present, x * weights, 0.0).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
        centred = np.where(present, x - mean, np.nan)
        count = present.sum(axis=1, keepdims=True)
        squares = np.where(present, centred * centred, 0.0).sum(axis=1, keepdims=True)
        scores = centred / np.sqrt(squares / (count - 1.0))
    return np.where(np.isfinite(scores), scores, np.nan)


def one_hot(codes: Sequence[int], groups: int) -> NDArray[np.float64]:
    """Membership [instruments, groups] from a group code per instrument; a code of -1 belongs to none.

    >>> one_hot([1, 0, -1], 2)
    array([[0., 1.],
           [1., 0.],
           [0., 0.]])
    """
    membership = np.zeros((len(codes), groups))
    for row, code in enumerate(codes):
        if code >= 0:
            membership[row, code] = 1.0
    return membership


def momentum_scores(
    returns: Panel, window: int = 504, half_life: float = 126.0, lag: int = 20, winsor_share: float = 0.01
) -> Panel:
    """Momentum style: decayed compounded return over `window` rows ending `lag` rows ago, winsorised and z-scored.

    The first lag + window - 1 rows (and every row whose window holds a NaN) are NaN. As in toraniko 1.1's factor_mom.
    """
    scores = np.full(returns.shape, np.nan)
    if returns.shape[0] >= window + lag:
        raw = time_series.compound_exp(time_series.delay(returns, lag) if lag else returns, window, half_life)
        with np.errstate(all="ignore"):
            scores[returns.shape[0] - raw.shape[0] :] = cross_section.zscore(cross_section.winsorize(raw, winsor_share))
    return scores


def size_scores(market_caps: Panel) -> Panel:
    """Size style: z-score of minus the logarithm of market capitalisation; small companies score high."""
    with np.errstate(all="ignore"):
        return cross_section.zscore(-elementwise.logarithm(market_caps))


def value_scores(book_to_price: Panel, sales_to_price: Panel, cash_flow_to_price: Panel) -> Panel:
    """Value style: z-score of the mean z-score of three ratios, the first two in logarithms, as in toraniko 1.1.

    A missing ratio makes the score missing.
    """
    with np.errstate(all="ignore"):
        parts = (elementwise.logarithm(book_to_price), elementwise.logarithm(sales_to_price), cash_flow_to_price)
        return cross_section.zscore(sum((cross_section.zscore(part) for part in parts), np.zeros(())) / 3.0)

import numpy as np
import pytest

from nautilus.engines.enhanced_vpin import abdi_ranaldo, corwin_schultz, edge, roll
from nautilus.errors import Invalid

PRICES = np.array(
    [
        [100.53, 99.5, 100.63, 99.65, 100.54],
        [99.61, 100.88, 101.07, 100.93, 99.67],
        [100.55, 100.55, 100.09, 99.05, 99.8],
        [99.65, 98.55, 98.49, 99.56, 98.77],
        [99.74, 100.01, 99.88, 99.95, 99.14],
        [99.16, 99.01, 99.82, 98.74, 98.78],
        [98.58, 98.54, 99.5, 99.6, 98.66],
        [99.72, 99.59, 99.56, 98.73, 99.02],
        [99.76, 100.07, 99.34, 99.49, 99.55],
        [100.48, 99.77, 101.17, 100.53, 100.79],
        [100.87, 101.63, 101.63, 101.77, 101.5],
        [101.58, 100.66, 100.8, 100.56, 101.44],
    ]
)


def bars(prices):
    return prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]


def market(spread, count=4000, trades=40, seed=0):
    """Bars of trades at a random walk plus or minus half the spread."""
    generator = np.random.default_rng(seed)
    value = np.cumsum(generator.normal(0, 0.02 / np.sqrt(trades), (count, trades)).ravel())
    price = 100 * np.exp(value + generator.choice([-0.5, 0.5], value.size) * spread)
    return bars(price.reshape(count, trades))


def test_edge_equals_the_authors_package():
    """The value is what bidask 2.1.0 (PyPI, by the paper's authors) gives for these twelve bars."""
    assert edge(*bars(PRICES)) == pytest.approx(0.006840385485803713, rel=1e-12)


def test_all_estimators_find_a_known_spread():
    open_, high, low, close = market(0.01)
    assert edge(open_, high, low, close) == pytest.approx(0.01, rel=0.1)
    assert roll(close) == pytest.approx(0.01, rel=0.25)
    assert abdi_ranaldo(high, low, close) == pytest.approx(0.01, rel=0.25)
    # known biases of the two: see the figures of Ardia, Guidotti and Kroencke (2024)
    assert 0.005 < corwin_schultz(high, low, close) < 0.02
    assert corwin_schultz(high, low, close) > corwin_schultz(high, low, close, corrected=False)
    assert abdi_ranaldo(high, low, close, corrected=True) > 0.0


def test_roll_is_negative_where_prices_trend():
    assert roll(np.array([100.0, 101.0, 102.0, 104.0, 106.0, 109.0, 112.0])) < 0
    assert roll(np.full(5, 10.0)) == 0.0


def test_too_few_bars_tell_nothing():
    open_, high, low, close = bars(PRICES[:1])
    assert edge(open_, high, low, close) is None
    assert corwin_schultz(high, low, close) is None
    assert abdi_ranaldo(high, low, close) is None
    assert roll(close) is None
    assert edge(*[np.full(9, 10.0)] * 4) is None


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_impossible_prices_are_refused(bad):
    with pytest.raises(Invalid):
        roll(np.array([1.0, 2.0, bad, 3.0]))
    with pytest.raises(Invalid):
        abdi_ranaldo(np.ones(3), np.ones(4), np.ones(3))

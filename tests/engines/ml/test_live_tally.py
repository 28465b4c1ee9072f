"""Live tallies: each prediction meets the outcome of its own horizon, the latest are kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.ml.live_tally import LATEST, LiveTally


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 300))
def test_a_prediction_is_paired_with_the_return_over_its_horizon(horizon: int, count: int) -> None:
    tally = LiveTally()
    prices = np.exp(np.random.default_rng(1).normal(size=count))
    for number, price in enumerate(prices.tolist()):
        tally.add("A.SIM", float(number), price, horizon)
    pairs = tally.outcomes()
    known = max(0, count - horizon)
    assert pairs[:, 0].tolist() == list(range(known))
    np.testing.assert_allclose(pairs[:, 1], np.log(prices[horizon:] / prices[:known]) if known else [])


def test_the_latest_pairs_are_kept_in_order_and_over_a_restart() -> None:
    tally = LiveTally()
    for number in range(LATEST + 1234):
        tally.add("A.SIM", float(number), 1.0, 1)
    assert tally.outcomes()[:, 0].tolist() == list(range(1233, LATEST + 1233))
    again = LiveTally()
    again.take_back(tally.outcomes())
    assert np.array_equal(again.outcomes(), tally.outcomes())
    for number in range(3):
        again.add("A.SIM", -float(number), 1.0, 1)
    assert again.outcomes()[-3:, 0].tolist() == [LATEST + 1232, 0.0, -1.0]
    assert len(again.outcomes()) == LATEST


def test_instruments_wait_each_for_itself() -> None:
    tally = LiveTally()
    for name, price in (("A.SIM", 1.0), ("B.SIM", 5.0), ("A.SIM", 2.0), ("B.SIM", 5.0)):
        tally.add(name, 1.0, price, 1)
    np.testing.assert_allclose(tally.outcomes()[:, 1], [np.log(2.0), 0.0])

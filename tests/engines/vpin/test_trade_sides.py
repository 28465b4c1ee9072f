import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import accuracy, classify, emo, lee_ready, prevailing, quote_rule, tick_rule
from nautilus.errors import Invalid

PRICES = st.lists(st.integers(1, 5), min_size=0, max_size=40).map(lambda values: np.array(values, dtype=np.int64))


@given(PRICES)
def test_the_tick_rule_equals_its_reference(price):
    assert tick_rule(price).tolist() == tick_rule.reference(price).tolist()


@given(PRICES)
def test_the_tick_rule_is_the_sign_of_the_last_different_price(price):
    for i, side in enumerate(tick_rule(price).tolist()):
        different = [p for p in price[:i].tolist() if p != price[i]]
        assert side == (0 if not different else 1 if price[i] > different[-1] else -1)


def test_rules_differ_where_they_should():
    price = np.array([100, 102, 101, 101, 103])
    bid, ask = np.full(5, 100), np.full(5, 102)
    assert quote_rule(price, bid, ask).tolist() == [-1, 1, 0, 0, 1]
    assert lee_ready(price, bid, ask).tolist() == [-1, 1, -1, -1, 1]
    assert emo(price, bid, ask).tolist() == [-1, 1, -1, -1, 1]
    assert emo(np.array([103, 104, 103]), np.full(3, 100), np.full(3, 102)).tolist() == [0, 1, -1]


def test_a_missing_side_of_the_quote_classifies_nothing():
    assert quote_rule(np.array([100]), np.array([0]), np.array([102])).tolist() == [0]


def test_the_quote_in_force_is_the_last_one_not_later_than_the_lagged_trade():
    assert prevailing(np.array([5, 10, 20]), np.array([10, 15])).tolist() == [-1, 0, 1]
    assert prevailing(np.array([10, 20]), np.array([10, 15]), lag_ns=5).tolist() == [-1, 1]


def test_a_named_rule_without_quotes_is_refused():
    with pytest.raises(Invalid, match="lee_ready needs"):
        classify("lee_ready", np.array([1, 2]))
    assert classify("tick", np.array([1, 2])).tolist() == [0, 1]


def test_accuracy_by_trades_and_by_lots():
    side, truth = np.array([1, -1, 1, 1]), np.array([1, 1, 0, 1])
    assert accuracy(side, truth) == 2 / 3
    assert accuracy(side, truth, np.array([1, 10, 99, 9])) == 0.5
    with pytest.raises(Invalid):
        accuracy(side, np.zeros(4, dtype=np.int64))

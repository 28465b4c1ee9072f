import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.enhanced_vpin import order_flow_event, order_flow_events, order_flow_imbalance, price_response

QUOTE = st.tuples(st.integers(1, 5), st.integers(0, 9), st.integers(1, 5), st.integers(0, 9), st.integers(0, 25))


@given(st.lists(QUOTE, min_size=1, max_size=40))
def test_one_event_at_a_time_equals_all_at_once(rows):
    bid, bid_size, width, ask_size, _ = (np.array(column) for column in zip(*rows, strict=True))
    ask = bid + width
    events = order_flow_events(bid, bid_size, ask, ask_size)
    quotes = list(zip(bid.tolist(), bid_size.tolist(), ask.tolist(), ask_size.tolist(), strict=True))
    assert events.tolist() == [order_flow_event(*quotes[i], *quotes[i + 1]) for i in range(len(quotes) - 1)]


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        ((99, 5, 101, 4), (100, 7, 101, 4), 7),  # a better bid
        ((99, 5, 101, 4), (98, 7, 101, 4), -5),  # the bid was consumed
        ((99, 5, 101, 4), (99, 5, 100, 6), -6),  # a better ask
        ((99, 5, 101, 4), (99, 5, 102, 6), 4),  # the ask was consumed
        ((99, 5, 101, 4), (99, 5, 101, 4), 0),
    ],
)
def test_the_rule_of_cont_kukanov_and_stoikov(before, after, event):
    assert order_flow_event(*before, *after) == event


@given(st.lists(QUOTE, min_size=1, max_size=40), st.integers(1, 30))
def test_intervals_add_up(rows, interval):
    bid, bid_size, width, ask_size, step = (np.array(column) for column in zip(*rows, strict=True))
    ts, ask = np.cumsum(step), bid + width
    flow, change = order_flow_imbalance(ts, bid, bid_size, ask, ask_size, interval)
    assert flow.sum() == order_flow_events(bid, bid_size, ask, ask_size).sum()
    assert change.sum() == (bid[-1] + ask[-1] - bid[0] - ask[0]) / 2
    assert len(flow) == ts[-1] // interval - ts[0] // interval + 1


def test_the_response_is_recovered():
    generator = np.random.default_rng(0)
    flow = generator.integers(-500, 500, 1000)
    fit = price_response(flow, 0.01 * flow + generator.normal(0, 1, 1000))
    assert abs(fit.slope - 0.01) < 3 * fit.standard_error

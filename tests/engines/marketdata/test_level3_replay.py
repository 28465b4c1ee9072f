import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.engines.marketdata.level3_book import Level3Book
from nautilus.engines.marketdata.level3_replay import replay_events, replay_orders
from nautilus.engines.marketdata.order_events import OrderEventColumns

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 1, 2, 2, 3, 3, 4, 5]),
        st.sampled_from([1, 2, 3, 257, 513, -9, 2**62, 2**40, 2**41]),
        st.sampled_from([1, -1]),
        st.sampled_from([-3, 1, 2, 3, 10**7, 10**12]),
        st.integers(0, 5),
    ).filter(lambda event: event[0] != 1 or event[4] > 0),
    max_size=80,
)


def _columns(events):
    return OrderEventColumns(*np.array(events, dtype=np.int64).reshape(-1, 5).T, np.arange(len(events)))


def _same_as_one_by_one(events):
    history, book = replay_orders(_columns(events)), Level3Book()
    for row, event in enumerate(events):
        book.apply(*event)
        assert (history.bid_ticks[row], history.bid_lots[row]) == (book.best_bid or 0, book.bid_lots)
        assert (history.ask_ticks[row], history.ask_lots[row]) == (book.best_ask or 0, book.ask_lots)
    assert history.bids() == book.bids()
    assert history.asks() == book.asks()
    assert history.faults == book.faults
    for side, levels in ((1, book.bids()), (-1, book.asks())):
        for price, _ in levels:
            assert history.queue(side, price) == book.queue(side, price)


@settings(max_examples=80)
@given(EVENTS)
def test_columns_give_the_same_book_and_queues_as_one_event_at_a_time(events):
    _same_as_one_by_one(events)


def test_so_they_do_with_thousands_of_orders_that_come_and_go():
    """More orders than the table of the kernel begins with, and ids whose places in it collide."""
    source, events, live = np.random.default_rng(7), [], []
    for number in range(8_000):
        action = int(source.choice([1, 1, 1, 2, 3, 4])) if live else 1
        order_id = number << 32 if action == 1 else live[int(source.integers(len(live)))]
        events.append((action, order_id, int(source.choice([1, -1])), int(source.integers(1, 60)), 1 + number % 9))
        if action == 1:
            live.append(order_id)
        elif action == 4:
            live.remove(order_id)
    _same_as_one_by_one(events)


def test_kernel_and_reference_agree():
    source, size = np.random.default_rng(5), 3_000
    action = source.choice([0, 1, 2, 3, 4, 5], size, p=[0.1, 0.4, 0.2, 0.15, 0.14, 0.01])
    order_id, side = source.integers(0, 400, size), source.choice([1, -1], size)
    rung, lots = source.integers(0, 30, size).astype(np.int32), source.integers(1, 9, size)
    results = []
    for run in (replay_events, replay_events.reference):
        top, faults = np.zeros((4, size), np.int64), np.zeros(4, np.int64)
        resting = run(action, order_id, side, rung, lots, np.arange(100, 130), top, faults)
        results.append((top, faults, resting))
    for ours, reference in zip(*results, strict=True):
        assert np.array_equal(ours, reference)


def test_no_events_give_an_empty_book():
    history = replay_orders(_columns([]))
    assert history.orders == ()
    assert len(history.bid_ticks) == 0

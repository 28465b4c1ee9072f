"""The gateway's limits on what a client asks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import TestClock
from nautilus.engines.marketdata.ibkr.outbox import Outbox
from nautilus.engines.marketdata.ibkr.pacing import SECOND_NS, HistoricalPacing, TokenBucket


def most_within(times: list[int], window_ns: int) -> int:
    return max(sum(start <= time < start + window_ns for time in times) for start in times)


@given(st.lists(st.integers(0, SECOND_NS // 20), min_size=50, max_size=300))
def test_no_second_ever_has_more_messages_than_the_gateway_allows(gaps):
    """However they are asked for, at most 50 messages fall into any second."""
    bucket, now, sent = TokenBucket(35, 10, 0), 0, []
    for gap in gaps:
        now += gap // 10
        if bucket.take(now):
            sent.append(now)
    assert most_within(sent, SECOND_NS) <= 45


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5 * SECOND_NS)), max_size=150))
def test_historical_requests_sent_when_ready_keep_every_limit(asked):
    """60 in ten minutes, none again within 15 seconds, fewer than six of a contract in two seconds."""
    pacing, now, sent = HistoricalPacing(60, 600 * SECOND_NS, 15 * SECOND_NS), 0, []
    for number, gap in asked:
        now = pacing.ready_ns(number, number % 2, now + gap)
        pacing.sent(number, number % 2, now)
        sent.append((now, number))
    times = [time for time, _ in sent]
    assert times == sorted(times)
    assert not times or most_within(times, 600 * SECOND_NS) <= 60
    for number in {number for _, number in sent}:
        own = [time for time, each in sent if each == number]
        assert all(later - earlier >= 15 * SECOND_NS for earlier, later in pairwise(own))
    for contract in (0, 1):
        own = [time for time, each in sent if each % 2 == contract]
        assert not own or most_within(own, 2 * SECOND_NS) <= 5


def test_a_complaint_pauses_everything():
    """After error 162 nothing goes out for 15 seconds."""
    pacing = HistoricalPacing(60, 600 * SECOND_NS, 15 * SECOND_NS)
    pacing.violated(SECOND_NS)
    assert pacing.ready_ns("new", "new", 2 * SECOND_NS) == 16 * SECOND_NS


def test_what_is_urgent_overtakes_and_everything_is_sent_in_the_end():
    """A heartbeat behind a hundred requests leaves next; the clock sends the rest at the rate."""
    clock, sent = TestClock(0), []
    outbox = Outbox(clock, 35, 10, "outbox")
    for number in range(100):
        outbox.put(lambda number=number: sent.append(number))
    outbox.put(lambda: sent.append("heartbeat"), urgent=True)
    assert sent == list(range(10))
    clock.advance_time(SECOND_NS // 30)
    assert sent[10] == "heartbeat"
    clock.advance_time(3 * SECOND_NS)
    assert len(sent) == 101
    assert not outbox
    assert clock.timer_count == 0

"""Token buckets: no window holds more requests than the source allows, and turns come in order."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import TestClock
from nautilus.engines.marketdata.sources.errors import SourceThrottled
from nautilus.engines.marketdata.sources.rate_limit import RateLimit, RateLimiter, TokenBucket

SECOND = 1_000_000_000


@given(
    requests=st.integers(1, 40),
    burst=st.integers(0, 10),
    seconds=st.integers(1, 100),
    gaps=st.lists(st.integers(0, 20 * SECOND), min_size=1, max_size=150),
)
def test_no_window_holds_more_than_the_limit(requests: int, burst: int, seconds: int, gaps: list[int]) -> None:
    bucket = TokenBucket(RateLimit(requests, float(seconds), min(burst, requests)))
    now, sent = 0, []
    for gap in gaps:
        now += gap
        turn = bucket.free_at(now)
        bucket.take(turn)
        sent.append(turn)
    assert all(before <= after for before, after in pairwise(sent))
    window = seconds * SECOND - requests  # a nanosecond of rounding for each token
    for first, later in zip(sent, sent[requests:], strict=False):
        assert later - first >= window


async def test_turns_come_in_order_on_the_clock_of_the_node() -> None:
    clock = TestClock(0)
    limiter = RateLimiter("fred", [RateLimit(2, 1.0, burst=1), RateLimit(100, 60.0)], clock)
    passed: list[int] = []

    async def ask(number: int) -> None:
        await limiter.acquire(60.0)
        passed.append(number)

    asking = [asyncio.create_task(ask(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert passed == [0]
    for expected in ([0, 1], [0, 1, 2]):
        clock.advance_time(SECOND)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert passed == expected
    await asyncio.gather(*asking)
    assert (limiter.waited, clock.timer_count) == (2, 0)


async def test_a_turn_too_far_away_is_refused_at_once_and_takes_no_token() -> None:
    limiter = RateLimiter("alpha_vantage", [RateLimit(1, 60.0)], TestClock(0))
    await limiter.acquire(0.0)
    for _ in range(3):
        with pytest.raises(SourceThrottled) as caught:
            await limiter.acquire(30.0)
        assert caught.value.retry_after_seconds == 60.0
    assert limiter.wait_seconds() == 60.0


async def test_who_gives_up_waiting_leaves_no_timer_behind() -> None:
    clock = TestClock(0)
    limiter = RateLimiter("yahoo", [RateLimit(1, 1.0)], clock)
    await limiter.acquire(0.0)
    waiting = asyncio.create_task(limiter.acquire(5.0))
    await asyncio.sleep(0)
    assert clock.timer_count == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert clock.timer_count == 0

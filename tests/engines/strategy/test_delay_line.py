"""Messages on their way: none early, none lost, none out of order, none inside the sender's call."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import TestClock
from nautilus.engines.strategy.delay_line import DelayLine


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100)), max_size=40))
def test_messages_arrive_in_order_and_not_before_their_time(script: list[tuple[int, int]]) -> None:
    clock = TestClock(0)
    arrived: list[tuple[int, int]] = []
    line = DelayLine[int](clock, "line", lambda number: arrived.append((number, clock.timestamp_ns())))
    due: list[int] = []
    for number, (pause, delay) in enumerate(script):
        clock.advance_time(pause)
        before = len(arrived)
        line.send(number, delay)
        assert len(arrived) == before
        due.append(max(clock.timestamp_ns() + delay, due[-1] if due else 0))
    clock.advance_time(1_000)
    assert [number for number, _ in arrived] == list(range(len(script)))
    assert [moment for _, moment in arrived] == due
    assert clock.timer_count == len(line) == 0


def test_a_delivery_that_fails_does_not_hold_up_the_next() -> None:
    clock = TestClock(0)
    arrived: list[int] = []

    def deliver(number: int) -> None:
        if number == 1:
            raise ValueError("lost")
        arrived.append(number)

    line = DelayLine[int](clock, "line", deliver)
    for number in range(3):
        line.send(number, number)
    try:
        clock.advance_time(10)
    except ValueError:
        clock.advance_time(10)
    assert arrived == [0, 2]


def test_a_message_sent_while_delivering_waits_its_turn() -> None:
    clock = TestClock(0)
    arrived: list[int] = []

    def deliver(number: int) -> None:
        arrived.append(number)
        if number < 3:
            line.send(number + 1, 5)

    line = DelayLine[int](clock, "line", deliver)
    line.send(1, 5)
    clock.advance_time(10)
    assert arrived == [1, 2]
    line.close()
    clock.advance_time(10)
    assert arrived == [1, 2]
    assert clock.timer_count == 0

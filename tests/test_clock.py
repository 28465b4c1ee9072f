"""The clock: readings, alerts, timers, and the order in which they fire."""

import asyncio
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import LiveClock, TestClock, TimeEvent
from nautilus.errors import Invalid


def test_all_readings_are_of_one_moment() -> None:
    clock = TestClock(1_700_000_000_123_456_789)
    assert clock.timestamp_us() == 1_700_000_000_123_456
    assert clock.timestamp_ms() == 1_700_000_000_123
    assert clock.timestamp() == pytest.approx(1_700_000_000.123456789)
    assert clock.utc_now().isoformat() == "2023-11-14T22:13:20.123456+00:00"


def test_a_timer_repeats_and_the_clock_reads_its_own_time_inside_the_callback() -> None:
    clock = TestClock(100)
    seen: list[tuple[int, int]] = []
    clock.set_timer_ns("t", 10, lambda event: seen.append((event.ts_event, clock.timestamp_ns())))
    events = clock.advance_time(35)
    assert seen == [(110, 110), (120, 120), (130, 130)]
    assert [event.ts_event for event in events] == [110, 120, 130]
    assert clock.timestamp_ns() == 135
    assert clock.next_time_ns("t") == 140


def test_timers_fire_in_time_order_and_ties_in_the_order_they_were_made() -> None:
    clock = TestClock()
    seen: list[str] = []
    for name, interval in (("b", 3), ("a", 2), ("c", 6)):
        clock.set_timer_ns(name, interval, lambda event: seen.append(f"{event.name}{event.ts_event}"))
    clock.advance_time(6)
    assert seen == ["a2", "b3", "a4", "b6", "a6", "c6"]


def test_a_timer_set_inside_a_callback_fires_in_the_same_advance() -> None:
    clock = TestClock()
    seen: list[int] = []

    def first(event: TimeEvent) -> None:
        clock.set_time_alert_ns("second", event.ts_event + 5, lambda later: seen.append(later.ts_event))

    clock.set_time_alert_ns("first", 10, first)
    clock.advance_time(20)
    assert seen == [15]


def test_an_alert_in_the_past_is_due_at_once() -> None:
    clock = TestClock(50)
    seen: list[int] = []
    clock.set_time_alert_ns("late", 10, lambda event: seen.append(event.ts_event))
    clock.advance_time(0)
    assert seen == [50]


def test_a_cancelled_or_replaced_timer_never_fires() -> None:
    clock = TestClock()
    seen: list[str] = []
    clock.set_timer_ns("gone", 1, lambda event: seen.append("gone"))
    clock.cancel_timer("gone")
    clock.cancel_timer("never set")
    clock.set_time_alert_ns("x", 5, lambda event: seen.append("old"))
    clock.set_time_alert_ns("x", 7, lambda event: seen.append("new"))
    clock.advance_time(10)
    assert seen == ["new"]
    assert clock.timer_count == 0


def test_a_timer_stops_itself_from_inside_its_callback() -> None:
    clock = TestClock()
    seen: list[int] = []

    def once(event: TimeEvent) -> None:
        seen.append(event.ts_event)
        clock.cancel_timer(event.name)

    clock.set_timer_ns("t", 2, once)
    clock.advance_time(10)
    assert seen == [2]


def test_stop_time_and_start_time_bound_a_timer() -> None:
    clock = TestClock()
    seen: list[int] = []
    clock.set_timer_ns("t", 10, lambda event: seen.append(event.ts_event), start_ns=5, stop_ns=30)
    clock.advance_time(100)
    assert seen == [15, 25]
    assert clock.timer_names == []


def test_impossible_timers_are_refused_and_name_the_argument() -> None:
    clock = TestClock(10)
    for arguments, field in (
        ({"interval_ns": 0}, "interval_ns"),
        ({"interval_ns": 10, "stop_ns": 15}, "stop_ns"),
    ):
        with pytest.raises(Invalid) as caught:
            clock.set_timer_ns("t", callback=print, **arguments)
        assert caught.value.field == field
    with pytest.raises(Invalid, match="no callback"):
        clock.set_time_alert_ns("t", 20)
    with pytest.raises(Invalid, match="to_ns"):
        clock.advance_to(9)
    assert clock.timer_count == 0


def test_the_default_handler_takes_timers_without_a_callback() -> None:
    clock = TestClock()
    seen: list[str] = []
    clock.register_default_handler(lambda event: seen.append(event.name))
    clock.set_time_alert_ns("a", 1)
    clock.advance_time(1)
    assert seen == ["a"]


@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=12),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_firing_equals_the_sorted_list_of_all_due_times(timers: list[tuple[int, bool]], steps: list[int]) -> None:
    clock = TestClock()
    seen: list[tuple[int, int]] = []
    for order, (interval, repeats) in enumerate(timers):
        name = str(order)
        if repeats:
            clock.set_timer_ns(name, interval, lambda event: seen.append((event.ts_event, int(event.name))))
        else:
            clock.set_time_alert_ns(name, interval, lambda event: seen.append((event.ts_event, int(event.name))))
    for step in steps:
        clock.advance_time(step)
    end = sum(steps)
    expected = [
        (due, order)
        for order, (interval, repeats) in enumerate(timers)
        for due in range(interval, end + 1, interval if repeats else end + 1)
    ]
    assert seen == sorted(expected)


def test_cancelling_many_timers_keeps_the_heap_small() -> None:
    clock = TestClock()
    for number in range(10_000):
        clock.set_time_alert_ns("same", 1_000 + number, print)
        clock.cancel_timer("same")
    assert len(clock._heap) <= 65


async def test_live_timers_really_fire_and_repeat() -> None:
    clock = LiveClock()
    fired = asyncio.Event()
    seen: list[TimeEvent] = []

    def on_timer(event: TimeEvent) -> None:
        seen.append(event)
        if len(seen) == 3:
            fired.set()

    clock.set_timer_ns("tick", 2_000_000, on_timer)
    async with asyncio.timeout(5):
        await fired.wait()
    clock.cancel_timers()
    assert all(event.ts_init >= event.ts_event for event in seen)
    assert seen[0].ts_event < seen[1].ts_event < seen[2].ts_event


async def test_a_failing_live_timer_is_reported_and_the_others_fire() -> None:
    failures: list[str] = []
    clock = LiveClock(on_error=lambda name, error: failures.append(name))
    done = asyncio.Event()

    def fail(event: TimeEvent) -> None:
        raise ValueError(event.name)

    now = clock.timestamp_ns()
    clock.set_time_alert_ns("bad", now, fail)
    clock.set_time_alert_ns("good", now + 1, lambda event: done.set())
    async with asyncio.timeout(5):
        await done.wait()
    assert failures == ["bad"]


def test_the_live_clock_is_the_machines() -> None:
    assert abs(LiveClock().timestamp_ns() - time.time_ns()) < 1_000_000_000


def test_a_failing_callback_ends_the_advance_at_its_time_and_the_next_one_goes_on() -> None:
    clock = TestClock()
    seen: list[int] = []

    def sometimes(event: TimeEvent) -> None:
        if event.ts_event == 20:
            raise ValueError("no")
        seen.append(event.ts_event)

    clock.set_timer_ns("t", 10, sometimes)
    clock.set_time_alert_ns("late", 35, lambda event: seen.append(event.ts_event))
    with pytest.raises(ValueError, match="no"):
        clock.advance_to(40)
    assert clock.timestamp_ns() == 20
    clock.advance_to(40)
    assert seen == [10, 30, 35, 40]


def test_failures_that_somebody_takes_stop_neither_the_advance_nor_the_others() -> None:
    failures: list[tuple[str, str]] = []
    clock = TestClock(0, on_error=lambda name, error: failures.append((name, str(error))))
    seen: list[int] = []

    def fail(event: TimeEvent) -> None:
        raise ValueError(event.ts_event)

    clock.set_timer_ns("bad", 10, fail)
    clock.set_timer_ns("good", 15, lambda event: seen.append(event.ts_event))
    events = clock.advance_to(30)
    assert failures == [("bad", "10"), ("bad", "20"), ("bad", "30")]
    assert seen == [15, 30]
    assert len(events) == 5
    assert clock.timestamp_ns() == 30


class SteppedClock(LiveClock):
    """A live clock whose system time is set by hand; `wake` is what the loop calls."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.seen: list[tuple[str, int, int]] = []
        super().__init__(wall_ns=lambda: self.now_ns)

    def note(self, event: TimeEvent) -> None:
        self.seen.append((event.name, event.ts_event, event.ts_init))

    def wake(self, now_ns: int) -> list[tuple[str, int, int]]:
        self.now_ns = now_ns
        self.seen.clear()
        self._wake()
        return list(self.seen)


async def test_after_a_step_forward_timers_fire_once_and_stay_on_their_grid() -> None:
    clock = SteppedClock()
    clock.set_timer_ns("t", 100, clock.note)
    clock.set_time_alert_ns("a", 1_500, clock.note)
    assert clock.wake(1_100) == [("t", 1_100, 1_100)]
    assert clock.wake(9_950) == [("t", 9_900, 9_950), ("a", 1_500, 9_950)]
    assert clock.next_time_ns("t") == 10_000
    clock.cancel_timers()


async def test_a_timer_that_is_one_whole_interval_late_fires_once() -> None:
    clock = SteppedClock()
    clock.set_timer_ns("t", 100, clock.note)
    assert clock.wake(1_200) == [("t", 1_200, 1_200)]
    assert clock.next_time_ns("t") == 1_300
    clock.cancel_timers()


async def test_after_a_stall_a_timer_never_fires_later_than_its_stop() -> None:
    clock = SteppedClock()
    clock.set_timer_ns("t", 100, clock.note, stop_ns=1_350)
    assert clock.wake(9_000) == [("t", 1_300, 9_000)]
    assert clock.timer_count == 0


async def test_after_a_step_back_repeating_timers_go_on_and_alerts_wait_for_their_time() -> None:
    clock = SteppedClock()
    clock.set_timer_ns("t", 100, clock.note)
    clock.set_timer_ns("to come", 100, clock.note, start_ns=50_000)
    clock.set_time_alert_ns("a", 20_000, clock.note)
    clock.wake(10_050)
    assert clock.wake(5_030) == []
    assert clock.next_time_ns("t") == 5_100
    assert clock.next_time_ns("to come") == 50_100
    assert clock.wake(5_100) == [("t", 5_100, 5_100)]
    assert clock.wake(20_000) == [("t", 20_000, 20_000), ("a", 20_000, 20_000)]
    clock.cancel_timers()


async def test_a_small_step_back_repeats_nothing() -> None:
    clock = SteppedClock()
    clock.set_timer_ns("t", 100, clock.note)
    clock.wake(1_100)
    assert clock.wake(1_080) == []
    assert clock.wake(1_110) == []
    assert clock.wake(1_200) == [("t", 1_200, 1_200)]
    clock.cancel_timers()


async def test_the_live_clock_never_sleeps_through_a_step_of_the_systems() -> None:
    clock = LiveClock()
    clock.set_time_alert_ns("tomorrow", clock.timestamp_ns() + 86_400_000_000_000, print)
    assert clock._handle is not None
    assert clock._handle.when() - asyncio.get_running_loop().time() <= 1.0
    clock.cancel_timers()


def test_setting_one_name_again_and_again_keeps_the_heap_small() -> None:
    clock = TestClock()
    seen: list[int] = []
    for number in range(10_000):
        clock.set_time_alert_ns("deadline", 1_000_000 + number, lambda event: seen.append(event.ts_event))
    assert len(clock._heap) <= 65
    clock.advance_to(2_000_000)
    assert seen == [1_009_999]


def test_names_are_in_the_order_in_which_the_timers_were_made() -> None:
    clock = TestClock()
    for name in ("a", "b", "c", "a"):
        clock.set_time_alert_ns(name, 5, print)
    assert clock.timer_names == ["b", "c", "a"]


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60), st.integers(0, 70))
def test_the_next_timers_are_those_that_are_due_first(timers: list[tuple[int, bool]], limit: int) -> None:
    clock = TestClock()
    for number, (due_ns, _) in enumerate(timers):
        clock.set_time_alert_ns(str(number), due_ns, print)
    for number, (_, is_cancelled) in enumerate(timers):
        if is_cancelled:
            clock.cancel_timer(str(number))
    kept = [(due_ns, number) for number, (due_ns, is_cancelled) in enumerate(timers) if not is_cancelled]
    assert clock.next_timers(limit) == [(str(number), due_ns) for due_ns, number in sorted(kept)[:limit]]


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=10), st.integers(1, 4), st.integers(0, 60))
def test_advancing_a_few_events_at_a_time_equals_advancing_at_once(
    timers: list[tuple[int, bool]], most: int, to_ns: int
) -> None:
    seen: list[list[tuple[str, int, int]]] = []
    for limit in (None, most):
        clock, fired = TestClock(), []
        for order, (interval, repeats) in enumerate(timers):
            (clock.set_timer_ns if repeats else clock.set_time_alert_ns)(str(order), interval, lambda event: None)
        while True:
            events = clock.advance_to(to_ns, most=limit)
            fired += [(event.name, event.ts_event, event.ts_init) for event in events]
            if limit is None or len(events) < limit:
                break
        assert clock.timestamp_ns() == to_ns
        seen.append(fired)
    assert seen[0] == seen[1]


def test_at_least_one_event_at_a_time() -> None:
    with pytest.raises(Invalid, match="most"):
        TestClock().advance_to(1, most=0)


async def test_an_earlier_timer_wakes_the_clock_earlier_and_a_later_one_changes_nothing() -> None:
    clock = LiveClock()
    now = clock.timestamp_ns()
    clock.set_time_alert_ns("soon", now + 500_000_000, print)
    first = clock._handle
    clock.set_time_alert_ns("later", now + 600_000_000, print)
    assert clock._handle is first
    clock.set_time_alert_ns("sooner", now + 100_000_000, print)
    assert clock._handle is not first
    clock.cancel_timers()
    assert clock._handle is None


async def test_a_timer_set_after_a_step_forward_does_not_wait_for_the_next_look() -> None:
    clock = SteppedClock()
    clock.set_time_alert_ns("far", 10**15, clock.note)
    before = clock._handle
    clock.now_ns += 10**12
    clock.set_time_alert_ns("soon", clock.now_ns + 1_000, clock.note)
    assert clock._handle is not before
    assert clock._handle is not None
    assert clock._handle.when() - asyncio.get_running_loop().time() < 0.1
    clock.cancel_timers()


async def test_many_timers_due_at_once_leave_the_loop_its_turns() -> None:
    clock = LiveClock()
    seen: list[str] = []
    now = clock.timestamp_ns()
    for number in range(3_000):
        clock.set_time_alert_ns(str(number), now, lambda event: seen.append(event.name))
    most, before = 0, 0
    async with asyncio.timeout(5):
        while len(seen) < 3_000:
            await asyncio.sleep(0)
            most, before = max(most, len(seen) - before), len(seen)
    assert seen == [str(number) for number in range(3_000)]
    assert 0 < most <= 512
    clock.cancel_timers()


def test_timers_set_without_a_loop_wait_for_attach() -> None:
    clock = LiveClock()
    fired = asyncio.Event()
    clock.set_time_alert_ns("a", 0, lambda event: fired.set())

    async def run() -> None:
        clock.attach()
        async with asyncio.timeout(5):
            await fired.wait()
        clock.cancel_timers()

    asyncio.run(run())
    assert clock.timer_count == 0


def test_timers_are_cancelled_by_the_beginning_of_their_names() -> None:
    clock = TestClock()
    for number in range(200):
        clock.set_time_alert_ns(f"vpin:{number}", 5, print)
        clock.set_time_alert_ns(f"enhanced_vpin:{number}", 5, print)
    clock.cancel_timers("vpin:")
    assert clock.timer_names == [f"enhanced_vpin:{number}" for number in range(200)]
    clock.cancel_timers("enhanced_vpin:")
    assert (clock.timer_count, clock._heap) == (0, [])


async def test_a_live_clock_goes_on_when_only_some_timers_are_cancelled() -> None:
    clock = LiveClock()
    clock.attach()
    clock.set_time_alert_ns("a:1", 0, print)
    clock.cancel_timers("a:")
    assert clock._handle is not None
    clock.cancel_timers()
    assert clock._handle is None


@pytest.mark.soak
def test_a_million_timers_fire_in_order_and_half_of_them_are_cancelled_before() -> None:
    clock, draw = TestClock(), random.Random(1)
    seen: list[int] = []
    dues = [draw.randrange(10**12) for _ in range(1_000_000)]
    for number, due_ns in enumerate(dues):
        clock.set_time_alert_ns(str(number), due_ns, lambda event: seen.append(int(event.name)))
    for number in range(0, 1_000_000, 2):
        clock.cancel_timer(str(number))
    clock.advance_to(10**12)
    assert seen == sorted(range(1, 1_000_000, 2), key=lambda number: (dues[number], number))
    assert (clock.timer_count, clock._heap) == (0, [])

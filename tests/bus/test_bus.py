"""The bus: who gets what, in which order, and what happens when somebody fails."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus import Bus, Policy
from nautilus.bus.patterns import matches
from nautilus.errors import Conflict, Invalid, Unavailable
from nautilus.model import Channel, MessageType, topics

TOPIC: Any = "quote.AAPL.XNAS"


def test_every_message_type_has_exactly_one_channel_and_every_family_a_type() -> None:
    assert {kind.channel for kind in MessageType} == set(Channel)
    assert {topics.message_type(f"{family}.x") for family in topics.FAMILIES} <= set(MessageType)
    assert MessageType.PRICE_UPDATE.channel is Channel.MARKETDATA
    assert MessageType.RISK_ALERT.channel is Channel.ENGINE_LOGIC
    assert MessageType.GPU_COMPUTATION.channel is Channel.NEURAL_GPU


def test_the_object_itself_is_delivered_in_order_of_subscription() -> None:
    bus = Bus()
    seen: list[tuple[str, object]] = []
    bus.subscribe(TOPIC, lambda message: seen.append(("exact", message)))
    bus.subscribe(topics.ALL_QUOTES, lambda message: seen.append(("all", message)))
    message: Any = object()
    bus.publish(TOPIC, message)
    assert seen == [("exact", message), ("all", message)]


def test_a_wildcard_catches_topics_first_seen_later_and_earlier() -> None:
    bus = Bus()
    seen: list[Any] = []
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    bus.subscribe(topics.ALL_QUOTES, seen.append)
    bus.publish(TOPIC, 2)  # type: ignore[arg-type]
    bus.publish(topics.quote("NEW.XNAS"), 3)  # type: ignore[arg-type]
    bus.publish(topics.trade("NEW.XNAS"), 4)  # type: ignore[arg-type]
    assert seen == [2, 3]


tokens = st.sampled_from(["a", "b", "*", ">"])


def slow_matches(pattern: list[str], topic: list[str]) -> bool:
    if not pattern or not topic:
        return not pattern and not topic
    if pattern == [">"]:
        return True
    return pattern[0] in ("*", topic[0]) and slow_matches(pattern[1:], topic[1:])


@given(
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5),
)
def test_matching_equals_a_recursive_definition(pattern: list[str], rest: bool, topic: list[str]) -> None:
    wanted = [*pattern, ">"] if rest else pattern
    assert matches(".".join(wanted), ".".join(topic)) == slow_matches(wanted, topic)


@pytest.mark.parametrize("pattern", ["quote..x", "quote.>.x", "quote.A*", "nonsense.x", ""])
def test_impossible_patterns_are_refused(pattern: Any) -> None:
    with pytest.raises(Invalid):
        Bus().subscribe(pattern, print)


def test_publishing_to_a_pattern_or_an_unknown_family_is_refused() -> None:
    bus = Bus()
    with pytest.raises(Conflict):
        bus.publish(topics.ALL_QUOTES, 1)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="unknown family"):
        bus.publish("nonsense.x", 1)  # type: ignore[arg-type]


def test_a_failing_handler_is_counted_and_reported_and_its_neighbours_are_called() -> None:
    failures: list[tuple[str, str, int]] = []
    bus = Bus(on_error=lambda source, error, count: failures.append((source, str(error), count)))
    seen: list[Any] = []

    def fail(message: Any) -> None:
        raise ValueError("no")

    first = bus.subscribe(TOPIC, fail, owner="bad")
    bus.subscribe(TOPIC, seen.append, owner="good")
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    bus.publish(TOPIC, 2)  # type: ignore[arg-type]
    assert seen == [1, 2]
    assert failures == [("bad", "no", 1), ("bad", "no", 2)]
    assert first.errors == 2


def test_a_cancelled_subscription_gets_nothing_more_even_twice_cancelled() -> None:
    bus = Bus()
    seen: list[Any] = []
    subscription = bus.subscribe(topics.ALL_QUOTES, seen.append)
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    subscription.cancel()
    subscription.cancel()
    bus.publish(TOPIC, 2)  # type: ignore[arg-type]
    bus.publish(topics.quote("B.X"), 3)  # type: ignore[arg-type]
    assert seen == [1]
    assert bus.subscriptions == ()


def test_subscribing_while_a_message_is_delivered_takes_effect_with_the_next() -> None:
    bus = Bus()
    seen: list[Any] = []
    bus.subscribe(TOPIC, lambda message: bus.subscribe(TOPIC, seen.append) if message == 1 else None)
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    assert seen == []
    bus.publish(TOPIC, 2)  # type: ignore[arg-type]
    assert seen == [2]


def test_endpoints_answer_inline_and_their_errors_reach_the_caller() -> None:
    bus = Bus()
    undo = bus.register("risk.gate", lambda message: message * 2)
    assert bus.call("risk.gate", 21) == 42
    with pytest.raises(Conflict):
        bus.register("risk.gate", print)
    undo()
    undo()
    with pytest.raises(Unavailable, match=r"risk\.gate"):
        bus.call("risk.gate", 1)


async def test_requests_are_answered_or_time_out() -> None:
    bus = Bus()

    async def answer(message: int) -> int:
        await asyncio.sleep(10 if message < 0 else 0)
        return message + 1

    bus.serve("data", answer)
    assert await bus.request("data", 1, timeout=1) == 2
    with pytest.raises(Unavailable, match="no answer"):
        await bus.request("data", -1, timeout=0.01)
    with pytest.raises(Unavailable, match="nothing answers"):
        await bus.request("other", 1, timeout=1)


async def run_mailbox(messages: list[int], **options: Any) -> tuple[list[int], int]:
    bus = Bus(on_error=lambda *_: None)
    seen: list[int] = []

    async def handle(message: int) -> None:
        if message < 0:
            raise ValueError(message)
        seen.append(message)

    _, box = bus.mailbox(TOPIC, handle, **options)
    for message in messages:
        bus.publish(TOPIC, message)  # type: ignore[arg-type]
    task = asyncio.create_task(box.run())
    await box.drain()
    task.cancel()
    return seen, box.dropped


async def test_a_mailbox_hands_over_in_order_and_survives_a_failing_handler() -> None:
    assert await run_mailbox([1, -1, 2]) == ([1, 2], 0)


async def test_drop_oldest_keeps_the_newest_and_counts_the_rest() -> None:
    assert await run_mailbox([1, 2, 3, 4], capacity=2) == ([3, 4], 2)


async def test_keep_latest_keeps_one_a_key() -> None:
    seen, dropped = await run_mailbox([1, 2, 11, 12, 3], policy=Policy.KEEP_LATEST, key=lambda message: message // 10)
    assert (seen, dropped) == ([3, 12], 3)


async def test_wait_refuses_what_does_not_fit_and_the_failure_is_counted() -> None:
    failures: list[int] = []
    bus = Bus(on_error=lambda source, error, count: failures.append(count))

    async def handle(message: int) -> None: ...

    subscription, _ = bus.mailbox(TOPIC, handle, policy=Policy.WAIT, capacity=1)
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    bus.publish(TOPIC, 2)  # type: ignore[arg-type]
    assert subscription.errors == 1
    assert failures == [1]


async def test_impossible_mailboxes_are_refused() -> None:
    async def handle(message: int) -> None: ...

    bus = Bus()
    with pytest.raises(Invalid, match="capacity"):
        bus.mailbox(TOPIC, handle, capacity=0)
    with pytest.raises(Invalid, match="key"):
        bus.mailbox(TOPIC, handle, policy=Policy.KEEP_LATEST)


def test_statistics_count_each_topic() -> None:
    bus = Bus()
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    bus.publish(TOPIC, 1)  # type: ignore[arg-type]
    (report,) = bus.statistics()
    assert (report.topic, report.published, report.subscribers, report.channel) == (TOPIC, 2, 0, Channel.MARKETDATA)


def test_a_handler_that_cancels_itself_and_fails_is_reported_all_the_same() -> None:
    failures: list[tuple[str, str]] = []
    bus = Bus(on_error=lambda source, error, count: failures.append((source, str(error))))

    def fail(message: Any) -> None:
        subscription.cancel()
        raise ValueError("last words")

    subscription = bus.subscribe(TOPIC, fail, owner="bad")
    bus.publish(TOPIC, 1)
    assert failures == [(TOPIC, "last words")]


def test_topics_that_were_only_listened_to_are_forgotten_with_the_last_listener() -> None:
    bus = Bus()
    for number in range(100):
        bus.subscribe(topics.quote(f"N{number}.X"), print).cancel()
    assert bus.statistics() == []
    bus.publish(TOPIC, 1)
    bus.subscribe(TOPIC, print).cancel()
    assert [report.published for report in bus.statistics()] == [1]


def test_taps_are_told_the_topic_before_the_handlers_in_the_order_in_which_they_were_made() -> None:
    failures: list[tuple[str, str]] = []
    bus = Bus(on_error=lambda source, error, count: failures.append((source, str(error))))
    seen: list[Any] = []
    bus.subscribe(TOPIC, lambda message: seen.append(("handler", message)))
    bus.tap(topics.ALL_QUOTES, lambda topic, message: seen.append((topic, message)))

    def fail(topic: str, message: Any) -> None:
        raise ValueError(topic)

    last = bus.tap(">", fail, owner="edge")
    bus.subscribe(TOPIC, lambda message: seen.append(("late", message)))
    bus.publish(TOPIC, 1)
    assert seen == [(TOPIC, 1), ("handler", 1), ("late", 1)]
    assert failures == [("edge", TOPIC)]
    assert last.errors == 1
    last.cancel()
    bus.publish(TOPIC, 2)
    assert len(failures) == 1


async def test_waiting_publishers_wait_for_boxes_on_patterns_and_for_later_ones() -> None:
    bus = Bus(on_error=lambda *_: None)
    seen: list[Any] = []

    async def handle(message: Any) -> None:
        seen.append(message)

    await bus.publish_waiting(TOPIC, 0)
    subscription, box = bus.mailbox(topics.ALL_QUOTES, handle, policy=Policy.WAIT, capacity=1)
    task = asyncio.create_task(box.run())
    for message in range(1, 20):
        await bus.publish_waiting(TOPIC, message)
    await box.drain()
    assert seen == list(range(1, 20))
    task.cancel()
    subscription.cancel()
    await bus.publish_waiting(TOPIC, 20)
    assert len(seen) == 19

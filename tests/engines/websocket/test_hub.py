"""The hub listens to what is wanted, and everybody gets what they want once."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.bus import Bus
from nautilus.bus.patterns import matches
from nautilus.engines.websocket.codec import Item
from nautilus.engines.websocket.delivery import DELIVERIES
from nautilus.engines.websocket.hub import Hub, Subscriber
from nautilus.engines.websocket.models import Gap
from nautilus.engines.websocket.outbox import Outbox
from nautilus.errors import Invalid
from nautilus.model import InstrumentRegistry, topics
from nautilus.model.messages import RiskAlert, RiskMetric, VpinCalculation
from nautilus.testing import make_instrument, make_quote, make_trade


class Scene:
    """A bus, a hub and its subscribers."""

    def __init__(self, history_events: int = 8) -> None:
        self.bus = Bus()
        self.hub = Hub(
            lambda pattern, handler: self.bus.subscribe(pattern, handler).cancel, InstrumentRegistry(), history_events
        )
        self.hub.open()

    def subscriber(self, *patterns: str, capacity: int = 4096) -> Subscriber:
        subscriber = Subscriber(Outbox(capacity, "gap", lambda: None))
        self.hub.add(subscriber)
        self.hub.subscribe(subscriber, patterns)
        return subscriber

    def listening(self, family: str) -> list[str]:
        return sorted(one.pattern for one in self.bus.subscriptions if one.pattern.startswith(f"{family}."))


def taken(subscriber: Subscriber) -> list[Item]:
    return subscriber.outbox.take()[1]


def got(subscriber: Subscriber) -> list[tuple[str, Any]]:
    return [(item.topic, item.message) for item in taken(subscriber)]


def alert(number: int) -> RiskAlert:
    return RiskAlert(ts_event=number, scope="x", kind="test", severity="info", message=str(number))


def vpin(instrument_id: str, ts_event: int = 1) -> VpinCalculation:
    return VpinCalculation(
        ts_event=ts_event,
        instrument_id=instrument_id,
        vpin=0.1,
        cdf=None,
        level="low",
        classification="bulk",
        bucket_index=1,
        bucket_lots=1,
        buy_lots=1,
        sell_lots=0,
    )


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_nothing_but_the_kept_families_is_listened_to_without_clients(scene: Scene) -> None:
    assert sorted(one.pattern for one in scene.bus.subscriptions) == sorted(
        f"{family}.>" for family, delivery in DELIVERIES.items() if delivery.kept
    )
    scene.hub.close()
    assert scene.bus.subscriptions == ()


def test_the_bus_is_listened_to_as_far_as_wanted(scene: Scene) -> None:
    one = scene.subscriber("quote.A.X")
    assert scene.listening("quote") == ["quote.A.X"]
    two = scene.subscriber("quote.*.X", "trade.B.X")
    assert scene.listening("quote") == ["quote.>"]
    assert scene.listening("trade") == ["trade.B.X"]
    scene.hub.remove(two)
    assert scene.listening("quote") == ["quote.A.X"]
    assert scene.listening("trade") == []
    scene.hub.remove(one)
    assert scene.listening("quote") == []


def test_states_come_with_the_flush_and_only_the_newest(scene: Scene) -> None:
    one = scene.subscriber("quote.>")
    quotes = [make_quote(bid_ticks=bid) for bid in range(1, 6)]
    for quote in quotes:
        scene.bus.publish(topics.quote("TEST.SIM"), quote)
    assert taken(one) == []
    assert scene.hub.flush() == 1
    assert got(one) == [("quote.TEST.SIM", quotes[-1])]
    assert scene.hub.flush() == 0


def test_events_come_at_once_and_all_of_them_numbered(scene: Scene) -> None:
    one = scene.subscriber("trade.>")
    trades = [make_trade(trade_id=number) for number in range(5)]
    for trade in trades:
        scene.bus.publish(topics.trade("TEST.SIM"), trade)
    items = taken(one)
    assert [item.message for item in items] == trades
    assert [item.sequence for item in items] == [1, 2, 3, 4, 5]


def test_one_message_is_one_item_whoever_gets_it(scene: Scene) -> None:
    clients = [scene.subscriber("trade.>") for _ in range(3)]
    scene.bus.publish(topics.trade("TEST.SIM"), make_trade())
    items = [taken(client)[0] for client in clients]
    assert items[0] is items[1] is items[2]
    assert items[0].encoded("json") is items[1].encoded("json")


def test_states_that_share_a_topic_are_kept_apart_by_their_key(scene: Scene) -> None:
    one = scene.subscriber("risk_metric.>")
    for scope in ("a", "b", "a"):
        scene.bus.publish(topics.risk_metric("var"), RiskMetric(ts_event=1, name="var", scope=scope, value=1.0))
    scene.hub.flush()
    assert [item.message.scope for item in taken(one)] == ["a", "b"]  # type: ignore[attr-defined]


def test_a_snapshot_is_the_latest_of_what_was_kept(scene: Scene) -> None:
    for instrument_id, ts in (("A.X", 1), ("B.X", 1), ("A.X", 2)):
        scene.bus.publish(topics.vpin(instrument_id), vpin(instrument_id, ts))
    found = [(item.topic, item.kind, item.message.ts_event) for _, item in scene.hub.snapshot(["vpin.>"])]  # type: ignore[attr-defined]
    assert found == [("vpin.A.X", "snapshot", 2), ("vpin.B.X", "snapshot", 1)]
    assert [item.topic for _, item in scene.hub.snapshot(["vpin.B.X"])] == ["vpin.B.X"]


def test_a_state_nobody_listens_to_any_more_is_no_snapshot(scene: Scene) -> None:
    one = scene.subscriber("quote.>")
    two = scene.subscriber("quote.A.X")
    for name in ("A.X", "B.X"):
        scene.bus.publish(topics.quote(name), make_quote(name))
    scene.hub.remove(one)
    assert [item.topic for _, item in scene.hub.snapshot(["quote.>"])] == ["quote.A.X"]
    scene.hub.remove(two)
    assert list(scene.hub.snapshot(["quote.>"])) == []


def test_what_is_known_already_can_be_seeded(scene: Scene) -> None:
    scene.hub.seed("instrument", [make_instrument("A.X")])
    assert [item.topic for _, item in scene.hub.snapshot(["instrument.>"])] == ["instrument.A.X"]


def test_kept_events_are_there_for_who_comes_back(scene: Scene) -> None:
    for number in range(1, 5):
        scene.bus.publish(topics.risk_alert("x"), alert(number))
    one = scene.subscriber("risk_alert.>")
    scene.hub.replay(one, ["risk_alert.>"], after=2)
    frames, items = one.outbox.take()
    assert frames == []
    assert [item.sequence for item in items] == [3, 4]


def test_events_that_are_gone_are_named(scene: Scene) -> None:
    for number in range(1, 13):
        scene.bus.publish(topics.risk_alert("x"), alert(number))
    one = scene.subscriber("risk_alert.>")
    scene.hub.replay(one, ["risk_alert.>"], after=2)
    frames, items = one.outbox.take()
    assert frames == [Gap(reason="history", dropped=None, from_sequence=3, through_sequence=4)]
    assert [item.sequence for item in items] == list(range(5, 13))


def test_without_history_every_missed_event_is_a_gap() -> None:
    scene = Scene(history_events=0)
    scene.bus.publish(topics.risk_alert("x"), alert(1))
    one = scene.subscriber("risk_alert.>")
    scene.hub.replay(one, ["risk_alert.>"], after=0)
    assert one.outbox.take() == ([Gap(reason="history", dropped=None, from_sequence=1, through_sequence=1)], [])


def test_events_that_are_not_kept_cannot_be_resumed_and_it_says_so(scene: Scene) -> None:
    other = scene.subscriber("trade.>")
    scene.bus.publish(topics.trade("TEST.SIM"), make_trade())
    one = scene.subscriber("trade.>")
    scene.hub.replay(one, ["trade.>"], after=0)
    assert one.outbox.take()[0] == [Gap(reason="not_kept", dropped=None, from_sequence=1, through_sequence=1)]
    assert len(taken(other)) == 1


def test_a_refused_pattern_changes_nothing(scene: Scene) -> None:
    one = scene.subscriber()
    with pytest.raises(Invalid):
        scene.hub.subscribe(one, ["quote.>", "nonsense.>"])
    assert one.patterns == {}
    assert scene.listening("quote") == []


def test_the_report_says_who_listens_to_what(scene: Scene) -> None:
    scene.subscriber("quote.A.X")
    quote = next(family for family in scene.hub.report() if family.family == "quote")
    assert (quote.delivery, quote.clients, quote.bus_patterns) == ("state", 1, ["quote.A.X"])


NAMES = ["A.X", "B.X", "A.Y"]
PATTERNS = ["trade.A.X", "trade.B.X", "trade.*.X", "trade.A.*", "trade.>", "*.A.X", ">", "quote.>"]
STEP = st.one_of(
    st.tuples(st.just("subscribe"), st.integers(0, 2), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)),
    st.tuples(st.just("unsubscribe"), st.integers(0, 2), st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3)),
    st.tuples(st.just("publish"), st.sampled_from(NAMES), st.none()),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40))
def test_everybody_gets_what_they_want_exactly_once(steps: list[tuple[str, Any, Any]]) -> None:
    scene = Scene()
    clients = [scene.subscriber() for _ in range(3)]
    wanted: list[set[str]] = [set(), set(), set()]
    expected: list[list[int]] = [[], [], []]
    numbers = itertools.count()
    for step, who, patterns in steps:
        if step == "subscribe":
            scene.hub.subscribe(clients[who], patterns)
            wanted[who].update(patterns)
        elif step == "unsubscribe":
            scene.hub.unsubscribe(clients[who], patterns)
            wanted[who].difference_update(patterns)
        else:
            number = next(numbers)
            scene.bus.publish(topics.trade(who), make_trade(who, trade_id=number))
            for index in range(3):
                if any(matches(pattern, f"trade.{who}") for pattern in wanted[index]):
                    expected[index].append(number)
    for client, numbers_expected in zip(clients, expected, strict=True):
        assert [item.message.trade_id for item in taken(client)] == numbers_expected  # type: ignore[attr-defined]
    for client in clients:
        scene.hub.remove(client)
    assert scene.listening("trade") == scene.listening("quote") == []

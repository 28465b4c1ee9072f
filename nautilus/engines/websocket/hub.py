"""Between the bus and the clients: who wants which topic, the latest of each state, the last events.

In the publisher's stack a message costs a few dictionary operations, whatever the number of clients: states are noted
and handed out at the next flush, events are appended to the outboxes of those who want them. Nothing is encoded here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Literal

from msgspec import Struct

from nautilus.bus.patterns import is_pattern, matches
from nautilus.engines.websocket.codec import Item
from nautilus.engines.websocket.delivery import DELIVERIES, Delivery, bus_patterns, families_of
from nautilus.engines.websocket.models import Gap, TopicFamily
from nautilus.engines.websocket.outbox import Outbox
from nautilus.model.instruments import InstrumentRegistry

STATES_IN_A_FAMILY_MAX = 20_000

Listen = Callable[[str, Callable[[Any], None]], Callable[[], None]]
"""Subscribe to a pattern of the bus; returns the undoing."""


class Subscriber:
    """One receiver: the patterns that it wants, and its outbox."""

    __slots__ = ("outbox", "patterns")

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.patterns: dict[str, None] = {}

    def wants(self, topic: str) -> bool:
        """Whether one of the patterns matches."""
        return any(matches(pattern, topic) for pattern in self.patterns)


class Hub:
    """Routes messages of the bus to subscribers; listens only to what somebody wants, and to the kept families."""

    def __init__(self, listen: Listen, instruments: InstrumentRegistry, history_events: int) -> None:
        self.sequence = 0
        self._listen = listen
        self._instruments = instruments
        self._subscribers: dict[Subscriber, None] = {}
        self._routes: dict[str, dict[Subscriber, None]] = {}
        self._listening: dict[str, dict[str, Callable[[], None]]] = {family: {} for family in DELIVERIES}
        self._latest: dict[str, dict[str, tuple[str, Struct]]] = {family: {} for family in DELIVERIES}
        self._dirty: dict[str, tuple[str, Struct]] = {}
        self._history: deque[Item] = deque(maxlen=history_events)
        self._forgotten_through = 0

    def open(self) -> None:
        """Begin to listen to the kept families."""
        for family in DELIVERIES:
            self._listen_as_wanted(family)

    def close(self) -> None:
        """Listen to nothing any more."""
        for listening in self._listening.values():
            for undo in listening.values():
                undo()
            listening.clear()

    # -- subscribers ---------------------------------------------------------------------------------------------

    def add(self, subscriber: Subscriber) -> None:
        """Make a subscriber known; it wants nothing yet."""
        self._subscribers[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        self.unsubscribe(subscriber, list(subscriber.patterns))
        self._subscribers.pop(subscriber, None)

    def subscribe(self, subscriber: Subscriber, patterns: Iterable[str]) -> list[str]:
        """Route the patterns to the subscriber from now on; returns those that are new to it. Invalid if one cannot be.

        Nothing is changed when one of them is refused.
        """
        fresh = [pattern for pattern in dict.fromkeys(patterns) if pattern not in subscriber.patterns]
        families = {delivery.family for pattern in fresh for delivery, _ in families_of(pattern)}
        subscriber.patterns.update(dict.fromkeys(fresh))
        for topic, route in self._routes.items():
            if any(matches(pattern, topic) for pattern in fresh):
                route[subscriber] = None
        for family in families:
            self._listen_as_wanted(family)
        return fresh

    def unsubscribe(self, subscriber: Subscriber, patterns: Iterable[str]) -> None:
        """Route the patterns to the subscriber no longer."""
        families: set[str] = set()
        for pattern in patterns:
            if subscriber.patterns.pop(pattern, "absent") is None:
                families.update(delivery.family for delivery, _ in families_of(pattern))
        for topic, route in self._routes.items():
            if subscriber in route and not subscriber.wants(topic):
                del route[subscriber]
        for family in families:
            self._listen_as_wanted(family)

    def snapshot(self, patterns: Iterable[str]) -> Iterator[tuple[str, Item]]:
        """The latest of every state under the patterns, with its key. May be advanced between other calls."""
        for pattern in patterns:
            for delivery, own in families_of(pattern):
                latest = self._latest[delivery.family]
                for key in list(latest):
                    entry = latest.get(key)
                    if entry is not None and matches(own, entry[0]):
                        yield key, self._item(entry[0], "snapshot", entry[1])

    def replay(self, subscriber: Subscriber, patterns: list[str], after: int) -> None:
        """Hand the subscriber the kept events after a sequence, and a Gap where some are not there any more."""
        if after < self._forgotten_through:
            self._gap(subscriber, "history", after + 1, self._forgotten_through)
        deliveries = [delivery for pattern in patterns for delivery, _ in families_of(pattern)]
        if after < self.sequence and not all(delivery.kept or delivery.state for delivery in deliveries):
            self._gap(subscriber, "not_kept", after + 1, self.sequence)
        for item in self._history:
            if item.sequence > after and any(matches(pattern, item.topic) for pattern in patterns):
                subscriber.outbox.event(item)

    # -- messages ------------------------------------------------------------------------------------------------

    def seed(self, family: str, messages: Iterable[Struct]) -> None:
        """Note states that are known already, as if they had just been published."""
        for message in messages:
            self._state(DELIVERIES[family], None, message)

    def flush(self) -> int:
        """Hand out the states that changed since the last flush; returns how many were left in outboxes."""
        dirty, self._dirty = self._dirty, {}
        delivered = 0
        for key, (topic, message) in dirty.items():
            route = self._route(topic)
            if route:
                item = self._item(topic, "update", message)
                for subscriber in route:
                    subscriber.outbox.state(key, item)
                delivered += len(route)
        return delivered

    def report(self) -> list[TopicFamily]:
        """How each family is delivered, and who listens."""
        return [
            TopicFamily(
                family=family,
                delivery="state" if delivery.state else "event",
                kept=delivery.kept,
                clients=sum(
                    any(found.family == family for pattern in subscriber.patterns for found, _ in families_of(pattern))
                    for subscriber in self._subscribers
                ),
                bus_patterns=sorted(self._listening[family]),
                latest_kept=len(self._latest[family]),
            )
            for family, delivery in DELIVERIES.items()
        ]

    def _state(self, delivery: Delivery, topic: str | None, message: Any) -> None:
        if topic is None:
            topic = f"{delivery.family}.{delivery.subject(message)}"
        key = topic if delivery.key is None else f"{topic} {delivery.key(message)}"
        latest = self._latest[delivery.family]
        if key not in latest and len(latest) >= STATES_IN_A_FAMILY_MAX:
            del latest[next(iter(latest))]
        latest[key] = self._dirty[key] = (topic, message)

    def _event(self, delivery: Delivery, topic: str | None, message: Any) -> None:
        if topic is None:
            topic = f"{delivery.family}.{delivery.subject(message)}"
        item = self._item(topic, "update", message)
        if delivery.kept:
            if len(self._history) == self._history.maxlen:
                self._forgotten_through = self._history[0].sequence if self._history else item.sequence
            self._history.append(item)
        for subscriber in self._route(topic):
            subscriber.outbox.event(item)

    def _item(self, topic: str, kind: Literal["update", "snapshot"], message: Struct) -> Item:
        self.sequence += 1
        return Item(topic, self.sequence, kind, message, self._instruments)

    def _route(self, topic: str) -> dict[Subscriber, None]:
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= STATES_IN_A_FAMILY_MAX * 4:
                self._routes.clear()
            route = {subscriber: None for subscriber in self._subscribers if subscriber.wants(topic)}
            self._routes[topic] = route
        return route

    def _gap(self, subscriber: Subscriber, reason: Literal["history", "not_kept"], first: int, last: int) -> None:
        subscriber.outbox.frame(Gap(reason=reason, dropped=None, from_sequence=first, through_sequence=last))

    # -- the bus -------------------------------------------------------------------------------------------------

    def _listen_as_wanted(self, family: str) -> None:
        delivery = DELIVERIES[family]
        wanted = {
            own
            for subscriber in self._subscribers
            for pattern in subscriber.patterns
            for found, own in families_of(pattern)
            if found is delivery
        }
        target = {f"{family}.>"} if delivery.kept else bus_patterns(family, wanted)
        listening = self._listening[family]
        gone = [pattern for pattern in listening if pattern not in target]
        for pattern in gone:
            listening.pop(pattern)()
        receive = self._state if delivery.state else self._event
        for pattern in target - listening.keys():
            topic = None if is_pattern(pattern) else pattern
            listening[pattern] = self._listen(pattern, partial(receive, delivery, topic))
        if gone:
            self._latest[family] = {
                key: entry
                for key, entry in self._latest[family].items()
                if any(matches(pattern, entry[0]) for pattern in listening)
            }

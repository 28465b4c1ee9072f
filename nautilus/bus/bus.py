"""Publish and subscribe in one process: publishing is one dictionary look-up and the calls.

Three channels carry the message types (see `nautilus.model.enums`); a topic's family says which. Wildcards are
resolved when a subscription is made or a topic first seen, never while publishing. A handler that raises is isolated,
counted and reported. Beside topics there are endpoints: one handler, called inline, returning a value.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any

import msgspec

from nautilus.bus.mailbox import Mailbox, Policy
from nautilus.bus.patterns import check_pattern, is_pattern, matches
from nautilus.errors import Conflict, Unavailable
from nautilus.model.enums import Channel, MessagePriority
from nautilus.model.priorities import priority as priority_of
from nautilus.model.topics import Topic, message_type

Handler = Callable[..., object]
ErrorReport = Callable[[str, Exception, int], None]


class TopicStatistics(msgspec.Struct, frozen=True):
    """What went through one topic."""

    topic: str
    channel: Channel
    published: int
    subscribers: int


class Subscription:
    """One handler on one pattern; `cancel` takes it away."""

    __slots__ = ("_bus", "errors", "handler", "mailbox", "owner", "pattern")

    def __init__(
        self, bus: "Bus", pattern: str, handler: Handler, owner: str, mailbox: Mailbox[Any] | None = None
    ) -> None:
        self._bus = bus
        self.pattern = pattern
        self.handler = handler
        self.owner = owner
        self.mailbox = mailbox
        self.errors = 0

    def cancel(self) -> None:
        """Deliver nothing more; a second call does nothing."""
        self._bus._remove(self)  # noqa: SLF001 - the two are one mechanism

    def bound(self, topic: str) -> Handler:
        """What a route of this topic calls."""
        return self.handler


class _Tap(Subscription):
    """A subscription whose handler is told the topic too."""

    __slots__ = ()

    def bound(self, topic: str) -> Handler:
        return partial(self.handler, topic)


class _Delivery(Subscription):
    """A subscription into a mailbox, where messages wait with the priority of their topic."""

    __slots__ = ()

    def bound(self, topic: str) -> Handler:
        return self.handler if self.mailbox is None else self.mailbox.entrance(priority_of(topic))


class _Route:
    """A topic in use: its handlers as a tuple that is replaced, never changed."""

    __slots__ = ("channel", "handlers", "published", "subscriptions", "topic", "waiting")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.channel = message_type(topic).channel
        self.published = 0
        self.subscriptions: tuple[Subscription, ...] = ()
        self.handlers: tuple[Handler, ...] = ()
        self.waiting: tuple[Mailbox[Any], ...] = ()

    def add(self, subscription: Subscription) -> None:
        """Taps come before the others: what those publish in their turn is carried on after what it follows from."""
        place = len(self.subscriptions)
        if isinstance(subscription, _Tap):
            place = sum(isinstance(item, _Tap) for item in self.subscriptions)
        before, after = self.subscriptions[:place], self.subscriptions[place:]
        self.subscriptions = (*before, subscription, *after)
        self.handlers = (*self.handlers[:place], subscription.bound(self.topic), *self.handlers[place:])
        self._note_waiting()

    def remove(self, subscription: Subscription) -> None:
        kept = [pair for pair in zip(self.subscriptions, self.handlers, strict=True) if pair[0] is not subscription]
        self.subscriptions = tuple(item for item, _ in kept)
        self.handlers = tuple(handler for _, handler in kept)
        self._note_waiting()

    def _note_waiting(self) -> None:
        boxes = (subscription.mailbox for subscription in self.subscriptions)
        self.waiting = tuple(box for box in boxes if box is not None and box.policy is Policy.WAIT)

    def full_mailbox(self) -> Mailbox[Any] | None:
        """A mailbox whose publishers should wait, or None."""
        for box in self.waiting:
            if box.must_wait:
                return box
        return None


class Bus:
    """The bus of one node. Everything happens on the node's loop thread, in the publisher's stack."""

    def __init__(self, on_error: ErrorReport | None = None) -> None:
        self._routes: dict[str, _Route] = {}
        self._subscriptions: list[Subscription] = []
        self._endpoints: dict[str, Handler] = {}
        self._requests: dict[str, Callable[[Any], Awaitable[Any]]] = {}
        self._on_error = on_error

    def publish[M](self, topic: "Topic[M]", message: M) -> None:
        """Call every handler of the topic with the message, in the order in which they subscribed."""
        try:
            route = self._routes[topic]
        except KeyError:
            route = self._open(topic)
        route.published += 1
        for handler in route.handlers:
            try:
                handler(message)
            except Exception as error:  # noqa: BLE001 - a neighbour must never be stopped
                self._failed(route, handler, error)

    async def publish_waiting[M](self, topic: "Topic[M]", message: M) -> None:
        """Publish once every mailbox of the topic that would have its publishers wait has room."""
        while (route := self._routes.get(topic)) and (full := route.full_mailbox()):
            await full.room()
        self.publish(topic, message)

    def subscribe[M](self, pattern: "Topic[M]", handler: Callable[[M], object], *, owner: str = "") -> Subscription:
        """Call `handler` inline with every message under the pattern: quick, no await, no I/O."""
        return self._subscribe(Subscription(self, pattern, handler, owner))

    def tap(self, pattern: str, handler: Callable[[str, Any], object], *, owner: str = "") -> Subscription:
        """Call `handler(topic, message)` inline with every message under the pattern, for who carries topics on.

        Taps are called before a topic's other handlers, so that they see causes before what follows from them.
        """
        return self._subscribe(_Tap(self, pattern, handler, owner))

    def _subscribe(self, subscription: Subscription) -> Subscription:
        pattern = subscription.pattern
        check_pattern(pattern)
        if pattern[0] not in "*>":
            message_type(pattern)
        self._subscriptions.append(subscription)
        if is_pattern(pattern):
            for topic, route in self._routes.items():
                if matches(pattern, topic):
                    route.add(subscription)
        elif pattern in self._routes:
            self._routes[pattern].add(subscription)
        else:
            self._open(pattern)
        return subscription

    def mailbox[M](
        self,
        pattern: "Topic[M]",
        handler: Callable[[M], Awaitable[None]],
        *,
        policy: Policy = Policy.DROP_OLDEST,
        capacity: int = 1024,
        key: Callable[[M], Hashable] | None = None,
        priority: Callable[[M], int] | None = None,
        owner: str = "",
    ) -> tuple[Subscription, Mailbox[M]]:
        """Queue every message under the pattern for an async handler; the caller runs `mailbox.run()` as a task.

        Messages wait with the priority of their topic's family (`nautilus.model.priorities`), or what `priority` says.
        """

        def failed(error: Exception) -> None:
            subscription.errors += 1
            self._report(owner or pattern, error, subscription.errors)

        level = priority or MessagePriority.NORMAL
        box = Mailbox(handler, policy=policy, capacity=capacity, key=key, priority=level, on_error=failed)
        subscription = self.deliver(pattern, box, owner=owner)
        return subscription, box

    def deliver[M](self, pattern: "Topic[M]", mailbox: Mailbox[M], *, owner: str = "") -> Subscription:
        """Leave the messages under a further pattern in a mailbox too, so that its handler sees one order of them all.

        The mailbox closes with the last of its subscriptions.
        """
        return self._subscribe(_Delivery(self, pattern, mailbox.put, owner, mailbox))

    def register(self, endpoint: str, handler: Callable[[Any], Any]) -> Callable[[], None]:
        """Make `handler` the one that answers an endpoint; returns the undoing."""
        if endpoint in self._endpoints:
            raise Conflict(f"endpoint {endpoint!r} has a handler already")
        self._endpoints[endpoint] = handler

        def undo() -> None:
            if self._endpoints.get(endpoint) is handler:
                del self._endpoints[endpoint]

        return undo

    def has_endpoint(self, endpoint: str) -> bool:
        """Whether somebody answers."""
        return endpoint in self._endpoints

    def call(self, endpoint: str, message: Any) -> Any:
        """Call an endpoint inline and return its answer; what it raises reaches the caller."""
        handler = self._endpoints.get(endpoint)
        if handler is None:
            raise Unavailable(f"nothing answers at {endpoint!r}")
        return handler(message)

    def serve(self, name: str, handler: Callable[[Any], Awaitable[Any]]) -> Callable[[], None]:
        """Answer requests of a name with an async handler; returns the undoing."""
        if name in self._requests:
            raise Conflict(f"request {name!r} has a handler already")
        self._requests[name] = handler

        def undo() -> None:
            if self._requests.get(name) is handler:
                del self._requests[name]

        return undo

    async def request(self, name: str, message: Any, timeout: float) -> Any:  # noqa: ASYNC109 - the deadline is the call's meaning
        """Ask, and wait at most `timeout` seconds; raises Unavailable when nobody answers in time."""
        handler = self._requests.get(name)
        if handler is None:
            raise Unavailable(f"nothing answers requests {name!r}")
        try:
            async with asyncio.timeout(timeout):
                return await handler(message)
        except TimeoutError:
            raise Unavailable(f"no answer to {name!r} within {timeout} s") from None

    def statistics(self) -> list[TopicStatistics]:
        """Every topic seen so far."""
        return [
            TopicStatistics(route.topic, route.channel, route.published, len(route.handlers))
            for route in self._routes.values()
        ]

    @property
    def subscriptions(self) -> tuple[Subscription, ...]:
        """The subscriptions in force."""
        return tuple(self._subscriptions)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The endpoints that have a handler."""
        return tuple(self._endpoints)

    def _open(self, topic: str) -> _Route:
        if is_pattern(topic):
            check_pattern(topic)
            raise Conflict(f"cannot publish to the pattern {topic!r}")
        route = _Route(topic)
        for subscription in self._subscriptions:
            if matches(subscription.pattern, topic):
                route.add(subscription)
        self._routes[topic] = route
        return route

    def _remove(self, subscription: Subscription) -> None:
        if subscription not in self._subscriptions:
            return
        self._subscriptions.remove(subscription)
        box = subscription.mailbox
        if box is not None and not any(other.mailbox is box for other in self._subscriptions):
            box.close()
        for topic, route in tuple(self._routes.items()):
            if subscription in route.subscriptions:
                route.remove(subscription)
                if not route.subscriptions and not route.published:
                    del self._routes[topic]  # opened by the subscriber alone

    def _failed(self, route: _Route, handler: Handler, error: Exception) -> None:
        bound = zip(route.subscriptions, route.handlers, strict=True)
        subscription = next((item for item, call in bound if call is handler), None)
        if subscription is None:  # it was cancelled while it handled the message
            self._report(route.topic, error, 1)
            return
        subscription.errors += 1
        self._report(subscription.owner or subscription.pattern, error, subscription.errors)

    def _report(self, source: str, error: Exception, count: int) -> None:
        if self._on_error is None:
            raise error
        self._on_error(source, error, count)

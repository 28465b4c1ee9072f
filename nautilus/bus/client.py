"""The bus for any other Python process: a notebook, a script, a service. No node, the same messages.

    async with await get_dual_bus_client(EngineType.ML, instance_id="notebook-1") as client:

        async def on_quote(quote, meta):
            print(meta.topic, quote.bid_ticks)

        await client.subscribe_to_marketdata([MessageType.PRICE_UPDATE], on_quote)
        alert = SystemAlert(ts_event=0, source="notebook", severity="info", code="hello", message="Hello")
        await client.publish_message(MessageType.SYSTEM_ALERT, alert)

What a client publishes reaches every node and client that reads its type, and not itself. Wrong calls raise Invalid,
naming the argument, before anything is sent.
"""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

import msgspec

from nautilus.bus.client_calls import (
    MessageHandler,
    MessageMeta,
    check_correlation,
    check_engine,
    check_handler,
    check_instance,
    check_patterns,
    check_priority,
    check_topic,
    check_type,
    check_types,
)
from nautilus.bus.client_line import ClientLine
from nautilus.bus.edges.channel_edge import Identity
from nautilus.bus.edges.codec import Event, Header
from nautilus.bus.edges.reports import InboundReport, OutboundReport
from nautilus.bus.edges.selection import Selection
from nautilus.bus.edges.settings import EdgesConfig, EdgeSettings
from nautilus.clock import LiveClock
from nautilus.errors import Conflict, Invalid, Unavailable
from nautilus.model.enums import Channel, EngineType, MessagePriority, MessageType
from nautilus.model.topics import message_type

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_CLIENTS: "WeakValueDictionary[tuple[EngineType, str], DualBusClient]" = WeakValueDictionary()
"""The clients of this process that are open: what makes a second call return the first one's client."""


class SubscriptionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What one subscription was handed since it was made; `last_error` is "" where no handling failed."""

    message_types: tuple[MessageType, ...]
    handled: int
    errors: int
    last_error: str


class ClientStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the client was made, by channel where it publishes or reads there."""

    engine: EngineType
    instance: str
    subscriptions: tuple[SubscriptionStatistics, ...]
    outbound: dict[Channel, OutboundReport]
    inbound: dict[Channel, list[InboundReport]]
    problems: tuple[str, ...]


class ClientSubscription:
    """A handler and what it wants; `cancel` ends it."""

    def __init__(
        self,
        client: "DualBusClient",
        message_types: tuple[MessageType, ...],
        selection: Selection,
        handler: MessageHandler,
    ) -> None:
        self.message_types = message_types
        self.handled = 0
        self.errors = 0
        self.last_error = ""
        self._client = client
        self._selection = selection
        self._handler = handler

    def cancel(self) -> None:
        """Hand on nothing more; a second call does nothing."""
        self._client._forget(self)  # noqa: SLF001 - the two are one mechanism

    async def handle(self, message: Any, meta: MessageMeta) -> Exception | None:
        """Call the handler where the topic is wanted; what it raised, if it did."""
        if meta.topic not in self._selection:
            return None
        self.handled += 1
        try:
            await self._handler(message, meta)
        except Exception as error:  # noqa: BLE001 - one handler must not stop another
            self.errors += 1
            self.last_error = f"{meta.topic}: {type(error).__name__}: {error}"
            return error
        return None

    def statistics(self) -> SubscriptionStatistics:
        """The counts so far."""
        return SubscriptionStatistics(
            message_types=self.message_types, handled=self.handled, errors=self.errors, last_error=self.last_error
        )


class DualBusClient:
    """Publishes and subscribes for one engine type and instance; made by `get_dual_bus_client`.

    Handlers are called one after another, in each sender's order; a message is acknowledged after they return. One that
    raises is counted and logged, and stops no other.
    """

    def __init__(
        self,
        engine: EngineType,
        instance_id: str,
        settings: EdgesConfig,
        *,
        resume: bool = False,
        publish_timeout_seconds: float = 5.0,
        log: "BoundLogger | None" = None,
    ) -> None:
        self.engine = check_engine(engine)
        self.instance_id = check_instance(instance_id)
        if publish_timeout_seconds <= 0:
            raise Invalid("publish_timeout_seconds", f"must be positive, not {publish_timeout_seconds}")
        name = f"{engine}.{instance_id}"
        self.identity = Identity(settings.prefix, f"client.{name}", name)
        self.settings = settings
        self.resume = resume
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self._clock = LiveClock()
        self._log = log or _plain_logger()
        self._publish_timeout_seconds = publish_timeout_seconds
        self._lines: dict[Channel, ClientLine] = {}
        self._subscriptions: list[ClientSubscription] = []

    async def subscribe_to_marketdata(
        self, message_types: Iterable[MessageType], handler: MessageHandler, *, patterns: Iterable[str] | None = None
    ) -> ClientSubscription:
        """Call `await handler(message, meta)` for market data of these types; see `subscribe_to_engine_logic`."""
        return await self._subscribe(Channel.MARKETDATA, message_types, handler, patterns)

    async def subscribe_to_engine_logic(
        self, message_types: Iterable[MessageType], handler: MessageHandler, *, patterns: Iterable[str] | None = None
    ) -> ClientSubscription:
        """Call `await handler(message, meta)` for what engines say of these types, from now on.

        `patterns` narrows the topics (`["signal.momentum"]`). Returns once the server will deliver; one that is away is
        waited for a moment and then connected to in the background, see `statistics().problems`. Raises Invalid.
        """
        return await self._subscribe(Channel.ENGINE_LOGIC, message_types, handler, patterns)

    async def subscribe_to_neural_gpu(
        self, message_types: Iterable[MessageType], handler: MessageHandler, *, patterns: Iterable[str] | None = None
    ) -> ClientSubscription:
        """Call `await handler(message, meta)` for compute requests and results; see `subscribe_to_engine_logic`."""
        return await self._subscribe(Channel.NEURAL_GPU, message_types, handler, patterns)

    async def publish_message(
        self,
        message_type: MessageType,
        payload: msgspec.Struct,
        *,
        topic: str | None = None,
        priority: MessagePriority | None = None,
        correlation_id: str | None = None,
    ) -> str:
        """Send a message; returns its id once the server of its channel has it.

        `topic` may be left out where it follows from the payload (`quote.{instrument_id}`). `priority` and
        `correlation_id` take the place of the topic's and the payload's own. Raises Invalid for a wrong argument,
        Conflict on a closed client, and Unavailable where the server has not taken the message in time: then it says
        whether it may still arrive.
        """
        one = check_type(message_type)
        name = check_topic(topic, one, payload)
        urgency, correlation = check_priority(priority), check_correlation(correlation_id)
        outbox = self._line(one.channel).outbox()
        letter = outbox.post(name, payload, priority=urgency, correlation_id=correlation)
        try:
            async with asyncio.timeout(self._publish_timeout_seconds):
                await letter.acknowledged
        except TimeoutError:
            fate = "was not sent" if outbox.withdraw(letter) else "is under way and may still arrive"
            raise Unavailable(
                f"the server of {one.channel} has not taken {letter.message_id} "
                f"within {self._publish_timeout_seconds:.3g} s: it {fate}"
            ) from None
        except asyncio.CancelledError:
            outbox.withdraw(letter)
            raise
        return letter.message_id

    def statistics(self) -> ClientStatistics:
        """The counts so far."""
        lines = self._lines.values()
        ways = [way for line in lines for way in (line.outbound, *line.readers) if way is not None]
        return ClientStatistics(
            engine=self.engine,
            instance=self.identity.instance,
            subscriptions=tuple(subscription.statistics() for subscription in self._subscriptions),
            outbound={line.channel: line.outbound.report() for line in lines if line.outbound is not None},
            inbound={line.channel: [reader.report() for reader in line.readers] for line in lines if line.readers},
            problems=tuple(problem for way in ways for problem in way.problems()),
        )

    async def close(self) -> None:
        """Send what waits, end, and make room for another client of this name; a second call does nothing."""
        if self.closed:
            return
        self.closed = True
        for key, client in tuple(_CLIENTS.items()):
            if client is self:
                del _CLIENTS[key]
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _deliver(self, message: Any, event: Event, header: Header) -> None:
        """Hand a message that was read to whoever wants it."""
        meta = MessageMeta(
            topic=event.topic,
            message_type=message_type(event.topic),
            message_id=header.message_id(event),
            source_instance=header.instance,
            source_node=header.node,
            source_engine=event.engine,
            ts=event.ts,
            priority=MessagePriority(min(max(event.priority, MessagePriority.LOW), MessagePriority.FLASH_CRASH)),
            correlation_id=event.correlation_id,
        )
        for subscription in tuple(self._subscriptions):
            if meta.message_type in subscription.message_types:
                error = await subscription.handle(message, meta)
                if error is not None and subscription.errors & (subscription.errors - 1) == 0:
                    self._log.error(
                        "client.handler_failed", topic=meta.topic, count=subscription.errors, exc_info=error
                    )

    async def _subscribe(
        self, channel: Channel, message_types: object, handler: object, patterns: object
    ) -> ClientSubscription:
        types = check_types(message_types, channel)
        called = check_handler(handler)
        selection = check_patterns(patterns, types, channel)
        line = self._line(channel)
        subscription = ClientSubscription(self, types, selection, called)
        self._subscriptions.append(subscription)
        await line.read(types)
        return subscription

    def _forget(self, subscription: ClientSubscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _line(self, channel: Channel) -> ClientLine:
        if self.closed:
            raise Conflict(f"the client {self.identity.instance} is closed")
        line = self._lines.get(channel)
        if line is None:
            settings: EdgeSettings = getattr(self.settings, channel)
            if not settings.enabled:
                raise Conflict(f"the channel {channel} is switched off: edges.{channel}.enabled")
            line = self._lines[channel] = ClientLine(
                channel,
                # each publisher waits for the server anyway: what comes meanwhile goes together
                msgspec.structs.replace(settings, resume=self.resume, batch_max_seconds=0.0),
                identity=self.identity,
                engine=self.engine,
                clock=self._clock,
                deliver=self._deliver,
                log=self._log,
            )
        return line


async def get_dual_bus_client(
    engine: EngineType, instance_id: str | None = None, *, settings: EdgesConfig | None = None, resume: bool = False
) -> DualBusClient:
    """The one client of this process for an engine type and instance; made at the first call.

    `instance_id` must be unlike that of every other process that is connected (default: host and process id): messages
    of one's own instance are not received. `settings` says where the servers are (default: 127.0.0.1, ports 6380 to
    6382). With `resume` a client goes on where the last of its name stopped; else it begins with what is new. No server
    need be there yet. Raises Invalid, and Conflict where there is a client of this name on another event loop or with
    other settings.
    """
    name = check_instance(_default_instance() if instance_id is None else instance_id)
    if settings is not None and not isinstance(settings, EdgesConfig):
        raise Invalid("settings", f"must be an EdgesConfig, not {type(settings).__name__}")
    key = (check_engine(engine), name)
    client = _CLIENTS.get(key)
    if client is None or client.loop.is_closed():
        client = _CLIENTS[key] = DualBusClient(engine, name, settings or EdgesConfig(), resume=resume)
    elif client.loop is not asyncio.get_running_loop():
        raise Conflict(f"the client {client.identity.instance} belongs to another event loop of this process")
    elif (settings is not None and settings != client.settings) or resume != client.resume:
        raise Conflict(f"there is a client {client.identity.instance} with other settings; close it first")
    return client


def _default_instance() -> str:
    host = re.sub(r"[^A-Za-z0-9]+", "", socket.gethostname())[:24] or "host"
    return f"{host}-{os.getpid()}"


def _plain_logger() -> "BoundLogger":
    import structlog

    logger: BoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr), wrapper_class=structlog.make_filtering_bound_logger(30)
    )
    return logger

"""The edge of one channel: taps on the bus and an outbox on the way out, a consumer group on the way in."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nautilus.bus.bus import Bus, Subscription
from nautilus.bus.edges.codec import Codec, Event, Header, dead_letters_name, stream_name
from nautilus.bus.edges.conflation import ConflatingOutbox
from nautilus.bus.edges.consumer_group import ConsumerGroup
from nautilus.bus.edges.delivery import Deliver, Delivery
from nautilus.bus.edges.inbound import Inbound
from nautilus.bus.edges.outbound import Outbound
from nautilus.bus.edges.outbox import DropOldest, Outbox, Sender
from nautilus.bus.edges.reports import ChannelReport
from nautilus.bus.edges.selection import Selection
from nautilus.bus.edges.settings import EdgeSettings
from nautilus.bus.edges.spool import SpoolOutbox
from nautilus.clock import Clock
from nautilus.model.enums import Channel

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

STOP_SECONDS = 2.0
"""How long stopping waits for the server, each way."""
OWNER = "edges"


class Identity:
    """Who speaks: the node, the instance (one process of it), and the first word of every key."""

    __slots__ = ("instance", "node", "prefix")

    def __init__(self, prefix: str, node: str, instance: str) -> None:
        self.prefix = prefix
        self.node = node
        self.instance = instance

    @property
    def group(self) -> str:
        """The consumer group of the node."""
        return f"{self.prefix}:{self.node}"


def make_outbox(channel: Channel, settings: EdgeSettings, sender: Sender, spool_directory: Path | None) -> Outbox:
    """How a channel's messages wait."""
    match channel:
        case Channel.MARKETDATA:
            return ConflatingOutbox(sender, capacity=settings.queue_max_events)
        case Channel.ENGINE_LOGIC:
            directory = spool_directory / channel if spool_directory is not None else None
            return SpoolOutbox(sender, directory=directory, max_bytes=settings.spool_max_bytes)
        case Channel.NEURAL_GPU:
            return DropOldest(sender, capacity=settings.queue_max_events, max_bytes=settings.spool_max_bytes)


def make_inbound(
    channel: Channel,
    settings: EdgeSettings,
    selection: Selection,
    deliver: Deliver,
    *,
    identity: Identity,
    clock: Clock,
    codec: Codec,
    own_instances: Callable[[], frozenset[str]],
    log: "BoundLogger",
) -> Inbound:
    """What reads a channel's streams for `deliver`, beginning now."""
    delivery = Delivery(
        selection,
        deliver,
        codec=codec,
        own_instances=own_instances,
        recent_ids=settings.recent_ids,
        timestamp_ns=clock.timestamp_ns,
        log=log,
    )
    history_ms = settings.history_seconds * 1_000 if settings.resume else 0
    group = ConsumerGroup(
        [stream_name(identity.prefix, message_type) for message_type in selection.message_types],
        group=identity.group,
        consumer=identity.instance,
        start_id=f"{max(0, clock.timestamp_ns() // 1_000_000 - round(history_ms))}-0",
        resume=settings.resume,
        dead_letters=dead_letters_name(identity.prefix, channel),
        dead_letters_max_entries=settings.dead_letters_max_entries,
    )
    name = f"{identity.prefix}:{identity.node}:{identity.instance}:in"
    return Inbound(channel, settings, delivery, group, client_name=name, log=log)


class ChannelEdge:
    """One channel of a node's bus, joined to its server."""

    def __init__(
        self,
        channel: Channel,
        settings: EdgeSettings,
        *,
        identity: Identity,
        bus: Bus,
        clock: Clock,
        spool_directory: Path | None,
        log: "BoundLogger",
        on_receive: Callable[[str, Any, str], None] | None,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._bus = bus
        self._log = log
        self._on_receive = on_receive
        self._injected: Any = None
        self._injected_topic = ""
        self._own_instances = frozenset({identity.instance})
        self._taps: list[Subscription] = []
        self._running = False
        codec = Codec(settings.array_max_bytes)
        option = f"edges.{channel}"
        self._selected = Selection(settings.outbound, channel, f"{option}.outbound")
        wanted = Selection(settings.inbound, channel, f"{option}.inbound")
        self._outbox: Outbox | None = None
        self._outbound: Outbound | None = None
        self._inbound: Inbound | None = None
        if self._selected.families:
            sender = Sender(
                codec=codec,
                instance=identity.instance,
                timestamp_ns=clock.timestamp_ns,
                batch_max_events=settings.batch_max_events,
            )
            self._outbox = make_outbox(channel, settings, sender, spool_directory)
            self._outbound = Outbound(
                channel,
                settings,
                self._outbox,
                prefix=identity.prefix,
                node=identity.node,
                instance=identity.instance,
                log=log,
            )
        if wanted.families:
            self._inbound = make_inbound(
                channel,
                settings,
                wanted,
                self._deliver_waiting if channel is Channel.ENGINE_LOGIC else self._deliver,
                identity=identity,
                clock=clock,
                codec=codec,
                own_instances=lambda: self._own_instances,
                log=log,
            )

    async def start(self) -> None:
        """Begin, both ways. Raises StoreError where the spool cannot be used."""
        await self.send()
        if self._inbound is not None:
            self._inbound.start()

    async def send(self) -> None:
        """Open the spool, tap the bus and begin the way out; a second call does nothing."""
        if self._running:
            return
        if isinstance(self._outbox, SpoolOutbox):
            waiting = await asyncio.to_thread(self._outbox.open)
            self._own_instances = self._outbox.own_instances
            if waiting:
                self._log.info("edge.spool_recovered", channel=str(self._channel), messages=waiting)
        self._running = True
        for family, patterns in self._selected.families.items():
            if len(patterns) == 1:
                self._taps.append(self._bus.tap(patterns[0], self._out, owner=OWNER))
            else:  # patterns may overlap: each message goes out once
                self._taps.append(self._bus.tap(f"{family}.>", self._out_if_selected, owner=OWNER))
        if self._outbound is not None:
            self._outbound.start()

    async def stop(self) -> None:
        """End the way in, then the way out; what a spool holds stays for the next start."""
        if not self._running:
            return
        self._running = False
        if self._inbound is not None:
            await self._inbound.stop(STOP_SECONDS)
        for tap in self._taps:
            tap.cancel()
        self._taps.clear()
        if self._outbound is not None:
            await self._outbound.stop(STOP_SECONDS)
        if isinstance(self._outbox, SpoolOutbox):
            await self._outbox.close()

    def problems(self) -> list[str]:
        """What an operator should know, each beginning with the channel."""
        ways = [way for way in (self._outbound, self._inbound) if way is not None]
        return [f"{self._channel}: {problem}" for way in ways for problem in way.problems()]

    def report(self) -> ChannelReport:
        """The counts so far."""
        ways = [way for way in (self._outbound, self._inbound) if way is not None]
        return ChannelReport(
            channel=self._channel,
            url=self._settings.url,
            connected=bool(ways) and all(way.connected for way in ways),
            outbound=self._outbound.report() if self._outbound else None,
            inbound=self._inbound.report() if self._inbound else None,
            problems=tuple(self.problems()),
        )

    def _out(self, topic: str, message: Any) -> None:
        if (message is not self._injected or topic != self._injected_topic) and self._outbox is not None:
            self._outbox.put(topic, message)

    def _out_if_selected(self, topic: str, message: Any) -> None:
        if topic in self._selected:
            self._out(topic, message)

    def _deliver(self, message: Any, event: Event, header: Header) -> None:
        if self._on_receive is not None:
            self._on_receive(event.topic, message, header.instance)
        self._injected, self._injected_topic = message, event.topic
        try:
            self._bus.publish(event.topic, message)  # type: ignore[arg-type]
        finally:
            self._injected = None

    def _deliver_waiting(self, message: Any, event: Event, header: Header) -> Awaitable[None]:
        return self._publish_waiting(message, event, header)

    async def _publish_waiting(self, message: Any, event: Event, header: Header) -> None:
        if self._on_receive is not None:
            self._on_receive(event.topic, message, header.instance)
        self._injected, self._injected_topic = message, event.topic
        try:
            await self._bus.publish_waiting(event.topic, message)  # type: ignore[arg-type]
        finally:
            self._injected = None

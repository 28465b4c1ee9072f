"""The websocket engine: accepts clients, ticks the flush and the heartbeat, and cuts off who must go."""

from collections.abc import Callable
from typing import Any, get_args

from starlette.websockets import WebSocket

from nautilus.clock import TimeEvent
from nautilus.engines.base import Engine, StopStage
from nautilus.engines.operation import Operation, Socket
from nautilus.engines.websocket.client import GOING_AWAY, POLICY_VIOLATION, TRY_AGAIN_LATER, Client
from nautilus.engines.websocket.delivery import families_of
from nautilus.engines.websocket.hub import Hub
from nautilus.engines.websocket.models import (
    Announcement,
    Broadcast,
    Connection,
    Format,
    Heartbeat,
    Overflow,
    Subscribe,
    TopicFamily,
    WebSocketConfig,
    Welcome,
)
from nautilus.engines.websocket.routes import websocket_routes
from nautilus.errors import Invalid, NautilusError, NotFound
from nautilus.model.enums import EngineType
from nautilus.model.topics import Topic

SECOND_NS = 1_000_000_000
QUERY_TOPICS_MAX = 64


class WebSocketEngine(Engine[WebSocketConfig]):
    """Streams the bus to clients. States are conflated and flushed together; events are queued and numbered."""

    name = "websocket"
    prefix = "/websocket"
    engine_type = EngineType.WEBSOCKET
    config_type = WebSocketConfig
    stop_stage = StopStage.SOCKETS
    stale_after_seconds = None

    async def setup(self) -> None:
        """Listen to the kept families; begin to flush and to beat."""
        self.hub = Hub(self._listen, self.instruments, self.config.history_events)
        self.session = f"{self.context.node_id}-{self.clock.timestamp_ns()}"
        self._clients: dict[int, Client] = {}
        self._accepted = 0
        self.defer(self.hub.close)
        self.hub.open()
        self.every(SECOND_NS // self.config.flush_hz, self._flush)
        self.every(int(self.config.heartbeat_seconds * SECOND_NS), self._beat)

    async def activate(self) -> None:
        """Know the instruments that others have registered during set-up."""
        self.hub.seed("instrument", self.instruments)

    async def teardown(self) -> None:
        """Say goodbye to every client."""
        for client in self._clients.values():
            client.end(GOING_AWAY, "the server stops")

    def routes(self) -> list[Operation | Socket]:
        """The streams, and what there is to know about them."""
        return websocket_routes(self)

    def connections(self) -> list[Connection]:
        """Every client, oldest first."""
        return [client.report() for client in self._clients.values()]

    def families(self) -> list[TopicFamily]:
        """Every family of topics."""
        return self.hub.report()

    def broadcast(self, body: Broadcast) -> int:
        """Leave words for everybody; returns how many clients that is."""
        words = Announcement(ts=self.clock.timestamp_ns(), severity=body.severity, message=body.message)
        for client in self._clients.values():
            client.outbox.frame(words)
        return len(self._clients)

    def disconnect(self, client_id: int) -> None:
        """Cut one client off; raises NotFound."""
        client = self._clients.get(client_id)
        if client is None:
            raise NotFound("connection", client_id)
        client.end(POLICY_VIOLATION, "disconnected by the operator")

    async def stream(self, socket: WebSocket, topics: tuple[str, ...] = ()) -> None:
        """Serve one client until it goes. Query: `format`, `overflow`, and `topics` to begin with, comma separated."""
        await socket.accept()
        if not self.running:
            await socket.close(TRY_AGAIN_LATER, "the node is starting or stopping")
            return
        if len(self._clients) >= self.config.clients_max:
            await socket.close(TRY_AGAIN_LATER, f"there are {self.config.clients_max} clients already")
            return
        try:
            client, first = self._client(socket, topics)
        except NautilusError as error:
            await socket.close(POLICY_VIOLATION, str(error)[:100])
            return
        self._clients[client.client_id] = client
        self.hub.add(client)
        try:
            client.outbox.frame(self._welcome(client))
            await client.run(first)
        finally:
            self.hub.remove(client)
            del self._clients[client.client_id]

    def _client(self, socket: WebSocket, topics: tuple[str, ...]) -> tuple[Client, Subscribe | None]:
        query = socket.query_params
        form: Format = _choice("format", query.get("format", "json"), get_args(Format))
        overflow: Overflow = _choice("overflow", query.get("overflow", "gap"), get_args(Overflow))
        asked = [*topics, *filter(None, query.get("topics", "").split(","))]
        if len(asked) > QUERY_TOPICS_MAX:
            raise Invalid("topics", f"at most {QUERY_TOPICS_MAX} in the query")
        for pattern in asked:
            families_of(pattern)
        self._accepted += 1
        client = Client(
            self._accepted, socket, self.hub, self.clock, self.session, self.config, form=form, overflow=overflow
        )
        return client, Subscribe(topics=asked) if asked else None

    def _welcome(self, client: Client) -> Welcome:
        return Welcome(
            session=self.session,
            client_id=client.client_id,
            ts=self.clock.timestamp_ns(),
            sequence=self.hub.sequence,
            heartbeat_seconds=self.config.heartbeat_seconds,
            flush_hz=self.config.flush_hz,
            overflow=client.outbox.overflow,
            quality=self.quality(),
            source=self.context.source.description,
        )

    def _listen(self, pattern: str, handler: Callable[[Any], None]) -> Callable[[], None]:
        """Subscribe without the engine's exit stack, which could only grow while clients come and go."""
        topic: Topic[Any] = Topic(pattern)
        return self.context.bus.subscribe(topic, self._metered(handler), owner=self.name).cancel

    def _flush(self, _: TimeEvent) -> None:
        self.stats.outputs += self.hub.flush()

    def _beat(self, event: TimeEvent) -> None:
        beat = Heartbeat(
            ts=event.ts_init,
            sequence=self.hub.sequence,
            quality=self.quality(),
            source=self.context.source.description,
        )
        for client in self._clients.values():
            client.outbox.heartbeat(beat)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise Invalid(name, f"must be one of {', '.join(allowed)}")
    return value

"""HTTP of the websocket engine: the streams, the clients, the topics and a word to everybody."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta
from starlette.websockets import WebSocket

from nautilus.engines.operation import Operation, Socket, delete, get, post, websocket
from nautilus.engines.websocket.models import Broadcast, Connection, Disconnected, Reached, TopicFamily

if TYPE_CHECKING:
    from nautilus.engines.websocket.engine import WebSocketEngine

MARKET_DATA_TOPICS = ("instrument.>", "quote.>", "trade.>", "bar.>")
ALERT_TOPICS = (
    "toxicity.>",
    "flash_crash.>",
    "margin_call.>",
    "risk_alert.>",
    "risk_breach.>",
    "system_alert.>",
    "error_alert.>",
    "control.>",
)


def websocket_routes(engine: "WebSocketEngine") -> list[Operation | Socket]:
    """The operations and sockets below /websocket."""

    async def connections() -> list[Connection]:
        """Every client that is connected, what it wants and what waits for it."""
        return engine.connections()

    async def topics() -> list[TopicFamily]:
        """Every family of topics that can be subscribed to, how it is delivered and who listens."""
        return engine.families()

    async def broadcast(body: Broadcast) -> Reached:
        """Show words to everybody who is connected."""
        return Reached(clients=engine.broadcast(body))

    async def disconnect(client_id: Annotated[int, Meta(ge=1, le=2**53)]) -> Disconnected:
        """Cut one client off."""
        engine.disconnect(client_id)
        return Disconnected(client_id=client_id)

    async def market_data(socket: WebSocket) -> None:
        await engine.stream(socket, MARKET_DATA_TOPICS)

    async def alerts(socket: WebSocket) -> None:
        await engine.stream(socket, ALERT_TOPICS)

    return [
        get("/connections", connections),
        delete("/connections/{client_id}", disconnect, scope="admin"),
        get("/topics", topics),
        post("/broadcast", broadcast, scope="admin"),
        websocket("/stream", engine.stream),
        websocket("/market-data", market_data),
        websocket("/alerts", alerts),
    ]

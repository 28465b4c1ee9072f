"""A WebSocket client of an ASGI app in the same loop, which can stop reading."""

import asyncio
from typing import Any, Self

import msgspec
from starlette.types import ASGIApp, Message


class SocketClosed(Exception):
    """The server closed the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Connection:
    """Speaks ASGI with the app: what the server sends waits in `received` until `next` takes it.

    While `stuck`, the server's sends wait as they do when a peer does not read.
    """

    def __init__(self, app: ASGIApp, path: str, headers: dict[str, str] | None = None) -> None:
        path, _, query = path.partition("?")
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        self.reading = asyncio.Event()
        self.reading.set()
        self.waiting_messages: list[dict[str, Any]] = []
        names = {"host": "127.0.0.1:8001", **(headers or {})}
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in names.items()],
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8001),
            "subprotocols": [],
            "extensions": {},
        }
        self._to_server.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(app(scope, self._to_server.get, self._send))  # type: ignore[arg-type]

    async def __aenter__(self) -> Self:
        message = await asyncio.wait_for(self.received.get(), 5)
        if message["type"] == "websocket.close":
            await self.task
            raise SocketClosed(message["code"], message.get("reason") or "")
        assert message["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reading.set()
        if not self.task.done():
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.task, 5)

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        self.received.put_nowait(message)

    def command(self, **command: Any) -> None:
        """Send a command as JSON text."""
        self._to_server.put_nowait({"type": "websocket.receive", "text": msgspec.json.encode(command).decode()})

    def raw(self, **message: Any) -> None:
        """Send whatever."""
        self._to_server.put_nowait({"type": "websocket.receive", **message})

    async def frame(self) -> dict[str, Any]:
        """The next frame; raises SocketClosed."""
        message = await asyncio.wait_for(self.received.get(), 5)
        if message["type"] == "websocket.close":
            raise SocketClosed(message["code"], message.get("reason") or "")
        if message.get("text") is not None:
            frame: dict[str, Any] = msgspec.json.decode(message["text"])
        else:
            frame = msgspec.msgpack.decode(message["bytes"])
        return frame

    async def until(self, kind: str) -> dict[str, Any]:
        """The next frame of a type; messages of data frames before it are kept for `data`."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind:
                return frame
            if frame["type"] == "data":
                self.waiting_messages.extend(frame["messages"])

    async def data(self, count: int = 1) -> list[dict[str, Any]]:
        """The next `count` messages of data frames."""
        while len(self.waiting_messages) < count:
            self.waiting_messages.extend((await self.until("data"))["messages"])
        taken, self.waiting_messages = self.waiting_messages[:count], self.waiting_messages[count:]
        return taken

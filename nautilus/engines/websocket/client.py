"""One connection: a task that reads commands, a task that writes what waits, and whichever ends first ends both."""

import asyncio
from contextlib import suppress
from itertools import batched
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from nautilus.clock import Clock
from nautilus.engines.websocket.codec import decode_command, encode_frame, encode_items
from nautilus.engines.websocket.hub import Hub, Subscriber
from nautilus.engines.websocket.models import (
    Command,
    Connection,
    Failure,
    Format,
    Gap,
    Overflow,
    Ping,
    Pong,
    Subscribe,
    Subscribed,
    Unsubscribe,
    WebSocketConfig,
)
from nautilus.engines.websocket.outbox import Outbox
from nautilus.errors import Invalid, NautilusError

COMMAND_INTERVAL_S = 0.01
CLOSE_TIMEOUT_S = 1.0
SNAPSHOT_SLICE = 250

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013
TOO_SLOW = 4008


class Client(Subscriber):
    """A subscriber at the other end of a socket."""

    def __init__(
        self,
        client_id: int,
        socket: WebSocket,
        hub: Hub,
        clock: Clock,
        session: str,
        config: WebSocketConfig,
        form: Format,
        overflow: Overflow,
    ) -> None:
        super().__init__(Outbox(config.event_capacity, overflow, self._overflowed))
        self.client_id = client_id
        self.form: Format = form
        self._socket = socket
        self._hub = hub
        self._clock = clock
        self._session = session
        self._config = config
        self._connected_ns = clock.timestamp_ns()
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._frames_sent = 0
        self._messages_sent = 0
        self._commands_received = 0

    async def run(self, first: Subscribe | None = None) -> None:
        """Obey the first command, if any, and serve until the client goes or is cut off; the socket is closed then."""
        if first is not None:
            await self._obey(first)
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._write())}
        try:
            waited: list[asyncio.Future[Any]] = [*tasks, self._end]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if not self._end.done():
            self._end.set_result((GOING_AWAY, "the connection is over"))
        code, reason = self._end.result()
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close(code, reason)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect | OSError):
                raise result

    def end(self, code: int, reason: str) -> None:
        """Cut the client off; the first reason counts."""
        if not self._end.done():
            self._end.set_result((code, reason))

    async def subscribe(self, command: Subscribe) -> None:
        """Route the topics here; first the answer, then what was missed, then the states as they are."""
        if len(self.patterns.keys() | set(command.topics)) > self._config.patterns_max:
            raise Invalid("topics", f"at most {self._config.patterns_max} patterns for a client")
        fresh = self._hub.subscribe(self, command.topics)
        self._answer(command.id)
        if command.after is not None:
            self._resume(fresh, command.after, command.session)
        if command.snapshot:
            for part in batched(self._hub.snapshot(fresh), SNAPSHOT_SLICE):
                for key, item in part:
                    self.outbox.snapshot(key, item)
                await asyncio.sleep(0)

    def report(self) -> Connection:
        """What REST says of this client."""
        remote = self._socket.client
        return Connection(
            client_id=self.client_id,
            remote=f"{remote.host}:{remote.port}" if remote else "",
            format=self.form,
            overflow=self.outbox.overflow,
            patterns=list(self.patterns),
            connected_ns=self._connected_ns,
            frames_sent=self._frames_sent,
            messages_sent=self._messages_sent,
            commands_received=self._commands_received,
            waiting_events=self.outbox.waiting_events,
            waiting_states=self.outbox.waiting_states,
            dropped_events=self.outbox.dropped_events,
        )

    def _overflowed(self) -> None:
        self.end(TOO_SLOW, "too much waits for this client; read over REST what is missing")

    def _resume(self, fresh: list[str], after: int, session: str | None) -> None:
        if session != self._session or after > self._hub.sequence:
            last = self._hub.sequence
            self.outbox.frame(Gap(reason="session", dropped=None, from_sequence=1, through_sequence=last))
        else:
            self._hub.replay(self, fresh, after)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data: str | bytes = message.get("text") or message.get("bytes") or b""
            if len(data) > self._config.command_max_bytes:
                self.end(TOO_BIG, f"a command may have {self._config.command_max_bytes} bytes")
                return
            self._commands_received += 1
            await self._obey_encoded(data)
            await asyncio.sleep(COMMAND_INTERVAL_S)

    async def _obey_encoded(self, data: str | bytes) -> None:
        try:
            command = decode_command(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.outbox.frame(Failure(id=0, title="Malformed command", detail=str(error)))
        else:
            await self._obey(command)

    async def _obey(self, command: Command) -> None:
        try:
            await self._carry_out(command)
        except NautilusError as error:
            self.outbox.frame(Failure(id=command.id, title=error.title, detail=str(error), field=error.field))

    async def _carry_out(self, command: Command) -> None:
        match command:
            case Subscribe():
                await self.subscribe(command)
            case Unsubscribe():
                unknown = [pattern for pattern in command.topics if pattern not in self.patterns]
                if unknown:
                    raise Invalid("topics", f"not subscribed to {', '.join(unknown)}")
                self._hub.unsubscribe(self, command.topics)
                self._answer(command.id)
            case Ping():
                self.outbox.frame(Pong(id=command.id, ts=self._clock.timestamp_ns()))

    def _answer(self, number: int) -> None:
        self.outbox.frame(Subscribed(id=number, topics=list(self.patterns), sequence=self._hub.sequence))

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            await self.outbox.wait()
            frames, items = self.outbox.take()
            try:
                async with asyncio.timeout(self._config.send_timeout_seconds):
                    for frame in frames:
                        await self._send(encode_frame(frame, self.form))
                    if items:
                        await self._send(encode_items(items, self.form))
                        self._messages_sent += len(items)
            except TimeoutError:
                self.end(TOO_SLOW, f"nothing was taken for {self._config.send_timeout_seconds:g} s")
                return
            await asyncio.sleep(0)

    async def _send(self, data: bytes) -> None:
        if self.form == "json":
            await self._socket.send_text(data.decode())
        else:
            await self._socket.send_bytes(data)
        self._frames_sent += 1

"""One connection of a client: the handshake, what it subscribed to, and an output that can be late or silent."""

import asyncio
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.ibkr_gateway.instruments import Instrument
from tests.fakes.ibkr_gateway.requests import Request
from tests.fakes.ibkr_gateway.wire import BadMessage, Field, Frames, fields_of, message

if TYPE_CHECKING:
    from tests.fakes.ibkr_gateway.core import Core


@dataclass
class Subscription:
    """What one request subscribed to; a stalled one gets no more and is not told."""

    session: "Session"
    request_id: int
    request: Request
    instrument: Instrument
    stalled: bool = False


class Session(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, gateway: "Core") -> None:
        self._gateway = gateway
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._late: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._packet = b""
        self._negotiated = False
        self.number = 0
        self.client_id = -1
        self.ready = False
        self.silent = False
        self.data_type = 1
        self.subscriptions: dict[int, Subscription] = {}
        self.wants_positions = False
        self.account_updates = ""
        self.summaries: dict[int, frozenset[str]] = {}
        self.account_multi: dict[int, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.number = self._gateway.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended, from either side."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._gateway.closed(self)

    def data_received(self, data: bytes) -> None:
        """Requests; a client that breaks the framing is cut off, as TWS does."""
        try:
            payloads = self._frames.feed(data)
        except BadMessage:
            self.close()
            return
        for payload in payloads:
            if self._negotiated:
                self._gateway.received(self, fields_of(payload))
            else:
                # the first frame is the range of versions that the client speaks: v157..178
                self._negotiated = True
                self._gateway.greeted(self, payload.decode())

    def send(self, *fields: Field) -> bool:
        """One message; whether it is on its way (now or late), rather than lost to silence or a closed connection."""
        return self.send_bytes(message(fields))

    def send_bytes(self, data: bytes) -> bool:
        """Bytes as they are."""
        if self._transport is None or self.silent or self._gateway.silent:
            self._gateway.swallowed += 1
            return False
        if self._gateway.in_packet:
            self._packet += data
        else:
            self._put(data)
        return True

    def flush_packet(self) -> None:
        """Send what was collected as one write."""
        if self._packet:
            self._put(self._packet)
            self._packet = b""

    def close(self, *, reset: bool = False) -> None:
        """Close, after what is written already; or with a reset, at once."""
        if self._transport is None:
            return
        if reset:
            own = self._transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()

    def _put(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._late and not self._gateway.delay:
            self._transport.write(data)
            return
        # never before what was sent earlier, also when the delay is taken back
        due = asyncio.get_running_loop().time() + self._gateway.delay
        self._late.append((max(due, self._late[-1][0]) if self._late else due, data))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._late[0][0], self._write_due)

    def _write_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._late and self._late[0][0] <= now + 1e-4:
            _, data = self._late.popleft()
            if self._transport is not None:
                self._transport.write(data)
        if self._late:
            self._arm()

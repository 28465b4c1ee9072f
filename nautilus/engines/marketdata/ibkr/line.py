"""One TCP line to the gateway through ib_async's client: opened with a deadline, watched for rubbish, ended for good.

ib_async runs on the loop that is running: nothing is patched and nothing is nested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nautilus.engines.marketdata.ibkr.receiver import Receiver
from nautilus.errors import Unavailable

UNDECODABLE_IN_A_ROW = 20
CLIENT_ID_TAKEN = 326


class ClientIdTaken(Unavailable):
    """Another connection has this client id."""


class DecodeErrors:
    """Stands where ib_async's decoder has its logger: what it cannot decode is counted, not written out."""

    def __init__(self) -> None:
        self.count = 0

    def exception(self, _message: str, *_arguments: object) -> None:
        """One message could not be decoded, or its handler failed."""
        self.count += 1

    error = warning = info = debug = exception


class Line:
    """A connection from `open` to its end. `on_end(reason)` is told once, and not of an end that was asked for."""

    def __init__(self, receiver: Receiver, largest_frame_bytes: int, on_end: Callable[[str], None]) -> None:
        from ib_async.client import Client

        self.receiver = receiver
        make_client: Any = Client
        self.client: Any = make_client(receiver)
        self.decode_errors = DecodeErrors()
        self.client.decoder.logger = self.decode_errors
        self.is_ready = False
        self._on_end = on_end
        self._largest_frame_bytes = largest_frame_bytes
        self._failed: asyncio.Future[None] | None = None
        self._has_ended = False
        self._waiting_bytes = 0
        self._messages = self._errors = self._errors_in_a_row = 0
        self.client.conn.hasData += self._after_packet
        self.client.conn.hasData.error_event += self._packet_failed
        self.client.conn.disconnected += self._lost
        self.client.apiError += self._api_error

    @property
    def server_version(self) -> int:
        """The protocol version of the gateway; 0 before it is known."""
        return int(self.client.serverVersion())

    async def open(self, host: str, port: int, client_id: int, timeout_seconds: float) -> None:
        """Connect and wait until the gateway is ready; raises Unavailable with the reason, ClientIdTaken among them."""
        self._failed = asyncio.get_running_loop().create_future()
        connecting = asyncio.ensure_future(self.client.connectAsync(host, port, client_id, timeout_seconds))
        try:
            await asyncio.wait({connecting, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                connecting.result()
            if self._failed.done():
                self._failed.result()
        except TimeoutError as error:
            raise Unavailable(f"no answer to the handshake within {timeout_seconds:g} s") from error
        except OSError as error:
            raise Unavailable(f"no connection to {host}:{port}: {error}") from error
        finally:
            await self._settle(connecting)
        if self.server_version > self.client.MaxClientVersion:
            self.close()
            raise Unavailable(
                f"the gateway speaks version {self.server_version}, ib_async {self.client.MaxClientVersion} at most"
            )
        self.is_ready = True

    async def _settle(self, connecting: asyncio.Future[Any]) -> None:
        """Leave no task and no exception behind that nobody has looked at."""
        if not connecting.done():
            connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        if self._failed is not None and not self._failed.cancel() and not self._failed.cancelled():
            self._failed.exception()

    def notice(self, code: int, text: str) -> None:
        """A notice that comes before the gateway is ready may be the reason why it never will be."""
        if not self.is_ready and code == CLIENT_ID_TAKEN:
            self._fail(ClientIdTaken(text))

    def close(self) -> None:
        """End it at once, without waiting for a peer that may not answer; `on_end` is not told."""
        self._has_ended = True
        self.is_ready = False
        self._fail(Unavailable("closed"))
        transport = self.client.conn.transport
        if transport is not None:
            transport.abort()

    def _end(self, reason: str) -> None:
        if self._has_ended:
            return
        was_ready = self.is_ready
        self.close()
        if was_ready:
            self._on_end(reason)

    def _fail(self, error: Unavailable) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _lost(self, message: str) -> None:
        self._fail(Unavailable(f"closed by the gateway: {message or 'no reason given'}"))
        self._end(message or "closed by the gateway")

    def _api_error(self, message: str) -> None:
        if not message.startswith("API connection failed"):  # that is the error that `open` gets, in other words
            self._fail(Unavailable(message))

    def _packet_failed(self, _event: object, error: Exception) -> None:
        """ib_async could not cut the stream into messages, or what a packet led to has failed."""
        self.decode_errors.count += 1
        self._fail(Unavailable(f"not understood: {error!r}"))

    def _after_packet(self, data: bytes) -> None:
        """Rubbish shows as bytes that never become a message, or as messages that nobody can decode."""
        messages = self.receiver.messages
        errors = self.decode_errors.count
        self._errors_in_a_row = 0 if messages > self._messages else self._errors_in_a_row + errors - self._errors
        self._waiting_bytes = len(data) if messages > self._messages else self._waiting_bytes + len(data)
        self._messages, self._errors = messages, errors
        if self._waiting_bytes > self._largest_frame_bytes or self._errors_in_a_row >= UNDECODABLE_IN_A_ROW:
            self._fail(Unavailable("what comes is no message"))
            self._end("what comes is no message")

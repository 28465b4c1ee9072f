"""One line to gateways that are worse than the usual fake one."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nautilus.clock import TestClock
from nautilus.engines.marketdata.ibkr.line import ClientIdTaken, Line
from nautilus.engines.marketdata.ibkr.receiver import Receiver
from nautilus.errors import Unavailable
from tests.engines.marketdata.ibkr.desk import eventually


class Deaf:
    """A listener that only counts."""

    def __init__(self) -> None:
        self.line: Line | None = None
        self.notices: list[int] = []

    def heard(self, request_id: int, now_ns: int) -> None: ...

    def answered(self, request_id: int) -> None: ...

    def noticed(self, request_id: int, code: int, text: str) -> None:
        self.notices.append(code)
        if self.line is not None:
            self.line.notice(code, text)


def frame(*fields: Any) -> bytes:
    payload = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(payload)) + payload


@asynccontextmanager
async def serving(*answers: bytes, hang_up: bool = False) -> AsyncIterator[int]:
    """A server that says the same to everybody, whatever is asked."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(b"".join(answers))
        if not hang_up:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        done.set()
        server.close()
        await server.wait_closed()


def make_line(on_end: Callable[[str], None] = lambda reason: None) -> Line:
    listener = Deaf()
    line = Line(Receiver(TestClock(0), listener), 10_000, on_end)
    listener.line = line
    return line


HELLO = frame(178, "20260106 09:30:00 US/Eastern")
READY = frame(15, 1, "DU1") + frame(9, 1, 1)


async def test_a_gateway_newer_than_the_library_is_refused():
    """Above version 178 fields lie elsewhere: better no data than wrong data."""
    line = make_line()
    async with serving(frame(200, "now"), READY) as port:
        with pytest.raises(Unavailable, match="version 200"):
            await line.open("127.0.0.1", port, 1, 5.0)
        assert not line.is_ready


async def test_a_gateway_that_never_becomes_ready_is_given_up():
    """A handshake without accounts ends at the deadline."""
    line = make_line()
    async with serving(HELLO, frame(9, 1, 1)) as port:
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await line.open("127.0.0.1", port, 1, 0.05)


async def test_a_client_id_that_is_taken_is_said_at_once():
    """Error 326 does not wait for the deadline."""
    line = make_line()
    async with serving(HELLO, frame(4, 2, -1, 326, "client id is already in use", ""), hang_up=True) as port:
        with pytest.raises(ClientIdTaken):
            await asyncio.wait_for(line.open("127.0.0.1", port, 1, 60.0), 5)


async def test_nobody_there_is_said_at_once():
    """A refused connection is Unavailable, like every other failure."""
    async with serving() as port:
        pass
    with pytest.raises(Unavailable):
        await make_line().open("127.0.0.1", port, 1, 5.0)


async def test_a_message_that_never_ends_ends_the_line():
    """A length beyond any message is not waited for, and what follows does not fill the memory."""
    line = make_line()
    async with serving(HELLO, READY, struct.pack(">I", 2**31), b"x" * 100_000) as port:
        with pytest.raises(Unavailable, match="no message"):
            await line.open("127.0.0.1", port, 1, 5.0)
        assert line.client.conn.transport is None or line.client.conn.transport.is_closing()
    await asyncio.sleep(0)


async def test_one_message_that_cannot_be_decoded_is_only_counted():
    """The line goes on."""
    ends: list[str] = []
    line = make_line(ends.append)
    async with serving(HELLO, READY, frame(999, "what"), frame(49, 1, 1_700_000_000)) as port:
        await line.open("127.0.0.1", port, 1, 5.0)
        await eventually(lambda: line.decode_errors.count == 1)
        assert line.is_ready
        line.close()
    assert ends == []
    await asyncio.sleep(0)

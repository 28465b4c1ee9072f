"""A REST server on loopback that plays bodies as its tests say: recorded, made up, cut, slow, throttled, HTML."""

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from nautilus.clock import Clock, TestClock
from nautilus.engines.marketdata.sources.cache import AnswerCache
from nautilus.engines.marketdata.sources.client import HttpClient
from nautilus.engines.marketdata.sources.http import SourceHttp
from nautilus.engines.marketdata.sources.rate_limit import RateLimit, RateLimiter
from nautilus.engines.marketdata.sources.settings import RequestBounds, SourceSettings
from nautilus.engines.marketdata.sources.source import Source

START_NS = 1_700_000_000_000_000_000
HTML = b"<!DOCTYPE html><html><body><h1>We will be back soon</h1></body></html>"


def recorded(path: Path) -> bytes:
    """A recorded body; what is packed is unpacked."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Part:
    """One answer of the play. `times` None: for ever. `cut_at`: the line is cut after so many bytes of the body."""

    body: bytes
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None
    cut_at: int | None = None
    silent: bool = False


class SourceServer:
    """`async with SourceServer() as server:`, then `server.play(path, body)`; `server.requests` is what was asked.

    Parts of one path are played in the order given: those whose `params` are all in the request, and that are not used
    up. What nothing was said about is answered with 404.
    """

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.released = asyncio.Event()
        """Set to let answers go that were `held`."""
        self.released.set()
        self._parts: dict[str, list[Part]] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The address in place of a source's own."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Listen no more and cut every line."""
        self.released.set()
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()

    def play(self, path: str, body: Any, **part: Any) -> None:
        """From now on a path answers with a body: bytes as they are, text as UTF-8, anything else as JSON."""
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self._parts.setdefault(path, []).append(Part(data, **part))

    def forget(self, path: str) -> None:
        """Nothing more is played for a path."""
        self._parts.pop(path, None)

    def asked(self, path: str) -> list[Seen]:
        """The requests for one path."""
        return [one for one in self.requests if one.path == path]

    def _part(self, seen: Seen) -> Part:
        for part in self._parts.get(seen.path, []):
            if part.times != 0 and all(seen.params.get(name) == value for name, value in part.params.items()):
                if part.times is not None:
                    part.times -= 1
                return part
        return Part(b'{"error": "nothing is played here"}', 404)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has gone
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        target = urlsplit(head[0].split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        seen = Seen(unquote(target.path), dict(parse_qsl(target.query, keep_blank_values=True)), headers)
        self.requests.append(seen)
        part = self._part(seen)
        await self.released.wait()
        if part.silent:
            await reader.read()  # until who asked gives up
            return False
        lines = [
            f"HTTP/1.1 {part.status} Played",
            f"content-type: {part.content_type}",
            f"content-length: {len(part.body)}",
            *(f"{name}: {value}" for name, value in part.headers.items()),
        ]
        body = part.body if part.cut_at is None else part.body[: part.cut_at]
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await writer.drain()
        return part.cut_at is None


def source_of[S: Source](
    kind: type[S],
    server: SourceServer,
    *,
    clock: Clock | None = None,
    settings: SourceSettings | None = None,
    cache: AnswerCache | None = None,
    rate_limits: Sequence[RateLimit] = (),
    **bounds: Any,
) -> S:
    """A source that asks the fake server, on a TestClock that stands still; its pauses are none unless given."""
    clock = clock or TestClock(START_NS)
    settings = settings or SourceSettings(key="test-key", contact="Tests tests@example.org")
    request_bounds = RequestBounds(**{"backoff_seconds": 0.0, "pause_seconds": 0.0, "timeout_seconds": 5.0, **bounds})
    http = SourceHttp(
        kind.name,
        server.url,
        client=HttpClient(request_bounds),
        limiter=RateLimiter(kind.name, rate_limits or kind.rate_limits, clock),
        cache=AnswerCache(100_000_000) if cache is None else cache,
        clock=clock,
        fresh_seconds=kind.fresh_seconds,
        bounds=request_bounds,
        seed=1,
    )
    return kind(settings, http)


async def close(source: Source) -> None:
    """Give back the connections of a source made by `source_of`."""
    await source.http.close()
    await source.http.client.close()

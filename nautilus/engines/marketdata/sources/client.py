"""One HTTP client for all sources: time-outs, bounded bodies, and errors that never show a key."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceUnavailable
from nautilus.engines.marketdata.sources.settings import RequestBounds

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, headers in lower case, and the whole body. `path` is the address without parameters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    path: str

    @property
    def content_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def retry_after(self, now_ns: int) -> float | None:
        """Seconds that the header Retry-After asks for, as a number or a date; None where it says nothing usable."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdecimal():
            return float(text[:9])
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, at.timestamp() - now_ns / 1e9)


class HttpClient:
    """Connections to all sources, opened with the first request."""

    def __init__(self, bounds: RequestBounds) -> None:
        self._bounds = bounds
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def get(self, source: str, url: str, headers: Mapping[str, str]) -> Reply:
        """One attempt. Raises SourceUnavailable where no whole answer came, SourceGarbled where it is too large.

        Redirects are not followed: they would carry the key to an address that nobody chose.
        """
        import httpx2

        client = await self._open()
        path = urlsplit(url).path
        try:
            async with client.stream("GET", url, headers=dict(headers)) as response:
                body = await self._body(source, response)
                return Reply(response.status_code, _lower(response.headers), body, path)
        except httpx2.TimeoutException:
            raise SourceUnavailable(source, f"does not answer in {self._bounds.timeout_seconds:g} s") from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise SourceUnavailable(source, f"the connection failed: {type(error).__name__}") from None
        except httpx2.InvalidURL:
            raise SourceUnavailable(source, "the address is no address") from None

    async def close(self) -> None:
        """Close all connections."""
        async with self._opening:
            client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _open(self) -> "httpx2.AsyncClient":
        async with self._opening:
            if self._client is None:
                # certificates are read from the disk
                self._client = await asyncio.to_thread(_make_client, self._bounds)
            return self._client

    async def _body(self, source: str, response: "httpx2.Response") -> bytes:
        most = self._bounds.body_bytes
        announced = response.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > most:
            raise SourceGarbled(source, f"its answer has {announced[:20]} bytes, at most {most} are read")
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > most:
                raise SourceGarbled(source, f"its answer has more than {most} bytes")
        return bytes(body)


def _make_client(bounds: RequestBounds) -> "httpx2.AsyncClient":
    import httpx2

    # its log shows whole addresses at INFO, keys included
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(bounds.timeout_seconds),
        limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=30.0),
        follow_redirects=False,
        headers={"accept": "application/json, text/csv;q=0.8, */*;q=0.1", "user-agent": "nautilus"},
    )


def _lower(headers: "httpx2.Headers") -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}

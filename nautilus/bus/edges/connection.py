"""Connections to a server: made from settings, with our own time-outs and our own patience when it is away."""

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nautilus.bus.edges.settings import ServerSettings
from nautilus.errors import Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

FIRST_PAUSE_SECONDS = 0.05


async def open_client(
    settings: ServerSettings, *, name: str, response_timeout_seconds: float | None = None, connections: int = 4
) -> "Redis":
    """A client that connects at its first command. It answers bytes, and tries nothing twice: that is the caller's.

    `name` is what the server's list of clients shows. Reads that block there need a `response_timeout_seconds` longer
    than they block. Raises Unavailable where the password's file cannot be read.
    """
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options: dict[str, Any] = {
        "username": settings.username or None,
        "password": await _password(settings),
        "client_name": name.replace(" ", "_"),
        "socket_timeout": response_timeout_seconds or settings.response_timeout_seconds,
        "socket_connect_timeout": settings.connect_timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": False,
        "driver_info": None,  # else each connection reads redis-py's version from the disk, on the loop
    }
    if settings.url.startswith("unix"):
        del options["socket_connect_timeout"]
    else:
        options["socket_keepalive"] = True
    if settings.url.startswith("rediss"):
        options |= {
            "ssl_ca_certs": settings.tls_ca_file or None,
            "ssl_certfile": settings.tls_certificate_file or None,
            "ssl_keyfile": settings.tls_key_file or None,
        }
    pool = BlockingConnectionPool.from_url(
        settings.url, max_connections=connections, timeout=settings.response_timeout_seconds, **options
    )
    return Redis.from_pool(pool)


async def _password(settings: ServerSettings) -> str | None:
    if not settings.password_file:
        return settings.password or None
    try:
        return await asyncio.to_thread(_first_line, settings.password_file) or None
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise Unavailable(f"the password's file {settings.password_file} cannot be read: {error}") from error


def _first_line(path: str) -> str:
    return Path(path).expanduser().read_text("utf-8").partition("\n")[0].rstrip("\r")


def failures() -> tuple[type[BaseException], ...]:
    """What a server that is away, frozen, full or wrongly addressed raises: reasons to try again later."""
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError, Unavailable)


class Backoff:
    """How long to wait before the next attempt: twice as long each time up to a limit, less a random part.

    >>> patience = Backoff("a", 1.0)
    >>> pauses = [patience.next() for _ in range(8)]
    >>> pauses[0] <= 0.05 < 0.5 <= pauses[-1] <= 1.0
    True
    """

    def __init__(self, seed: str, longest_seconds: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - spreads the attempts of many processes, keeps no secret
        self._longest = longest_seconds
        self._pause = FIRST_PAUSE_SECONDS

    def next(self) -> float:
        """Seconds to wait now."""
        pause = min(self._pause, self._longest)
        self._pause = min(self._pause * 2, self._longest)
        return pause * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: begin with the shortest pause again."""
        self._pause = FIRST_PAUSE_SECONDS

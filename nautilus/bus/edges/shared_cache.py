"""A small cache that every process of the platform shares: bytes under a name, for a stated time.

Nothing that must not be lost belongs here: the server may be away, restarted empty, or full. A value that is not there
and one that has run out are the same, None; a server that does not answer is an error, Unavailable.
"""

from typing import TYPE_CHECKING, Any

from nautilus.bus.edges.cache_server import ask
from nautilus.errors import Invalid

if TYPE_CHECKING:
    from redis.asyncio import Redis

LONGEST_KEY = 512
LONGEST_SECONDS = 30 * 86_400.0


class SharedCache:
    """Values of at most `max_value_bytes` each. `connection` is the caller's, to the cache server.

    Every request is over within `timeout_seconds`.
    """

    def __init__(
        self,
        connection: "Redis",
        *,
        prefix: str = "nautilus",
        max_value_bytes: int = 1 << 20,
        timeout_seconds: float = 1.0,
    ) -> None:
        if max_value_bytes < 1:
            raise Invalid("max_value_bytes", f"must be at least 1, not {max_value_bytes}")
        if timeout_seconds <= 0:
            raise Invalid("timeout_seconds", f"must be positive, not {timeout_seconds}")
        self._connection = connection
        self._prefix = prefix
        self._max_value_bytes = max_value_bytes
        self._timeout_seconds = timeout_seconds

    async def get(self, key: str) -> bytes | None:
        """The value, or None; raises Unavailable."""
        request: Any = self._connection.get(self._name(key))
        value: bytes | None = await ask(request, self._timeout_seconds)
        return value

    async def put(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep a value for so long, in place of an older one; raises Unavailable, and Invalid for one too big."""
        if not isinstance(value, bytes):
            raise Invalid("value", f"must be bytes, not {type(value).__name__}")
        if len(value) > self._max_value_bytes:
            raise Invalid("value", f"has {len(value)} bytes, more than {self._max_value_bytes}")
        if not 0.001 <= ttl_seconds <= LONGEST_SECONDS:
            raise Invalid("ttl_seconds", f"must be 0.001 to {LONGEST_SECONDS:.0f}, not {ttl_seconds}")
        request: Any = self._connection.set(self._name(key), value, px=round(ttl_seconds * 1000))
        await ask(request, self._timeout_seconds)

    async def delete(self, key: str) -> bool:
        """Forget a value; whether there was one. Raises Unavailable."""
        request: Any = self._connection.delete(self._name(key))
        return bool(await ask(request, self._timeout_seconds))

    def _name(self, key: str) -> str:
        if not 1 <= len(key) <= LONGEST_KEY:
            raise Invalid("key", f"must have 1 to {LONGEST_KEY} characters, not {len(key)}")
        return f"{self._prefix}:cache:{key}"

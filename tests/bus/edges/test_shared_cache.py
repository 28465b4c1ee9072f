"""The shared cache: what one process puts another gets, for the time stated, within the bounds stated."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from nautilus.bus.edges.connection import open_client
from nautilus.bus.edges.settings import ServerSettings
from nautilus.bus.edges.shared_cache import SharedCache
from nautilus.errors import Invalid, Unavailable
from tests.servers.valkey import Valkey


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as made:
        yield made


@pytest.fixture
async def connection(server: Valkey) -> AsyncIterator[Any]:
    client = await open_client(ServerSettings(url=server.url), name="test")
    await client.flushall()
    yield client
    await client.aclose()


async def test_what_one_puts_another_gets_until_it_is_deleted(connection: Any) -> None:
    one, other = SharedCache(connection), SharedCache(connection)
    assert await other.get("model") is None
    await one.put("model", b"\x00weights", ttl_seconds=60)
    assert await other.get("model") == b"\x00weights"
    assert await other.delete("model")
    assert not await other.delete("model")
    assert await one.get("model") is None


async def test_a_value_runs_out(connection: Any) -> None:
    cache = SharedCache(connection)
    await cache.put("short", b"x", ttl_seconds=0.05)
    async with asyncio.timeout(10):
        while await cache.get("short") is not None:  # noqa: ASYNC110 - the server's clock has to move
            await asyncio.sleep(0.01)


async def test_prefixes_keep_platforms_apart(connection: Any) -> None:
    await SharedCache(connection, prefix="one").put("key", b"1", ttl_seconds=60)
    assert await SharedCache(connection, prefix="two").get("key") is None


@pytest.mark.parametrize(
    ("key", "value", "seconds", "field"),
    [
        ("", b"x", 1, "key"),
        ("k" * 513, b"x", 1, "key"),
        ("key", b"x" * 11, 1, "value"),
        ("key", "text", 1, "value"),
        ("key", b"x", 0, "ttl_seconds"),
        ("key", b"x", float("nan"), "ttl_seconds"),
        ("key", b"x", 1e9, "ttl_seconds"),
    ],
)
async def test_what_is_out_of_bounds_is_refused_by_name(
    connection: Any, key: str, value: Any, seconds: float, field: str
) -> None:
    cache = SharedCache(connection, max_value_bytes=10)
    with pytest.raises(Invalid) as error:
        await cache.put(key, value, ttl_seconds=seconds)
    assert error.value.field == field


async def test_a_server_that_is_away_or_frozen_is_an_error_in_time() -> None:
    with Valkey(start=False) as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        cache = SharedCache(connection, timeout_seconds=0.2)
        with pytest.raises(Unavailable, match="the cache server"):
            await cache.get("key")
        await asyncio.to_thread(server.start)
        await cache.put("key", b"x", ttl_seconds=60)
        server.freeze()
        with pytest.raises(Unavailable, match=r"not answered within 0\.2 s"):
            await cache.get("key")
        server.thaw()
        assert await cache.get("key") == b"x"
        await connection.aclose()


async def test_a_full_server_is_an_error_that_says_so() -> None:
    with Valkey(maxmemory="2mb", maxmemory_policy="noeviction") as server:
        connection = await open_client(ServerSettings(url=server.url), name="test")
        cache = SharedCache(connection)
        puts = [cache.put(f"key-{number}", b"x" * 100_000, ttl_seconds=60) for number in range(100)]
        with pytest.raises(Unavailable, match="maxmemory"):
            await asyncio.gather(*puts)
        await connection.aclose()

"""What the tests of this folder share: stores, SQL and waiting."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from nautilus.store.postgres import PostgresSettings, PostgresStore
from tests.servers.postgres import PostgresServer
from tests.store.records import RECORD_TYPES


async def opened(settings: PostgresSettings, directory: Path, token: int | None = None) -> PostgresStore:
    store = PostgresStore(settings, directory, record_types=RECORD_TYPES)
    await store.open(token)
    return store


async def query(server: PostgresServer, settings: PostgresSettings, statement: str) -> str:
    return await asyncio.to_thread(server.sql, f"SET search_path = {settings.schema}; {statement}")


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of threads and processes have no event
            await asyncio.sleep(0.02)

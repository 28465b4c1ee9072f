"""Migrations run once, whole or not at all."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from nautilus.store import StoreError
from nautilus.store.postgres import PostgresSettings
from nautilus.store.postgres.connections import Connections
from nautilus.store.postgres.migrations import MIGRATIONS, Migration, migrate
from tests.servers.postgres import PostgresServer
from tests.store.postgres.opening import opened, query


async def migrated(settings: PostgresSettings, migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    connections = Connections(settings)
    connections.prepare()
    connection = await connections.dial()
    try:
        return await migrate(connection, settings.schema, migrations)
    finally:
        connection.terminate()


def test_migrations_are_numbered_from_one() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


async def test_migrating_again_changes_nothing(server: PostgresServer, settings: PostgresSettings) -> None:
    assert await migrated(settings) == await migrated(settings) == len(MIGRATIONS)
    versions = await query(
        server, settings, "SELECT string_agg(version::text, ',' ORDER BY version) FROM schema_version"
    )
    assert versions == ",".join(str(migration.number) for migration in MIGRATIONS)


async def test_an_older_schema_is_brought_up(
    server: PostgresServer, settings: PostgresSettings, tmp_path: Path
) -> None:
    assert await migrated(settings, MIGRATIONS[:1]) == 1
    store = await opened(settings, tmp_path)
    await store.close()
    assert await query(server, settings, "SELECT max(version) FROM schema_version") == str(len(MIGRATIONS))


async def test_processes_that_migrate_at_once_take_turns(server: PostgresServer, settings: PostgresSettings) -> None:
    await asyncio.gather(*(migrated(settings) for _ in range(5)))
    assert await query(server, settings, "SELECT count(*) FROM schema_version") == str(len(MIGRATIONS))


async def test_nothing_of_a_migration_that_fails_remains(server: PostgresServer, settings: PostgresSettings) -> None:
    number = len(MIGRATIONS) + 1
    failing = Migration(
        number, "half", "CREATE TABLE half (a integer); ALTER TABLE journal DROP COLUMN kind; SELECT 1/0"
    )
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrated(settings, (*MIGRATIONS, failing))
    assert await query(server, settings, "SELECT to_regclass('half') IS NULL, count(kind) FROM journal") == "t|0"
    whole = failing._replace(statements="CREATE TABLE half (a integer)")
    assert await migrated(settings, (*MIGRATIONS, whole)) == number


async def test_a_newer_schema_is_refused(server: PostgresServer, settings: PostgresSettings, tmp_path: Path) -> None:
    await migrated(settings)
    await query(server, settings, "INSERT INTO schema_version (version, name) VALUES (99, 'later')")
    with pytest.raises(StoreError, match="has version 99, this version reads up to"):
        await opened(settings, tmp_path)

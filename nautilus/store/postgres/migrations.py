"""The tables, as numbered steps: each runs once, whole or not at all, whoever comes first."""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

from nautilus.errors import StoreError
from nautilus.store.postgres.connections import Connection, transaction


class Migration(NamedTuple):
    """One step from the schema before to the schema `number`."""

    number: int
    name: str
    statements: str


MIGRATIONS = (
    Migration(
        1,
        "owner, journal and state",
        """
        CREATE TABLE owner (
            single boolean PRIMARY KEY DEFAULT true CHECK (single),
            token bigint NOT NULL,
            holder text NOT NULL,
            opened_at timestamptz NOT NULL DEFAULT now(),
            store_id uuid NOT NULL DEFAULT gen_random_uuid()
        );
        INSERT INTO owner (token, holder) VALUES (0, 'nobody');
        CREATE TABLE journal (
            sequence bigint PRIMARY KEY,
            ts bigint,
            kind text NOT NULL,
            payload bytea NOT NULL,
            checksum bigint NOT NULL,
            owner_token bigint NOT NULL
        );
        COMMENT ON COLUMN journal.ts IS 'nanoseconds UTC of the event, where the record has a time';
        COMMENT ON COLUMN journal.payload IS 'MessagePack';
        COMMENT ON COLUMN journal.checksum IS 'CRC-32 of the payload';
        CREATE TABLE state (
            namespace text NOT NULL COLLATE "C",
            key text NOT NULL COLLATE "C",
            value bytea NOT NULL,
            PRIMARY KEY (namespace, key)
        );
        """,
    ),
    Migration(
        2,
        "catalog",
        """
        CREATE TABLE catalog_kinds (
            kind_id integer PRIMARY KEY,
            kind text NOT NULL UNIQUE,
            relation text NOT NULL UNIQUE,
            layout text NOT NULL CHECK (layout IN ('partitions', 'hypertable')),
            columns json NOT NULL
        );
        COMMENT ON COLUMN catalog_kinds.columns IS 'NumPy types by column, in the order they were first written';
        CREATE TABLE catalog_instruments (
            instrument integer PRIMARY KEY,
            instrument_id text NOT NULL UNIQUE
        );
        CREATE TABLE catalog_days (
            kind_id integer NOT NULL REFERENCES catalog_kinds,
            instrument integer NOT NULL REFERENCES catalog_instruments,
            day date NOT NULL,
            rows bigint NOT NULL,
            start_ns bigint NOT NULL,
            end_ns bigint NOT NULL,
            columns text[] NOT NULL,
            partial text[] NOT NULL,
            PRIMARY KEY (kind_id, instrument, day)
        );
        COMMENT ON TABLE catalog_days IS 'what each day holds; partial names columns that some of its rows lack';
        """,
    ),
)


def lock_key(schema: str, purpose: str) -> int:
    """Key of an advisory lock, which PostgreSQL keeps by database."""
    return (crc32(schema.encode()) << 31) ^ crc32(purpose.encode())


async def migrate(connection: Connection, schema: str, migrations: tuple[Migration, ...] = MIGRATIONS) -> int:
    """Bring the schema up to the newest step and return its number; steps already taken are not taken again.

    Two processes at once take turns. Raises StoreError when the schema is newer than this version.
    """
    newest = migrations[-1].number
    await connection.execute("SELECT pg_advisory_lock($1)", lock_key(schema, "migrations"))
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version ("
        "version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    version = await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_version")
    if version > newest:
        raise StoreError(
            f"schema {schema!r} of the database has version {version}, this version reads up to {newest}; "
            "update Nautilus, or choose another store.postgres.schema"
        )
    for migration in migrations:
        if migration.number > version:
            async with transaction(connection):
                await connection.execute(migration.statements)
                await connection.execute(
                    "INSERT INTO schema_version (version, name) VALUES ($1, $2)", migration.number, migration.name
                )
    await connection.execute("SELECT pg_advisory_unlock($1)", lock_key(schema, "migrations"))
    return newest

"""One owner writes: a token that only grows, checked in every transaction, and a lock that shows who is alive."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import NamedTuple

from nautilus.errors import StoreError
from nautilus.store.postgres.connections import Connection
from nautilus.store.postgres.errors import DatabaseInUse, Fenced
from nautilus.store.postgres.migrations import lock_key

DEATH_NOTICED_S = 2.0


class Owner(NamedTuple):
    """Who we are to the server: the token under which we write, and which store that is."""

    token: int
    store_id: str


async def claim(connection: Connection, schema: str, token: int | None) -> Owner:
    """Become the owner of the schema. The lock of the living stays with `connection`.

    A token higher than the stored one takes the schema over: whoever had it is cut off and can write no more. The same
    token, or None for the next one, is only granted when no other owner is alive.
    Raises StoreError for a token lower than the stored one, DatabaseInUse when another owner is alive.
    """
    stored = await connection.fetchval("SELECT token FROM owner")
    if token is not None and token < stored:
        raise StoreError(f"token {token} is lower than {stored}, under which schema {schema!r} was opened since")
    takes_over = token is not None and token > stored
    if takes_over:
        await _cut_off_others(connection, schema)
    elif not await _alone(connection, schema):
        raise await _in_use(connection, schema)
    row = await connection.fetchrow(
        "UPDATE owner SET token = $1, holder = $2, opened_at = now() WHERE token <= $1 RETURNING token, store_id",
        stored + 1 if token is None else token,
        f"process {os.getpid()} on {socket.gethostname()}",
    )
    if row is None or (takes_over and not await _alone(connection, schema)):
        raise await _in_use(connection, schema)
    return Owner(row["token"], str(row["store_id"]))


async def _in_use(connection: Connection, schema: str) -> DatabaseInUse:
    row = await connection.fetchrow("SELECT token, holder FROM owner")
    return DatabaseInUse(
        f"schema {schema!r} of the database is in use by another Nautilus ({row['holder']}, token {row['token']}); "
        "stop it, choose another store.postgres.schema, or open with a higher token to take it over"
    )


async def _cut_off_others(connection: Connection, schema: str) -> None:
    """End the connections of an owner that may be paused: the one with its lock, and any within a transaction."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pid <> pg_backend_pid() "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (relation = 'owner'::regclass OR (locktype = 'advisory' AND objsubid = 1 "
        "AND (classid::bigint << 32) | objid::bigint = $1))",
        lock_key(schema, "owner"),
    )


async def _alone(connection: Connection, schema: str) -> bool:
    """Whether nobody else is alive; the server may need a moment to notice that a killed process is gone."""
    deadline = time.monotonic() + DEATH_NOTICED_S
    while not await hold(connection, schema):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def hold(connection: Connection, schema: str) -> bool:
    """Whether the lock that shows a living owner is ours now; it lasts as long as the connection."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock_key(schema, "owner")))


async def release(connection: Connection) -> None:
    """Give the lock up at once, so that the next owner need not wait until the server notices that we are gone."""
    await connection.execute("SELECT pg_advisory_unlock_all()")


async def check(connection: Connection, owner: Owner) -> None:
    """Raise Fenced unless we are still the owner; holds a new owner off until the transaction ends."""
    row = await connection.fetchrow("SELECT token, holder, store_id FROM owner FOR SHARE")
    if row is None or str(row["store_id"]) != owner.store_id:
        raise Fenced("fenced: the database holds another store now")
    if row["token"] != owner.token:
        raise Fenced(f"fenced: token {row['token']} owns this store now ({row['holder']}), ours was {owner.token}")

"""At the start: what the server's journal and the local one have in common, and which of them goes on.

PostgreSQL is the truth for what was shipped. What it has more is fetched; what is here and goes on from there will be
shipped; where both hold a record of the same sequence and it is not the same record, nothing is touched.
"""

from __future__ import annotations

import asyncio
from zlib import crc32

from nautilus.errors import StoreError
from nautilus.store.postgres.connections import Connection, Watchdog
from nautilus.store.postgres.errors import Diverged
from nautilus.store.postgres.journal import PostgresJournal
from nautilus.store.postgres.owner import Owner
from nautilus.store.postgres.segment_tail import Raw, SegmentTail
from nautilus.store.postgres.shipping import Mark
from nautilus.store.segments import DirectorySegments

FETCH_RECORDS = 500
COMPARE_RECORDS = 20_000


async def reconcile(
    connection: Connection,
    watchdog: Watchdog,
    owner: Owner,
    journal: PostgresJournal,
    segments: DirectorySegments,
    mark: Mark | None,
) -> int:
    """Bring the recovered local journal up to the server's; returns the sequence up to which both agree.

    Raises Diverged, naming the first sequence that differs, and StoreError where records are missing on one side.
    """
    if mark is not None and mark.store_id != owner.store_id:
        raise StoreError(
            f"this directory belongs to store {mark.store_id}, and the database holds store {owner.store_id}; "
            "choose the database it was used with, or an empty store.directory"
        )
    shipped = 0 if mark is None else mark.shipped
    bounds = await connection.fetchrow("SELECT min(sequence) AS first, max(sequence) AS last FROM journal")
    first, last = await asyncio.to_thread(journal.first_sequence), journal.last_sequence
    if bounds["last"] is None:
        return first - 1  # all that is here will be shipped
    if last >= first and bounds["first"] > last + 1:
        if shipped < last:
            raise Diverged(
                f"journal record {shipped + 1} waits on this machine, and the server has gone on to "
                f"{bounds['last']} without it; {_advice()}"
            )
        await asyncio.to_thread(journal.restart_at, bounds["first"])
    elif last < first:
        await asyncio.to_thread(journal.restart_at, max(bounds["first"], first))
    elif first > bounds["last"] + 1:
        raise StoreError(
            f"the server's journal ends at record {bounds['last']} and the local one begins at {first}; "
            "restore the database from a newer backup, or choose an empty store.directory"
        )
    else:
        common = min(last, bounds["last"])
        start = min(max(first, bounds["first"], shipped), common)
        await _compare(connection, watchdog, SegmentTail(segments, start - 1), start, common)
    await _fetch(connection, watchdog, journal, segments)
    return min(int(bounds["last"]), journal.last_sequence)


async def _compare(connection: Connection, watchdog: Watchdog, tail: SegmentTail, start: int, common: int) -> None:
    expected: dict[int, int] = {}
    fetched = start - 1
    while records := await asyncio.to_thread(tail.read, common):
        watchdog.reset()
        for sequence, payload in records:
            if sequence > fetched:
                rows = await connection.fetch(
                    "SELECT sequence, checksum FROM journal WHERE sequence BETWEEN $1 AND $2",
                    sequence,
                    fetched := sequence + COMPARE_RECORDS - 1,
                )
                expected = {row["sequence"]: row["checksum"] for row in rows}
            if expected.get(sequence) != crc32(payload):
                raise Diverged(
                    f"journal record {sequence} of this machine is not the one that the server has; {_advice()}"
                )


async def _fetch(
    connection: Connection, watchdog: Watchdog, journal: PostgresJournal, segments: DirectorySegments
) -> None:
    fetched = False
    while rows := await connection.fetch(
        "SELECT sequence, payload, checksum FROM journal WHERE sequence > $1 ORDER BY sequence LIMIT $2",
        journal.last_sequence,
        FETCH_RECORDS,
    ):
        watchdog.reset()
        for row in rows:
            if crc32(row["payload"]) != row["checksum"]:
                raise StoreError(f"journal record {row['sequence']} is damaged on the server: its checksum is wrong")
        await asyncio.to_thread(journal.add, [Raw(row["sequence"], row["payload"]) for row in rows])
        fetched = True
    if fetched:
        await asyncio.to_thread(segments.sync)


def _advice() -> str:
    return (
        "another owner went on meanwhile. Nothing was changed: keep this directory aside, look at what it holds "
        "with what the server holds, and open with an empty store.directory"
    )

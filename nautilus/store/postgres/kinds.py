"""The catalog's own tables: which kinds there are, of which columns, and what each day of an instrument holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import msgspec

from nautilus.errors import Invalid
from nautilus.store.postgres.binary_copy import sql_type
from nautilus.store.postgres.connections import Connection
from nautilus.store.postgres.layout import (
    Layout,
    check_names,
    choose_layout,
    create_hypertable,
    create_table,
    original_name,
    quoted,
    relation_name,
)
from nautilus.store.postgres.settings import PostgresSettings

type Dtypes = Mapping[str, str]


class Kind(NamedTuple):
    """A kind of market data and its table; `dtypes` are the NumPy types of all its columns."""

    kind_id: int
    kind: str
    relation: str
    layout: Layout
    dtypes: Dtypes


class Day(NamedTuple):
    """What a day of an instrument holds; `partial` are columns that some of its rows lack."""

    rows: int
    columns: frozenset[str]
    partial: frozenset[str]


async def find_kind(connection: Connection, kind: str) -> Kind | None:
    """The kind by its stored name, None where there is none."""
    row = await connection.fetchrow("SELECT * FROM catalog_kinds WHERE kind = $1", kind)
    return None if row is None else _kind(row)


async def all_kinds(connection: Connection) -> list[Kind]:
    """Every kind there is."""
    return [_kind(row) for row in await connection.fetch("SELECT * FROM catalog_kinds ORDER BY kind_id")]


async def add_kind(connection: Connection, kind: str, dtypes: Dtypes, settings: PostgresSettings) -> Kind:
    """Make the table of a kind that is new, by TimescaleDB where the server has it and may."""
    check_names(dtypes)
    version = await connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    licence = await connection.fetchval("SELECT current_setting('timescaledb.license', true)")
    layout, policies = choose_layout(settings.timescale, version, licence)
    kind_id = await connection.fetchval("SELECT coalesce(max(kind_id), 0) + 1 FROM catalog_kinds")
    relation = relation_name(kind_id, kind)
    await connection.execute(create_table(relation, layout, dtypes))
    if layout == "hypertable":
        await connection.execute(create_hypertable(relation, original_name(kind), settings, policies=policies))
    await connection.execute(
        "INSERT INTO catalog_kinds (kind_id, kind, relation, layout, columns) VALUES ($1, $2, $3, $4, $5)",
        kind_id,
        kind,
        relation,
        layout,
        msgspec.json.encode(dtypes).decode(),
    )
    return Kind(kind_id, kind, relation, layout, dtypes)


async def widen_kind(connection: Connection, kind: Kind, dtypes: Dtypes) -> Kind:
    """The kind with columns it did not have; Invalid, naming the column, for one that has another type."""
    for name, dtype in dtypes.items():
        if kind.dtypes.get(name, dtype) != dtype:
            raise Invalid(f"columns.{name}", f"must be {kind.dtypes[name]} as in earlier writes, not {dtype}")
    new = {name: dtype for name, dtype in dtypes.items() if name not in kind.dtypes}
    if not new:
        return kind
    check_names(new)
    added = ", ".join(f"ADD COLUMN {quoted(name)} {sql_type(dtype)}" for name, dtype in new.items())
    await connection.execute(f"ALTER TABLE {kind.relation} {added}")
    wider = kind._replace(dtypes={**kind.dtypes, **new})
    await connection.execute(
        "UPDATE catalog_kinds SET columns = $2 WHERE kind_id = $1",
        kind.kind_id,
        msgspec.json.encode(wider.dtypes).decode(),
    )
    return wider


async def find_instrument(connection: Connection, instrument_id: str) -> int | None:
    """The number of an instrument by its stored name, None where there is none."""
    number: int | None = await connection.fetchval(
        "SELECT instrument FROM catalog_instruments WHERE instrument_id = $1", instrument_id
    )
    return number


async def add_instrument(connection: Connection, instrument_id: str) -> int:
    """Give an instrument that is new the next number."""
    number: int = await connection.fetchval(
        "INSERT INTO catalog_instruments (instrument, instrument_id) "
        "SELECT coalesce(max(instrument), 0) + 1, $1 FROM catalog_instruments RETURNING instrument",
        instrument_id,
    )
    return number


async def find_day(connection: Connection, kind: Kind, instrument: int, day: date) -> Day:
    """What a day holds; nothing where it is new."""
    row = await connection.fetchrow(
        "SELECT rows, columns, partial FROM catalog_days WHERE kind_id = $1 AND instrument = $2 AND day = $3",
        kind.kind_id,
        instrument,
        day,
    )
    if row is None:
        return Day(0, frozenset(), frozenset())
    return Day(row["rows"], frozenset(row["columns"]), frozenset(row["partial"]))


async def grow_day(
    connection: Connection,
    kind: Kind,
    instrument: int,
    day: date,
    rows: int,
    span_ns: tuple[int, int],
    columns: set[str],
) -> None:
    """Enter rows that were written to a day."""
    old = await find_day(connection, kind, instrument, day)
    partial = old.partial | (old.columns ^ columns if old.rows else set())
    await connection.execute(
        "INSERT INTO catalog_days AS old (kind_id, instrument, day, rows, start_ns, end_ns, columns, partial) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kind_id, instrument, day) DO UPDATE SET "
        "rows = old.rows + excluded.rows, start_ns = least(old.start_ns, excluded.start_ns), "
        "end_ns = greatest(old.end_ns, excluded.end_ns), columns = excluded.columns, partial = excluded.partial",
        kind.kind_id,
        instrument,
        day,
        rows,
        *span_ns,
        sorted(old.columns | columns),
        sorted(partial),
    )


def _kind(row: Mapping[str, Any]) -> Kind:
    dtypes = msgspec.json.decode(row["columns"], type=dict[str, str])
    return Kind(row["kind_id"], row["kind"], row["relation"], row["layout"], dtypes)

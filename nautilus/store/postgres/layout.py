"""How a kind of market data lies in the database: day partitions made here, or a TimescaleDB hypertable.

Nothing here talks to a server: functions of settings and names that return SQL, and one that decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Literal

from nautilus.errors import Invalid
from nautilus.store.columns import TIME
from nautilus.store.parts import DAY_NS, encode_name
from nautilus.store.postgres.binary_copy import sql_type
from nautilus.store.postgres.settings import PostgresSettings

type Layout = Literal["partitions", "hypertable"]

INSTRUMENT = "nautilus_instrument"
ROW = "nautilus_row"
EPOCH = date(1970, 1, 1)
NAME_MAX_BYTES = 63
_RESERVED = frozenset({INSTRUMENT, ROW, "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_NOW_NS = (
    "CREATE OR REPLACE FUNCTION now_ns() RETURNS bigint LANGUAGE sql STABLE AS"
    " $$ SELECT (extract(epoch FROM now()) * 1000000000)::bigint $$"
)
_SIZES = {"bigint": 8, "double precision": 8, "integer": 4, "real": 4, "smallint": 2, "boolean": 1}


def choose_layout(timescale: str, extension_version: str | None, licence: str | None) -> tuple[Layout, bool]:
    """The layout of a new kind, and whether it may be compressed and retained by policies.

    `extension_version` is that of TimescaleDB in this database and `licence` its `timescaledb.license`; None where it
    is not there. Compression and policies are not part of the Apache edition.

    >>> choose_layout("auto", "2.20.3", "timescale"), choose_layout("auto", "2.20.3", "apache")
    (('hypertable', True), ('hypertable', False))
    >>> choose_layout("auto", None, None), choose_layout("off", "2.20.3", "timescale")
    (('partitions', False), ('partitions', False))
    """
    if timescale == "off" or extension_version is None:
        return "partitions", False
    return "hypertable", licence == "timescale"


def check_names(columns: Mapping[str, object]) -> None:
    """Raise Invalid for a column that PostgreSQL cannot name so."""
    for name in columns:
        if not 0 < len(name.encode(errors="replace")) <= NAME_MAX_BYTES or "\0" in name or name in _RESERVED:
            raise Invalid(f"columns.{name}", f"must have a name of 1 to {NAME_MAX_BYTES} bytes that is not reserved")


def stored_name(name: str) -> str:
    """A kind or an instrument as it is stored: itself, with NUL, which PostgreSQL has not, as %00 and % as %25.

    Raises Invalid for what no catalog takes.

    >>> stored_name("50%/EUR.X")
    '50%25/EUR.X'
    """
    encode_name(name)
    return name.replace("%", "%25").replace("\0", "%00")


def original_name(stored: str) -> str:
    """The name that `stored_name` was given.

    >>> original_name("50%25/EUR.X")
    '50%/EUR.X'
    """
    return stored.replace("%00", "\0").replace("%25", "%")


def quoted(name: str) -> str:
    """An identifier as SQL takes it.

    >>> quoted('the "price"')
    '"the ""price\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def relation_name(kind_id: int, kind: str) -> str:
    """Name of the table of a kind: readable, and its own for every kind.

    >>> relation_name(3, "bar.60s")
    'data_3_bar_60s'
    """
    return f"data_{kind_id}_{re.sub(r'[^a-z0-9]+', '_', kind.lower())[:32]}".rstrip("_")


def partition_name(relation: str, day: date) -> str:
    """Name of the partition of a day (UTC).

    >>> partition_name("data_1_trade", date(2024, 1, 31))
    'data_1_trade_20240131'
    """
    return f"{relation}_{day:%Y%m%d}"


def day_start_ns(day: date) -> int:
    """First nanosecond of a day, UTC."""
    return (day - EPOCH).days * DAY_NS


def create_table(relation: str, layout: Layout, dtypes: Mapping[str, str]) -> str:
    """The table of a kind with its index: wide columns first, so that no byte of a row is lost to alignment."""
    types = {name: sql_type(dtype) for name, dtype in dtypes.items() if name != TIME}
    ordered = sorted(types, key=lambda name: -_SIZES[types[name]])
    wide = [f"{quoted(name)} {types[name]}" for name in ordered if _SIZES[types[name]] == 8]
    narrow = [f"{quoted(name)} {types[name]}" for name in ordered if _SIZES[types[name]] < 8]
    own = [f"{INSTRUMENT} integer NOT NULL", f"{ROW} integer NOT NULL"]
    columns = ", ".join([f"{TIME} bigint NOT NULL", *wide, *own, *narrow])
    partitioned = f" PARTITION BY RANGE ({TIME})" if layout == "partitions" else ""
    return (
        f"CREATE TABLE {relation} ({columns}){partitioned};"
        f" CREATE INDEX {relation}_at ON {relation} ({INSTRUMENT}, {TIME});"
    )


def create_partition(relation: str, day: date) -> str:
    """A partition made beside the table and then attached, so that readers of other days are not held up."""
    name = partition_name(relation, day)
    start_ns = day_start_ns(day)
    return (
        f"CREATE TABLE {name} (LIKE {relation} INCLUDING DEFAULTS);"
        f" ALTER TABLE {relation} ATTACH PARTITION {name}"
        f" FOR VALUES FROM ({start_ns}) TO ({start_ns + DAY_NS});"
    )


def create_hypertable(relation: str, kind: str, settings: PostgresSettings, *, policies: bool) -> str:
    """SQL that makes a table a hypertable of one chunk a day, with compression and retention where licensed."""
    statements = [
        f"SELECT create_hypertable('{relation}', by_range('{TIME}', {DAY_NS}), create_default_indexes => false)",
        _NOW_NS,
        f"SELECT set_integer_now_func('{relation}', '{settings.schema}.now_ns')",
    ]
    if policies and settings.compress_after_days:
        order = f"timescaledb.compress_segmentby = '{INSTRUMENT}', timescaledb.compress_orderby = '{TIME}, {ROW}'"
        after_ns = settings.compress_after_days * DAY_NS
        statements += [
            f"ALTER TABLE {relation} SET (timescaledb.compress, {order})",
            f"SELECT add_compression_policy('{relation}', compress_after => {after_ns}::bigint)",
        ]
    kept_days = settings.retention_days.get(kind, 0)
    if policies and kept_days:
        statements.append(f"SELECT add_retention_policy('{relation}', drop_after => {kept_days * DAY_NS}::bigint)")
    return ";\n".join(statements) + ";"


def drop_days(relation: str, layout: Layout, days: list[date], before: date) -> str:
    """SQL that removes whole days: their partitions, or the chunks older than `before`."""
    if layout == "hypertable":
        return f"SELECT drop_chunks('{relation}', older_than => {day_start_ns(before)}::bigint)"
    return "; ".join(f"DROP TABLE IF EXISTS {partition_name(relation, day)}" for day in days)

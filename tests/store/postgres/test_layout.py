"""The SQL of tables and partitions. TimescaleDB is on no machine of ours: its statements are tested as text."""

from datetime import date

import msgspec

from nautilus.store.postgres import PostgresSettings
from nautilus.store.postgres.layout import create_hypertable, create_partition, create_table, drop_days

DAY = 86_400_000_000_000


def test_a_partition_holds_one_day() -> None:
    statement = create_partition("data_1_trade", date(1970, 1, 3))
    assert f"ATTACH PARTITION data_1_trade_19700103 FOR VALUES FROM ({2 * DAY}) TO ({3 * DAY})" in statement
    assert f"FROM ({-DAY}) TO (0)" in create_partition("data_1_trade", date(1969, 12, 31))


def test_a_table_has_its_wide_columns_first() -> None:
    statement = create_table("data_1", "partitions", {"ts_event": "int64", "side": "int8", "price": "int64"})
    order = [statement.index(name) for name in ("ts_event", '"price"', "nautilus_instrument", '"side"')]
    assert order == sorted(order)
    assert "PARTITION BY RANGE (ts_event)" in statement
    assert "PARTITION BY" not in create_table("data_1", "hypertable", {"ts_event": "int64"})


def test_a_hypertable_is_compressed_and_retained_only_where_the_licence_allows() -> None:
    settings = PostgresSettings(retention_days={"trade": 30}, compress_after_days=3)
    licensed = create_hypertable("data_1_trade", "trade", settings, policies=True)
    assert f"create_hypertable('data_1_trade', by_range('ts_event', {DAY})" in licensed
    assert "set_integer_now_func('data_1_trade', 'nautilus.now_ns')" in licensed
    assert "timescaledb.compress_segmentby = 'nautilus_instrument'" in licensed
    assert f"add_compression_policy('data_1_trade', compress_after => {3 * DAY}::bigint)" in licensed
    assert f"add_retention_policy('data_1_trade', drop_after => {30 * DAY}::bigint)" in licensed
    apache = create_hypertable("data_1_trade", "trade", settings, policies=False)
    assert "compress" not in apache
    assert "retention" not in apache
    kept = msgspec.structs.replace(settings, compress_after_days=0, retention_days={"trade": 0})
    assert "policy" not in create_hypertable("data_1_trade", "trade", kept, policies=True)


def test_days_are_dropped_as_partitions_or_chunks() -> None:
    days = [date(1970, 1, 1), date(1970, 1, 2)]
    assert drop_days("d", "partitions", days, date(1970, 1, 3)) == (
        "DROP TABLE IF EXISTS d_19700101; DROP TABLE IF EXISTS d_19700102"
    )
    assert drop_days("d", "hypertable", days, date(1970, 1, 3)) == (
        f"SELECT drop_chunks('d', older_than => {2 * DAY}::bigint)"
    )

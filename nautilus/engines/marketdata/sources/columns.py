"""Columns of text made into columns of days and numbers, where a single wrong cell is an error, not a null."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nautilus.engines.marketdata.sources.errors import SourceGarbled

if TYPE_CHECKING:
    import polars as pl


def days(source: str, texts: Sequence[str | None]) -> "pl.Series":
    """Days written as 2024-01-31, null where there is none. Raises SourceGarbled.

    >>> days("fred", ["2024-01-31", None]).to_list()
    [datetime.date(2024, 1, 31), None]
    """
    import polars as pl

    column = pl.Series([text or None for text in texts], dtype=pl.String)
    return _whole(source, column, column.str.to_date("%Y-%m-%d", strict=False), "a date")


def instants(source: str, texts: Sequence[str | None]) -> "pl.Series":
    """Moments written in ISO 8601 with their offset from UTC; null where there is none. Raises SourceGarbled.

    >>> instants("edgar", ["2026-01-29T01:55:03.000Z"])[0].isoformat()
    '2026-01-29T01:55:03+00:00'
    """
    import polars as pl

    column = pl.Series([text or None for text in texts], dtype=pl.String)
    # FRED writes the offset as -05; a time zone has minutes
    full = column.str.replace(r"([+-]\d\d)$", "$1:00")
    moments = full.str.to_datetime(time_unit="ns", time_zone="UTC", strict=False, format="%+")
    return _whole(source, column, moments, "a time")


def numbers(source: str, texts: Sequence[str], missing: Sequence[str] = ("", ".")) -> "pl.Series":
    """Finite numbers written as text, null for what stands for a missing one. Raises SourceGarbled.

    >>> numbers("fred", ["243.164", "."]).to_list()
    [243.164, None]
    """
    import polars as pl

    column = pl.Series([None if text in missing else text for text in texts], dtype=pl.String)
    values = column.cast(pl.Float64, strict=False)
    return _whole(source, column, values.set(~values.is_finite(), None), "a number")


def _whole(source: str, column: "pl.Series", typed: "pl.Series", what: str) -> "pl.Series":
    if typed.null_count() != column.null_count():
        wrong = column.filter(typed.is_null() & column.is_not_null())[0]
        raise SourceGarbled(source, f"answers with {wrong[:40]!r} in place of {what}")
    return typed

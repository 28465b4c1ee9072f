"""Columns out of CSV and Parquet; a value that is not what its column must hold is named by file, row and column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nautilus.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

FIRST_CSV_ROW = 2  # the header is row 1


def read_table(path: Path) -> tuple[pl.DataFrame, int]:
    """A CSV (all columns text) or Parquet file, and the number by which its first data row is called.

    CSV rows are counted as an editor does, with the header as row 1; Parquet rows from 1. Raises Invalid, naming the
    file, where it is not there, empty or not of its kind.
    """
    import polars as pl

    if path.suffix not in (".csv", ".parquet"):
        raise Invalid(str(path), "must be a .csv or .parquet file")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path, glob=False), 1
        return pl.read_csv(path, infer_schema=False, glob=False), FIRST_CSV_ROW
    except FileNotFoundError:
        raise Invalid(str(path), "there is no such file") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise Invalid(str(path), f"cannot be read: {str(error).splitlines()[0]}") from error


def read_headless(source: IO[bytes], name: str, types: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """A CSV without header from an open file; further columns than those of `types` are ignored. Raises Invalid."""
    import polars as pl

    data = source.read()
    try:
        frame = pl.read_csv(data, has_header=False, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise Invalid(name, f"cannot be read: {str(error).splitlines()[0]}") from error
    if frame.width < len(types):
        raise Invalid(name, f"has {frame.width} columns, needs {len(types)}: {', '.join(types)}")
    frame = frame.select(frame.columns[: len(types)]).rename(dict(zip(frame.columns, types, strict=False)))
    return frame.select(converted(frame[column], kind, name, 1).alias(column) for column, kind in types.items())


def converted(column: pl.Series, kind: type[pl.DataType], file: str, first_row: int) -> pl.Series:
    """The column as this type; raises Invalid naming file, row and column of the first value that is not one."""
    import polars as pl

    if column.dtype == pl.String:
        column = column.str.strip_chars()
    try:
        values = column.cast(kind, strict=False)
    except pl.exceptions.PolarsError as error:
        raise Invalid(f"{file}: column {column.name}", f"{column.dtype} cannot be read as {kind.__name__}") from error
    bad = values.is_null()
    if bad.any():
        row = bad.arg_max() or 0
        raise Invalid(f"{file}: row {row + first_row}, column {column.name}", f"{column[row]!r} is not a number")
    return values

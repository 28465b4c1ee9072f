"""PostgreSQL's binary COPY format to and from NumPy columns, without touching a value in Python.

Every row of a fixed set of columns without NULL has the same length, so that a block of rows is a structured array:
the count of fields, then for each field its length and its big-endian value.
https://www.postgresql.org/docs/18/sql-copy.html ("Binary Format")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid, StoreError

type Columns = Mapping[str, NDArray[Any]]

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, no extension of the header
TRAILER = b"\xff\xff"
CHUNK_ROWS = 16_384

# SQL type, and the big-endian type in which the server sends and takes it
_WIRE = {
    "bool": ("boolean", "?"),
    "int8": ("smallint", ">i2"),
    "int16": ("smallint", ">i2"),
    "int32": ("integer", ">i4"),
    "int64": ("bigint", ">i8"),
    "uint8": ("smallint", ">i2"),
    "uint16": ("integer", ">i4"),
    "uint32": ("bigint", ">i8"),
    "uint64": ("bigint", ">i8"),
    "float32": ("real", ">f4"),
    "float64": ("double precision", ">f8"),
}


def sql_type(dtype: str) -> str:
    """The SQL type that keeps a NumPy type.

    >>> sql_type("int64"), sql_type("uint8")
    ('bigint', 'smallint')
    """
    return _WIRE[dtype][0]


def check_values(columns: Columns) -> None:
    """Raise Invalid, naming the column, for a uint64 over 2^63 - 1: PostgreSQL has no unsigned integers."""
    for name, column in columns.items():
        if column.dtype.name == "uint64" and len(column) and column.max() >= 1 << 63:
            raise Invalid(f"columns.{name}", "must be below 2^63: PostgreSQL has no unsigned integers")


def row_type(dtypes: Mapping[str, str]) -> np.dtype[Any]:
    """The structured type of one row of binary COPY; field i is "value_i", by position.

    >>> row_type({"price": "int64"}).itemsize
    14
    """
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for position, dtype in enumerate(dtypes.values()):
        fields += [(f"length_{position}", ">i4"), (f"value_{position}", _WIRE[dtype][1])]
    return np.dtype(fields)


def encode(columns: Columns, chunk_rows: int = CHUNK_ROWS) -> Iterator[memoryview]:
    """The bytes of a binary COPY of columns of one length, in chunks."""
    row = row_type({name: column.dtype.name for name, column in columns.items()})
    block = np.empty(chunk_rows, row)
    block["fields"] = len(columns)
    for position in range(len(columns)):
        block[f"length_{position}"] = row[f"value_{position}"].itemsize
    yield memoryview(SIGNATURE)
    total = len(next(iter(columns.values())))
    for start in range(0, total, chunk_rows):
        size = min(chunk_rows, total - start)
        for position, column in enumerate(columns.values()):
            block[f"value_{position}"][:size] = column[start : start + size]
        yield memoryview(block[:size].tobytes())
    yield memoryview(TRAILER)


class Decoder:
    """Turns the bytes of a binary COPY, as they come, into columns. No column may hold NULL."""

    def __init__(self, dtypes: Mapping[str, str]) -> None:
        self._dtypes = dict(dtypes)
        self._row = row_type(dtypes)
        self._waiting = bytearray()
        self._started = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes that came and were not taken."""
        return len(self._waiting)

    def feed(self, data: bytes) -> None:
        """Bytes from the server."""
        self._waiting += data

    def take(self) -> dict[str, NDArray[Any]]:
        """Columns, in native order, of all whole rows that came since."""
        if not self._started and len(self._waiting) >= len(SIGNATURE):
            if not self._waiting.startswith(SIGNATURE):
                raise StoreError("the server sent a binary COPY of an unknown format")
            del self._waiting[: len(SIGNATURE)]
            self._started = True
        rows = len(self._waiting) // self._row.itemsize if self._started else 0
        taken = bytes(self._waiting[: rows * self._row.itemsize])
        del self._waiting[: len(taken)]
        block = np.frombuffer(taken, self._row)
        if rows and not (block["fields"] == len(self._dtypes)).all():
            raise StoreError("the server sent rows of another shape than was asked for")
        return {
            name: block[f"value_{position}"].astype(dtype)
            for position, (name, dtype) in enumerate(self._dtypes.items())
        }

    def finish(self) -> dict[str, NDArray[Any]]:
        """The last rows; raises StoreError when the end of the data is not where it should be."""
        columns = self.take()
        if self._waiting != TRAILER:
            raise StoreError("the server's binary COPY ended within a row")
        return columns

"""NumPy arrays in MessagePack: an extension of data type, shape and bytes. No pickles, no objects, a bounded size."""

import math
import re
import struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTENSION_CODE = 1
MOST_DIMENSIONS = 8
_TYPE_NAME = re.compile(rb"[<>|][biufc][0-9]{1,2}")


def encode_array(value: object, max_bytes: int) -> msgspec.msgpack.Ext | int | float | bool | complex:
    """What a message holds that MessagePack has no word for: arrays of numbers, and NumPy's own scalars.

    Raises TypeError for anything else.
    """
    import numpy as np

    if isinstance(value, np.generic):
        scalar: int | float | bool | complex = value.item()
        return scalar
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} cannot cross an edge")
    if value.dtype.kind not in "biufc" or value.ndim > MOST_DIMENSIONS:
        raise TypeError(f"an array of {value.dtype} with {value.ndim} dimensions cannot cross an edge")
    if value.nbytes > max_bytes:
        raise TypeError(f"an array of {value.nbytes} bytes is over the limit of {max_bytes}")
    name = value.dtype.str.encode()
    head = struct.pack(f"<BB{value.ndim}Q", len(name), value.ndim, *value.shape)
    return msgspec.msgpack.Ext(EXTENSION_CODE, b"".join((head, name, value.tobytes())))


def decode_array(code: int, data: memoryview, max_bytes: int) -> "NDArray[Any]":
    """The array of an extension, read-only, in memory of its own; raises ValueError for what is none."""
    import numpy as np

    if code != EXTENSION_CODE:
        raise ValueError(f"unknown extension {code}")
    if len(data) > max_bytes + 256:
        raise ValueError(f"an array of {len(data)} bytes is over the limit of {max_bytes}")
    try:
        name_bytes, dimensions = struct.unpack_from("<BB", data)
        shape = struct.unpack_from(f"<{dimensions}Q", data, 2)
    except struct.error as error:
        raise ValueError("an array's head is cut short") from error
    start = 2 + 8 * dimensions
    name = bytes(data[start : start + name_bytes])
    if dimensions > MOST_DIMENSIONS or not _TYPE_NAME.fullmatch(name):
        raise ValueError(f"no array of numbers: {dimensions} dimensions of {name!r}")
    try:
        kind = np.dtype(name.decode())
    except TypeError as error:
        raise ValueError(f"no array of numbers: {name!r}") from error
    values = data[start + name_bytes :]
    if math.prod(shape) * kind.itemsize != len(values):
        raise ValueError(f"an array of shape {shape} and type {kind} does not have {len(values)} bytes")
    array = np.frombuffer(bytes(values), dtype=kind).reshape(shape)
    array.flags.writeable = False
    return array

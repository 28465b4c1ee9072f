"""Named arrays and notes as bytes in the safetensors format: a JSON header, then the numbers; nothing to execute.

Eight bytes little-endian say how long the header is; it gives each array's type, shape and place among the numbers.
Source: the format as documented by safetensors, version 0.x.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid

_TYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "I64": np.dtype("<i8")}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_NOTES = "__metadata__"


class _Place(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def encode_tensors(arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str]) -> bytes:
    """The arrays (float64, float32 or int64) and notes as a safetensors file; the same every time. Raises Invalid."""
    header: dict[str, object] = {_NOTES: dict(notes)}
    parts: list[bytes] = []
    end = 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype not in _NAMES or name == _NOTES:
            raise Invalid(name, f"must be float64, float32 or int64 under a name of its own, not {array.dtype}")
        parts.append(little.tobytes())
        start, end = end, end + len(parts[-1])
        header[name] = _Place(_NAMES[little.dtype], array.shape, (start, end))
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def decode_tensors(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, as read-only views of `data`, and the notes; raises Invalid for what is no whole such file.

    >>> arrays, notes = decode_tensors(encode_tensors({"one": np.array([1.0, 2.0])}, {"made by": "me"}))
    >>> arrays["one"].tolist(), notes
    ([1.0, 2.0], {'made by': 'me'})
    """
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or start > len(data):
        raise Invalid("tensors", "end within their header")
    try:
        header = msgspec.json.decode(data[8:start], type=dict[str, msgspec.Raw])
        notes = msgspec.json.decode(header.pop(_NOTES, b"{}"), type=dict[str, str])
        places = {name: msgspec.json.decode(raw, type=_Place) for name, raw in header.items()}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("tensors", f"have a header that cannot be read: {error}") from None
    arrays: dict[str, NDArray[Any]] = {}
    end = 0
    for name, place in sorted(places.items(), key=lambda item: item[1].data_offsets):
        arrays[name] = _array(name, place, data, start, end)
        end = place.data_offsets[1]
    if start + end != len(data):
        raise Invalid("tensors", f"end after {start + end} bytes, not after {len(data)}")
    return arrays, notes


def _array(name: str, place: _Place, data: bytes, start: int, expected: int) -> NDArray[Any]:
    kind = _TYPES.get(place.dtype)
    if kind is None:
        raise Invalid(name, f"is of type {place.dtype}; {', '.join(_TYPES)} can be read")
    first, last = place.data_offsets
    count = int(np.prod(place.shape, dtype=object))
    if first != expected or min(place.shape, default=0) < 0 or last - first != count * kind.itemsize:
        raise Invalid(name, "does not lie where its shape and the arrays before it say")
    if start + last > len(data):
        raise Invalid(name, "ends after the file")
    return np.frombuffer(data, kind, count, start + first).reshape(place.shape)

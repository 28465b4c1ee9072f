"""The binary COPY format: what is encoded is decoded, however the bytes are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nautilus.store import StoreError
from nautilus.store.columns import DTYPES
from nautilus.store.postgres.binary_copy import Decoder, encode

# what the server accepts as uint64
ELEMENTS = {"uint64": st.integers(0, 2**63 - 1)}
columns = st.dictionaries(
    st.text(min_size=1, max_size=5), st.sampled_from(sorted(DTYPES)), min_size=1, max_size=6
).flatmap(
    lambda dtypes: st.integers(0, 20).flatmap(
        lambda rows: st.fixed_dictionaries(
            {name: arrays(dtype, rows, elements=ELEMENTS.get(dtype)) for name, dtype in dtypes.items()}
        )
    )
)


@given(columns, st.integers(1, 7), st.integers(1, 50))
def test_what_is_encoded_is_decoded_however_it_is_cut(
    columns: dict[str, np.ndarray], chunk_rows: int, cut: int
) -> None:
    data = b"".join(encode(columns, chunk_rows))
    decoder = Decoder({name: column.dtype.name for name, column in columns.items()})
    found = {name: [column[:0]] for name, column in columns.items()}
    for start in range(0, len(data), cut):
        decoder.feed(data[start : start + cut])
        if start + cut < len(data):
            for name, block in decoder.take().items():
                found[name].append(block)
    for name, block in decoder.finish().items():
        found[name].append(block)
    for name, column in columns.items():
        joined = np.concatenate(found[name])
        assert joined.dtype == column.dtype
        np.testing.assert_array_equal(joined, column)


def test_a_copy_that_ends_early_or_is_none_is_an_error() -> None:
    data = b"".join(encode({"a": np.arange(3)}))
    for wrong in (data[:-1], data[:-5], b"x" * 30):
        decoder = Decoder({"a": "int64"})
        decoder.feed(wrong)
        with pytest.raises(StoreError, match="binary COPY"):
            decoder.finish()
    decoder = Decoder({"a": "int32", "b": "int32"})
    decoder.feed(data)
    with pytest.raises(StoreError):
        decoder.finish()

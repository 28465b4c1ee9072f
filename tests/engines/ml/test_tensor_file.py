"""Tensor files: what goes in comes out, others read them, and what is damaged is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.engines.ml.tensor_file import decode_tensors, encode_tensors
from nautilus.errors import Invalid

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda name: name != "__metadata__")
tensors = st.dictionaries(
    names,
    st.sampled_from([np.float64, np.float32, np.int64]).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    ),
    max_size=4,
)
EXAMPLE = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([7], dtype=np.int64)}


@given(tensors, st.dictionaries(names, st.text(st.characters(codec="utf-8"), max_size=8), max_size=3))
def test_what_is_written_is_read_back_to_the_bit(given_arrays: dict, notes: dict) -> None:
    data = encode_tensors(given_arrays, notes)
    found, said = decode_tensors(data)
    assert said == notes
    assert found.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert not found[name].flags.writeable
    assert encode_tensors(found, said) == data


def test_mlx_reads_the_same_arrays_from_the_file_and_we_read_those_that_mlx_writes(tmp_path: Path) -> None:
    import mlx.core as mx

    file = tmp_path / "weights.safetensors"
    single = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.arange(4)}
    file.write_bytes(encode_tensors(single, {"format": "test"}))
    found, notes = mx.load(str(file), return_metadata=True)
    assert notes["format"] == "test"
    for name, array in single.items():
        assert np.array_equal(np.asarray(found[name]), array)
    mx.save_safetensors(str(file), {"x": mx.array(single["a"])}, {"by": "mlx"})
    back, said = decode_tensors(file.read_bytes())
    assert said["by"] == "mlx"
    assert np.array_equal(back["x"], single["a"])


@given(st.integers(0, len(encode_tensors(EXAMPLE, {})) - 1))
def test_a_file_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(Invalid):
        decode_tensors(encode_tensors(EXAMPLE, {})[:length])


@given(st.integers(0, len(encode_tensors(EXAMPLE, {})) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_one_value(place: int, byte: int) -> None:
    data = bytearray(encode_tensors(EXAMPLE, {}))
    data[place] = byte
    try:
        found, _ = decode_tensors(bytes(data))
    except Invalid:
        return
    assert sum(array.nbytes for array in found.values()) == 56


@pytest.mark.parametrize("array", [np.array([1 + 2j]), np.array(["a"]), np.array([True])])
def test_types_that_cannot_be_written_are_named(array: np.ndarray) -> None:
    with pytest.raises(Invalid, match="mine: must be float64"):
        encode_tensors({"mine": array}, {})


def test_overlapping_arrays_and_unknown_types_are_refused() -> None:
    for text in (
        b'{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F64","shape":[-1],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}',
    ):
        with pytest.raises(Invalid):
            decode_tensors(len(text).to_bytes(8, "little") + text + bytes(8))

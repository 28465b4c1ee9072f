"""Arguments of kernels take the types of the example, losing nothing, or are refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.accel.arguments import copied_bytes, like
from nautilus.errors import Invalid

FLOATS = np.zeros(2)
MATRIX = np.zeros((2, 2))


def test_an_array_of_the_right_type_is_lent_not_copied_and_cannot_be_written() -> None:
    values = np.arange(3.0)
    found = like(FLOATS, values, "values")
    assert np.shares_memory(found, values)
    assert not found.flags.writeable
    assert values.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0


@given(
    arrays.arrays(
        st.sampled_from([np.float64, np.float32, np.int32, np.bool_]),
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=0),
        elements={"allow_nan": False},
    )
)
def test_every_array_of_numbers_keeps_its_values_and_becomes_contiguous_float64(values: np.ndarray) -> None:
    for given_ in (values, values.T, values[::2]):
        found = like(MATRIX, given_, "values")
        assert found.dtype == np.float64
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, given_)


@pytest.mark.parametrize(
    ("example", "value", "reason"),
    [
        (FLOATS, 3.0, "must have 1 dimensions, not 0"),
        (FLOATS, MATRIX, "must have 1 dimensions, not 2"),
        (FLOATS, [1j], "must be an array of float64, not of complex128"),
        (FLOATS, ["1"], "must be an array of float64"),
        (FLOATS, [[1], [2, 3]], "must be an array"),
        (np.zeros(1, np.int64), [1.5], "must be an array of int64, not of float64"),
        (1.0, "1", "must be a number, not '1'"),
        (1.0, True, "must be a number"),
        (1, 1.5, "must be a whole number, not 1.5"),
        (1, True, "must be a whole number"),
        (True, 1, "must be true or false"),
        ("call", 1, "must be a str"),
        ((FLOATS,), FLOATS, "must be a tuple"),
    ],
)
def test_what_would_lose_something_is_refused_by_name(example: object, value: object, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        like(example, value, "spot")
    assert refused.value.field == "spot"


def test_numbers_become_pythons_own() -> None:
    assert type(like(1.0, np.float32(2.0), "rate")) is float
    assert type(like(1.0, 2, "rate")) is float
    assert type(like(1, np.int32(2), "paths")) is int
    assert like(True, np.bool_(False), "is_call") is False


def test_tuples_go_item_by_item_and_may_have_another_length() -> None:
    found = like((FLOATS,), [[1], [2, 3]], "weights")
    assert [item.tolist() for item in found] == [[1.0], [2.0, 3.0]]
    with pytest.raises(Invalid, match=r"weights\[1\]: must have 1 dimensions"):
        like((FLOATS,), (FLOATS, MATRIX), "weights")


def test_what_would_be_copied_is_reckoned_and_nothing_else() -> None:
    assert copied_bytes(FLOATS, np.zeros(1000)) == 0
    assert copied_bytes(FLOATS, np.zeros(1000, np.float32)) == 8000
    assert copied_bytes(MATRIX, np.zeros((100, 10)).T) == 8000
    assert copied_bytes(FLOATS, [0.0] * 1000) >= 8000
    assert copied_bytes((FLOATS,), ([0.0], np.zeros(5, np.float32))) > 40
    assert copied_bytes(1.0, 2) == 0

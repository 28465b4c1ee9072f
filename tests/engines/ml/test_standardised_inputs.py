"""Inputs of a network: on one scale, missing values told apart, nothing farther than training can have shown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nautilus.engines.ml.standardised_inputs import FARTHEST, StandardisedInputs

rows = arrays.arrays(
    np.float64,
    st.tuples(st.integers(2, 12), st.integers(1, 4)),
    elements=st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.just(np.inf)),
)


def test_training_rows_get_mean_zero_and_deviation_one() -> None:
    features = np.random.default_rng(1).normal([5.0, -2.0], [3.0, 0.1], (500, 2))
    inputs = StandardisedInputs.fit(features).transform(features)
    np.testing.assert_allclose(inputs.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(inputs.std(axis=0), 1.0)


@given(rows)
def test_every_training_row_becomes_finite_and_bounded_inputs(features: np.ndarray) -> None:
    fitted = StandardisedInputs.fit(features)
    inputs = fitted.transform(features)
    assert inputs.shape == (len(features), fitted.width)
    assert np.isfinite(inputs).all()
    assert np.abs(inputs).max() <= FARTHEST


@given(rows)
def test_a_row_alone_becomes_what_it_becomes_among_others(features: np.ndarray) -> None:
    fitted = StandardisedInputs.fit(features)
    together = fitted.transform(features)
    assert all(
        np.array_equal(fitted.transform(row[None])[0], other) for row, other in zip(features, together, strict=True)
    )


def test_a_missing_value_stands_at_the_mean_and_an_input_says_so() -> None:
    fitted = StandardisedInputs.fit(np.array([[1.0, 4.0], [3.0, np.nan], [5.0, 6.0]]))
    assert fitted.indicated.tolist() == [1]
    assert fitted.transform(np.array([[3.0, np.nan]])).tolist() == [[0.0, 0.0, 1.0]]
    assert fitted.transform(np.array([[3.0, 5.0]])).tolist() == [[0.0, 0.0, 0.0]]


def test_what_was_never_missing_in_training_must_be_there() -> None:
    fitted = StandardisedInputs.fit(np.array([[1.0, 4.0], [3.0, np.nan]]))
    assert np.isnan(fitted.transform(np.array([[np.nan, 4.0]]))).tolist() == [[True, False, False]]
    assert np.isnan(fitted.transform(np.array([[np.inf, np.nan]]))).tolist() == [[True, False, False]]


def test_a_feature_that_did_not_vary_is_left_out_whatever_it_is_later() -> None:
    fitted = StandardisedInputs.fit(np.array([[7.0, 1.0], [7.0, 2.0]]))
    assert fitted.transform(np.array([[1e9, 1.5]])).tolist() == [[0.0, 0.0]]

"""Covariance and correlation: NumPy's own on real and on awkward panels, in float32 within the stated error."""

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nautilus.accel.kernels.covariance import BLOCK, correlation_matrix, covariance_matrix

BACKENDS = ("numpy", "numba", "mlx")


def covariance(backend, panel):
    return covariance_matrix.run(backend, covariance_matrix.prepare(panel))


def correlation(backend, panel):
    return correlation_matrix.run(backend, correlation_matrix.prepare(panel))


def assert_within(found, panel, error):
    """Each covariance errs by no more than that share of the product of its two deviations."""
    expected = np.cov(panel, rowvar=False)
    deviation = np.sqrt(np.diag(expected))
    assert (np.abs(found - expected) <= error * deviation * deviation[:, None]).all()


@pytest.fixture(scope="module")
def stocks(shared_data):
    path = shared_data / "econ_returns/skfolio/src/skfolio/datasets/data/sp500_dataset.csv.gz"
    with gzip.open(path) as file:
        return pl.read_csv(file).drop("Date").to_numpy()


@pytest.mark.parametrize("backend", BACKENDS)
def test_returns_of_real_stocks(stocks, backend):
    returns = stocks[1:] / stocks[:-1] - 1.0
    assert_within(covariance(backend, returns), returns, covariance_matrix.error_of(backend) + 1e-13)
    if backend != "numba":
        expected = np.corrcoef(returns, rowvar=False)
        np.testing.assert_allclose(correlation(backend, returns), expected, atol=2e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_levels_of_real_prices_whose_mean_is_far_from_zero(stocks, backend):
    shifted = stocks + 1e6
    assert_within(covariance(backend, shifted), shifted, covariance_matrix.error_of(backend) + 1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_instruments_of_unlike_size(backend):
    panel = np.random.default_rng(2).normal(size=(300, 6)) * 10.0 ** np.arange(-12, 12, 4)
    assert_within(covariance(backend, panel), panel, covariance_matrix.error_of(backend) + 1e-13)


def test_float32_does_not_lose_what_many_observations_add_up_to():
    panel = np.random.default_rng(3).normal(0.0005, 0.01, size=(40 * BLOCK + 17, 4))
    assert_within(covariance("mlx", panel), panel, covariance_matrix.float32_error)


panels = arrays(np.float64, st.tuples(st.integers(2, 30), st.integers(1, 8)), elements=st.floats(-1e3, 1e3, width=32))


@pytest.mark.parametrize("backend", BACKENDS)
@given(panel=panels)
def test_a_covariance_is_symmetric_and_its_diagonal_the_variance(backend, panel):
    found = covariance(backend, panel)
    expected = panel.var(axis=0, ddof=1)
    np.testing.assert_allclose(found, found.T, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(np.diag(found), expected, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
@given(panel=panels)
def test_a_correlation_lies_within_one(backend, panel):
    found = correlation(backend, panel)
    assert (np.abs(found) <= 1.0).all()
    assert (np.diag(found) == 1.0).all()


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_what_never_changes_correlates_with_nothing_but_itself(backend):
    panel = np.array([[0.1, 0.01], [0.1, -0.01], [0.1, 0.02]])
    np.testing.assert_array_equal(correlation(backend, panel), np.eye(2))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_own_instrument_alone(backend, value):
    panel = np.random.default_rng(4).normal(size=(50, 3))
    clean = np.cov(panel[:, [0, 2]], rowvar=False)
    panel[7, 1] = value
    found = [covariance(backend, panel)] + ([correlation(backend, panel)] if backend != "numba" else [])
    for matrix in found:
        assert np.isnan(matrix).tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    np.testing.assert_allclose(found[0][np.ix_([0, 2], [0, 2])], clean, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_observations_have_no_covariance(backend, rows):
    assert np.isnan(covariance(backend, np.ones((rows, 3)))).all()
    if backend != "numba":
        assert np.isnan(correlation(backend, np.ones((rows, 3)))).all()


@pytest.mark.parametrize("instruments", [40, 120])
def test_loops_and_blas_agree(instruments):
    panel = np.random.default_rng(5).normal(size=(500, instruments))
    np.testing.assert_allclose(covariance("numba", panel), np.cov(panel, rowvar=False), atol=1e-13)

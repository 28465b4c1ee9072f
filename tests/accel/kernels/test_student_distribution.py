"""Student's distribution by interpolation is the library's, in the middle and in the tails."""

import math

import numpy as np
import pytest
from scipy.special import stdtr

from nautilus.accel.kernels.student_distribution import NODES, student_distribution


def interpolated(values, degrees):
    return student_distribution.run("numba", student_distribution.prepare(values, degrees))


@pytest.mark.parametrize("degrees", [2.0, 2.01, 2.5, 3.0, 4.0, 5.0, 7.7, 12.0, 30.0, 60.0])
def test_it_is_the_librarys_function(degrees):
    values = np.concatenate([np.linspace(-60.0, 60.0, 20_001), np.random.default_rng(1).standard_t(degrees, 50_000)])
    found, expected = interpolated(values, degrees), stdtr(degrees, values)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=student_distribution.relative_error)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("degrees", [0.5, 1.0, 1.99, 61.0, 1e6])
def test_where_interpolation_would_not_do_it_is_the_library_itself(degrees):
    values = np.linspace(-9.0, 9.0, 3 * NODES)
    np.testing.assert_array_equal(interpolated(values, degrees), stdtr(degrees, values))


def test_it_never_falls():
    values = np.sort(np.random.default_rng(2).standard_t(5.0, 200_000))
    assert (np.diff(interpolated(values, 5.0)) >= -1e-15).all()


def test_what_is_not_finite():
    values = np.zeros(2 * NODES)
    values[:3] = math.nan, math.inf, -math.inf
    found = interpolated(values, 5.0)
    assert math.isnan(found[0])
    assert found[1:4].tolist() == [1.0, 0.0, 0.5]

"""Batched products: each is the product of its own pair, small or large; shapes that do not fit are refused."""

import numpy as np
import pytest

from nautilus.accel.kernels.matrix_product import matrix_product
from nautilus.errors import Invalid

BACKENDS = ("numpy", "numba", "mlx")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shape", [(5, 3, 4, 2), (7, 1, 1, 1), (2, 40, 3, 50), (3, 30, 60, 25), (1, 0, 3, 2), (4, 2, 0, 3)]
)
def test_each_product_is_that_of_its_own_pair(backend, shape):
    batch, rows, inner, columns = shape
    source = np.random.default_rng(1)
    left, right = source.normal(size=(batch, rows, inner)), source.normal(size=(batch, inner, columns))
    found = matrix_product.run(backend, matrix_product.prepare(left, right))
    assert found.shape == (batch, rows, columns)
    for index in range(batch):
        expected = left[index] @ right[index]
        scale = np.abs(expected).max(initial=1.0)
        np.testing.assert_allclose(
            found[index], expected, rtol=0.0, atol=(matrix_product.error_of(backend) + 1e-13) * scale
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_shapes_that_do_not_match_are_refused(backend):
    with pytest.raises(Invalid, match=r"right: must have shape \(2, 4, 3\)"):
        matrix_product.run(backend, matrix_product.prepare(np.ones((2, 3, 4)), np.ones((2, 5, 3))))


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_not_a_number_spreads_to_its_row_alone(backend):
    left, right = np.ones((1, 2, 3)), np.ones((1, 3, 2))
    left[0, 0, 1] = np.nan
    found = matrix_product.run(backend, matrix_product.prepare(left, right))
    assert np.isnan(found).tolist() == [[[True, True], [False, False]]]

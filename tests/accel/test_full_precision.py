"""MLX multiplies float32 in float32, or is found out."""

import os

import numpy as np
import pytest

from nautilus.accel.full_precision import import_mlx, precision_problem


def test_mlx_is_told_to_multiply_in_full_precision_and_does() -> None:
    pytest.importorskip("mlx.core")
    mx = import_mlx()
    assert os.environ["MLX_ENABLE_TF32"] == "0"
    assert precision_problem(mx) == ""


def test_a_device_that_multiplies_in_tf32_is_found_out() -> None:
    class Truncating(np.ndarray):
        def __matmul__(self, other: np.ndarray) -> np.ndarray:
            return truncated(self) @ truncated(other)

    def truncated(values: np.ndarray) -> np.ndarray:
        bits = np.asarray(values).view(np.uint32) & np.uint32(0xFFFFE000)  # ten bits of mantissa are left
        return bits.view(np.float32)

    class Device:
        def array(self, values: np.ndarray) -> np.ndarray:
            return values.view(Truncating)

    assert "start Nautilus with MLX_ENABLE_TF32=0" in precision_problem(Device())

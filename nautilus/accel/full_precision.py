"""MLX, imported so that float32 means float32.

Where the hardware has matrix units (NVIDIA since Ampere, Apple since M5) MLX multiplies float32 matrices in TF32, with
three digits rather than seven, unless the environment says otherwise before its first product. Stated errors of our
kernels are float32's.
"""

import os
from typing import Any

import numpy as np

WORST_ERROR = 1e-5
"""A float32 product of the probe's size is a hundred times better, one in TF32 ten times worse."""
_PROBE_SIZE = 128


def import_mlx() -> Any:
    """The module `mlx.core`. Raises ImportError where it is not installed or does not load."""
    os.environ["MLX_ENABLE_TF32"] = "0"
    import mlx.core as mx

    return mx


def precision_problem(mx: Any) -> str:
    """Why products on this device are not of float32's precision, or "": another user of MLX may have been first."""
    left = np.random.default_rng(0).standard_normal((_PROBE_SIZE, _PROBE_SIZE)).astype(np.float32)
    device_left = mx.array(left)
    found = np.asarray(device_left @ device_left)
    expected = left.astype(np.float64) @ left.astype(np.float64)
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    if error <= WORST_ERROR:
        return ""
    return f"its float32 products are off by {error:.1e}: start Nautilus with MLX_ENABLE_TF32=0"

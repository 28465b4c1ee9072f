"""Every finance kernel on every backend of this machine, in turn: times, and ratios to NumPy pair by pair.

The plain NumPy column is what someone without kernels would write, where that differs from the kernel's own reference.
Arguments are those of calibration. MLX's times include bringing arguments over and results back.
"""

import math
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import alternate

ROUNDS = 7
SIZES = {
    "options.black_scholes": (10_000, 1_000_000),
    "options.option_grid": (10_000, 1_000_000),
    "implied_volatility.implied_volatility": (10_000,),
    "matrix_product.matrix_product": (1_000_000, 100_000_000),
    "covariance.covariance_matrix": (1_000_000, 100_000_000),
    "covariance.correlation_matrix": (1_000_000, 100_000_000),
    "elementwise.standardised_log_returns": (10_000, 1_000_000),
    "elementwise.softmax_weights": (1_000_000,),
    "monte_carlo.price_paths": (10_000, 1_000_000),
    "monte_carlo.drawn_price_paths": (1_000_000,),
    "monte_carlo.correlated_prices": (1_000_000,),
    "option_simulation.option_by_simulation": (1_000_000,),
    "student_distribution.student_distribution": (1_000_000,),
}


def plain_covariance(panel: Any) -> Any:
    return np.cov(panel, rowvar=False)


def plain_correlation(panel: Any) -> Any:
    return np.corrcoef(panel, rowvar=False)


def plain_paths(normals: Any, spot: float, drift: float, volatility: float, expiry: float) -> Any:
    """Step by step over all paths, as it is usually written."""
    step = expiry / normals.shape[1]
    prices = np.empty_like(normals)
    now = np.full(normals.shape[0], spot)
    for index in range(normals.shape[1]):
        now = now * np.exp((drift - volatility**2 / 2) * step + volatility * math.sqrt(step) * normals[:, index])
        prices[:, index] = now
    return prices


PLAIN: dict[str, Callable[..., Any]] = {
    "covariance.covariance_matrix": plain_covariance,
    "covariance.correlation_matrix": plain_correlation,
    "monte_carlo.price_paths": plain_paths,
}


def race(kernel: Any, size: int, backends: list[Any]) -> None:
    arguments = kernel.sample(size)
    work = kernel.work(*arguments)
    systems: dict[str, Callable[[], Any]] = {
        backend: lambda backend=backend: kernel.run(backend, arguments)  # type: ignore[misc]
        for backend in backends
        if backend in kernel.implementations
    }
    if kernel.name in PLAIN:
        systems["plain NumPy"] = lambda: PLAIN[kernel.name](*arguments)
    found = alternate(systems, ROUNDS)
    for name, times in found.items():
        ratios = [numpy / one for numpy, one in zip(found["numpy"], times, strict=True)]
        middle = median(times)
        print(
            f"{kernel.name:<39} {kernel.size(*arguments):>11,} {name:<11} {middle * 1e3:>9.3f} ms "
            f"({min(times) * 1e3:.3f} to {max(times) * 1e3:.3f}) {work.flops / middle / 1e9:>7.2f} GFLOP/s   "
            f"{median(found['numpy']) / middle:>5.2f} times NumPy ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def main() -> None:
    from nautilus.accel import discover
    from nautilus.accel.kernels import all_kernels

    devices = [device for device in discover(load_mlx=True) if device.available]
    print("; ".join(f"{device.backend} on {device.kind} ({device.description})" for device in devices))
    backends = [device.backend for device in devices]
    for kernel in all_kernels():
        for size in SIZES.get(kernel.name, ()):
            race(kernel, size, backends)

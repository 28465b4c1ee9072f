"""Ceilings: rates that a machine really has, and the least time that they allow."""

import pytest

from nautilus.accel import Work
from nautilus.accel.ceiling import Ceiling, cpu_ceiling, device_ceiling
from nautilus.accel.full_precision import import_mlx


def test_a_call_takes_at_least_as_long_as_its_operations_and_its_bytes() -> None:
    ceiling = Ceiling(backend="numpy", flops_per_second=100.0, bytes_per_second=10.0)
    assert ceiling.least_seconds(Work(flops=500.0, bytes=10.0)) == 5.0
    assert ceiling.least_seconds(Work(flops=50.0, bytes=100.0)) == 10.0


def test_the_processor_multiplies_and_copies_at_rates_that_can_be() -> None:
    found = cpu_ceiling()
    assert 1e8 < found.flops_per_second < 1e14
    assert 1e8 < found.bytes_per_second < 1e13


def test_so_does_the_device_of_mlx() -> None:
    pytest.importorskip("mlx.core")
    import_mlx()
    found = device_ceiling()
    assert found.backend == "mlx"
    assert 1e8 < found.flops_per_second < 1e15
    assert 1e8 < found.bytes_per_second < 1e14

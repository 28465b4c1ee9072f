"""Every registered engine and every kernel passes the conformance suites."""

from typing import Any

import pytest

from nautilus.accel.kernel import Kernel
from nautilus.checks import ENGINE_CHECKS, check_kernel
from nautilus.engines.registry import engine_entry_points, engine_type

ENGINES = tuple(engine_entry_points())


def kernels() -> list[Kernel[..., Any]]:
    return [kernel for name in ENGINES for kernel in engine_type(name).kernels]


def test_there_are_thirteen_engines() -> None:
    assert len(ENGINES) == 13


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ENGINES)
async def test_every_engine_conforms(name: str, check: Any) -> None:
    await check(name)


@pytest.mark.parametrize("kernel", kernels(), ids=lambda kernel: kernel.name)
def test_every_kernel_agrees_with_its_reference(kernel: Kernel[..., Any]) -> None:
    check_kernel(kernel)

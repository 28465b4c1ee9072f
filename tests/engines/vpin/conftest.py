"""Kernels compiled before Hypothesis starts its stop-watch, plugins found before a loop runs."""

import pytest

from nautilus.engines.registry import engine_type


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels():
    for one in engine_type("vpin").kernels:
        one.warm()

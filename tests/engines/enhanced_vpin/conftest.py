"""Plugins found before a loop runs."""

import pytest

from nautilus.engines.registry import engine_type


@pytest.fixture(scope="session", autouse=True)
def loaded_engines():
    for name in ("vpin", "enhanced_vpin"):
        for one in engine_type(name).kernels:
            one.warm()

"""Before the loop runs: what a node does before it is ready."""

from zoneinfo import ZoneInfo

import pytest


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """Import ib_async and read the time zone."""
    pytest.importorskip("ib_async")
    ZoneInfo("America/New_York")

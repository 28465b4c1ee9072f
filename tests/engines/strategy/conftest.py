"""Fixtures: a trading floor."""

from collections.abc import Callable

import pytest

from tests.engines.strategy.floor import Floor


@pytest.fixture
def make_floor() -> Callable[..., Floor]:
    return Floor


@pytest.fixture
def floor() -> Floor:
    """A floor with a market of 100 at 10000 bid and 100 at 10001 asked."""
    made = Floor()
    made.quote(10_000, 10_001)
    return made

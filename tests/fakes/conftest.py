"""A running fake gateway, and a client connected to it."""

from collections.abc import AsyncIterator

import pytest
from ib_async import IB

from tests.fakes.ibkr_client import connect
from tests.fakes.ibkr_gateway import Gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """A gateway that listens."""
    async with Gateway() as running:
        yield running


@pytest.fixture
async def ib(gateway: Gateway) -> AsyncIterator[IB]:
    """A client with the id 7."""
    client = await connect(gateway)
    yield client
    client.disconnect()

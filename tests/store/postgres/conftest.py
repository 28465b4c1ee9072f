"""One real PostgreSQL for all tests of this folder; each test has a schema of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from nautilus.store.postgres import PostgresSettings
from tests.servers.postgres import PASSWORD, PostgresServer, running_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def settings(server: PostgresServer) -> PostgresSettings:
    return PostgresSettings(
        dsn=server.dsn(),
        password=PASSWORD,
        schema=f"test_{uuid4().hex}",
        command_timeout_s=10,
        connect_timeout_s=10,
        patience_s=30,
    )

"""Connections to the server: a bounded number, each given up when the server falls silent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nautilus.errors import Invalid, StoreError
from nautilus.store.postgres.errors import describe, will_pass
from nautilus.store.postgres.settings import PostgresSettings, address, read_password

type Connection = Any  # asyncpg carries no types

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0
CLOSING_PATIENCE_S = 3.0  # of each part, when the store is closed


class Watchdog:
    """Ends the body it watches over with a TimeoutError when `timeout_s` pass without `reset`."""

    def __init__(self, timeout: asyncio.Timeout, timeout_s: float) -> None:
        self._timeout = timeout
        self._timeout_s = timeout_s

    def reset(self) -> None:
        """The server has just shown that it lives."""
        self._timeout.reschedule(asyncio.get_running_loop().time() + self._timeout_s)

    def pause(self) -> None:
        """It is not the server that we wait for now."""
        self._timeout.reschedule(None)


class Connections:
    """At most `pool_size` connections, made when first needed and used again; all belong to the loop they run on."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.address = address(settings)
        self._settings = settings
        self._idle: list[Connection] = []
        self._slots: asyncio.Semaphore | None = None
        self._password = ""
        self._tls: ssl.SSLContext | bool = False

    def prepare(self) -> None:
        """Read passwords and certificates. Blocks. Raises Invalid for a file that cannot be used."""
        self._password = read_password(self._settings)
        self._tls = _tls(self._settings)

    async def dial(self) -> Connection:
        """A new connection, which the caller closes. Raises what asyncpg raises."""
        import asyncpg

        return await asyncpg.connect(
            self._settings.dsn,
            password=self._password,
            ssl=self._tls,
            timeout=self._settings.connect_timeout_s,
            server_settings={
                "application_name": f"nautilus {self._settings.schema}",
                "search_path": self._settings.schema,
                "timezone": "UTC",
                "client_min_messages": "warning",
                # a paused owner must not hold a new one up, nor a machine without power its connection for hours
                "idle_in_transaction_session_timeout": "15s",
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        )

    @asynccontextmanager
    async def use(self) -> AsyncIterator[tuple[Connection, Watchdog]]:
        """A connection of the pool; it is thrown away when the body raises.

        TimeoutError for a silent server, and when no connection becomes free in the time a server may be silent.
        """
        if self._slots is None:
            self._slots = asyncio.Semaphore(self._settings.pool_size)
        try:
            async with asyncio.timeout(self._settings.command_timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise TimeoutError(f"all {self._settings.pool_size} connections of the pool are in use") from None
        try:
            connection = await self._take()
            async with self.watched(connection) as watchdog:
                yield connection, watchdog
            self._idle.append(connection)
        finally:
            self._slots.release()

    @asynccontextmanager
    async def watched(self, connection: Connection) -> AsyncIterator[Watchdog]:
        """Watch over a connection while the body uses it; it is cut when the body raises or the server is silent.

        Cutting is the only way out: a frozen server answers no request to cancel either.
        """
        timeout_s = self._settings.command_timeout_s
        try:
            async with asyncio.timeout(timeout_s) as timeout:
                try:
                    yield Watchdog(timeout, timeout_s)
                except BaseException:
                    connection.terminate()
                    raise
        except TimeoutError as error:
            if timeout.expired():
                raise TimeoutError(f"no answer for {timeout_s:g} s") from error
            raise

    async def patiently[T](self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, tried again with growing pauses while what goes wrong will pass.

        Raises StoreError when it went on for `patience_s`, or for what will not pass.
        """
        import asyncpg

        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.patience_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await work()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
                if not will_pass(error) or loop.time() + pause_s > deadline:
                    raise self.refusal(error) from error
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def refusal(self, error: Exception) -> StoreError:
        """The error of the server or the network as one of ours."""
        return StoreError(f"{self.address} refused: {describe(error)}")

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            connection = self._idle.pop()
            async with self.watched(connection):
                await connection.close()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self.dial()


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """BEGIN and COMMIT around the body, within `watched`: when the body raises, the cut connection is the rollback.

    asyncpg's own would ask a server that may be frozen to roll back, and wait for the answer.
    """
    await connection.execute("BEGIN")
    yield
    await connection.execute("COMMIT")


def _tls(settings: PostgresSettings) -> ssl.SSLContext | bool:
    if settings.tls == "off":
        return False
    try:
        context = ssl.create_default_context(cafile=_path(settings.tls_ca_file))
        if settings.tls == "require" and not settings.tls_ca_file:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if settings.tls_certificate_file:
            context.load_cert_chain(_path(settings.tls_certificate_file) or "", _path(settings.tls_key_file))
    except OSError as error:
        raise Invalid("tls", f"a certificate cannot be used: {error}") from None
    return context


def _path(name: str) -> str | None:
    return str(Path(name).expanduser()) if name else None

"""Encrypted connections: to the server's own certificate and no other. The wheel's server has no TLS: a door has."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from nautilus.errors import Invalid
from nautilus.store import StoreError
from nautilus.store.postgres import PostgresSettings
from tests.servers.postgres import PostgresServer
from tests.store.postgres.opening import opened


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `certificate` and `key` of a host called localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "certificate",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def tls_door(server: PostgresServer, certificate: Path) -> AsyncIterator[int]:
    """Port of a listener that speaks TLS and passes what it hears on to the server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "certificate", certificate / "key")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # SSLRequest
            writer.write(b"S")
            await writer.start_tls(context)
        except (OSError, EOFError):
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(copied(reader, inner_writer), copied(inner_reader, writer))

    door = await asyncio.start_server(pass_on, "127.0.0.1")
    async with door:
        yield door.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"tls": "require"}, ""),
        ({"tls": "verify-full", "tls_ca_file": "CA"}, ""),
        ({"tls": "verify-full"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"tls": "verify-full", "tls_ca_file": "CA", "host": "127.0.0.1"}, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
async def test_only_the_certificate_that_is_asked_for_will_do(
    server: PostgresServer,
    settings: PostgresSettings,
    certificate: Path,
    tmp_path: Path,
    values: dict[str, str],
    refusal: str,
) -> None:
    async with tls_door(server, certificate) as port:
        host = values.get("host", "localhost")
        values = {name: value.replace("CA", str(certificate / "certificate")) for name, value in values.items()}
        values.pop("host", None)
        tls = msgspec.structs.replace(settings, dsn=f"postgresql://nautilus@{host}:{port}/nautilus", **values)
        if refusal:
            with pytest.raises(StoreError, match=refusal):
                await opened(tls, tmp_path)
        else:
            store = await opened(tls, tmp_path)
            await store.close()


async def test_a_certificate_that_cannot_be_read_is_named(settings: PostgresSettings, tmp_path: Path) -> None:
    tls = msgspec.structs.replace(settings, tls="verify-full", tls_ca_file=str(tmp_path / "none"))
    with pytest.raises(Invalid, match="tls: a certificate cannot be used"):
        await opened(tls, tmp_path / "store")

"""How to reach PostgreSQL and how much to trust it: the section `store.postgres` of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from msgspec import Meta, Struct

from nautilus.errors import Invalid

type Days = Annotated[int, Meta(ge=0, le=36_500)]


class PostgresSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PostgreSQL as the store."""

    dsn: Annotated[
        str,
        Meta(min_length=1, description="Where the database is; user and options may be in it, a password may not."),
    ] = "postgresql://127.0.0.1:5432/nautilus"
    password: Annotated[str, Meta(description="Password of the user.", extra={"secret": True})] = ""
    password_file: Annotated[str, Meta(description="File that holds the password, instead of `password`.")] = ""
    tls: Annotated[
        Literal["off", "require", "verify-full"],
        Meta(description='"require": encrypted; "verify-full": and the certificate must be that of the host.'),
    ] = "off"
    tls_ca_file: Annotated[str, Meta(description="Certificates to trust; the system's where empty.")] = ""
    tls_certificate_file: Annotated[str, Meta(description="Our own certificate, where the server asks for one.")] = ""
    tls_key_file: Annotated[str, Meta(description="Key of our own certificate.")] = ""
    schema: Annotated[
        str,
        Meta(
            pattern=r"^[a-z_][a-z0-9_]{0,47}$",
            description="Schema that holds the tables; it belongs to one node at a time.",
        ),
    ] = "nautilus"
    pool_size: Annotated[int, Meta(ge=2, le=64, description="Connections, beside the one that ships the journal.")] = 4
    acknowledge: Annotated[
        Literal["local", "server"],
        Meta(
            description='When a journal record counts as durable. "server": once PostgreSQL has committed it; '
            '"local": once it is on the disk of this machine, from where it is shipped soon after.'
        ),
    ] = "server"
    retention_days: Annotated[
        Mapping[str, Days],
        Meta(description="Days of market data to keep, by catalog kind; 0, or a kind not named, keeps all."),
    ] = {}
    compress_after_days: Annotated[
        Days, Meta(description="Where TimescaleDB may compress: age of the days it compresses; 0 compresses none.")
    ] = 7
    timescale: Annotated[
        Literal["auto", "off"],
        Meta(
            description='"auto": hypertables in a database that has the extension timescaledb; "off": day partitions.'
        ),
    ] = "auto"
    connect_timeout_s: Annotated[float, Meta(gt=0, le=600, description="Longest wait for a connection.")] = 10.0
    command_timeout_s: Annotated[
        float, Meta(gt=0, le=3600, description="Longest silence of the server before a connection is given up.")
    ] = 30.0
    patience_s: Annotated[
        float,
        Meta(
            gt=0,
            le=86_400,
            description="How long a write or a flush waits for a server that is away before it fails.",
        ),
    ] = 120.0

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        values["password"] = "***" if self.password else ""
        return f"PostgresSettings({', '.join(f'{name}={value!r}' for name, value in values.items())})"


def address(settings: PostgresSettings) -> str:
    """Host, port and database for messages, never a password; raises Invalid for a DSN that cannot be used.

    >>> address(PostgresSettings(dsn="postgresql://trader@db.example:5433/nautilus"))
    'PostgreSQL at db.example:5433/nautilus'
    >>> address(PostgresSettings(dsn="postgresql:///nautilus?host=/run/postgresql"))
    'PostgreSQL at /run/postgresql/nautilus'
    """
    try:
        parts = urlsplit(settings.dsn)
        query = parse_qs(parts.query)
    except ValueError as error:
        raise Invalid("dsn", f"must be a URL ({error})") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise Invalid("dsn", "must start with postgresql://")
    if ":" in parts.netloc.rpartition("@")[0] or "password" in query:
        raise Invalid("dsn", "must not hold the password; give it as `password` or `password_file`")
    host = parts.netloc.rpartition("@")[2] or ",".join(query.get("host", ["the local socket"]))
    return f"PostgreSQL at {host}{parts.path}"


def read_password(settings: PostgresSettings) -> str:
    """The password, from where the settings say. Blocks. Raises Invalid when its file cannot be read."""
    if not settings.password_file:
        return settings.password
    if settings.password:
        raise Invalid("password_file", "must be empty where `password` is given")
    try:
        return Path(settings.password_file).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Invalid("password_file", f"cannot be read: {error}") from None

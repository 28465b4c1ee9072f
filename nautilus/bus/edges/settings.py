"""What the edges can be told: which servers, which topics go out and come in, and every bound."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from nautilus.errors import Invalid

SCHEMES = ("redis", "rediss", "unix")
HIDDEN = "***"

Patterns = tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Redis or Valkey server. The password shows in no representation, log or report."""

    url: Annotated[
        str, Meta(min_length=1, description="redis://host:port/database, rediss:// for TLS, or unix:///path.")
    ] = "redis://127.0.0.1:6379/0"
    username: Annotated[str, Meta(description="User of the server's access list; empty is the default user.")] = ""
    password: Annotated[
        str,
        Meta(description="Password; better given in the environment or in a file.", extra={"secret": True}),
    ] = ""
    password_file: Annotated[str, Meta(description="File whose first line is the password.")] = ""
    tls_ca_file: Annotated[
        str, Meta(description="Certificates (PEM) that the server's must be signed by; empty takes the system's.")
    ] = ""
    tls_certificate_file: Annotated[str, Meta(description="Certificate (PEM) that we show to the server.")] = ""
    tls_key_file: Annotated[str, Meta(description="Private key (PEM) of our certificate.")] = ""
    connect_timeout_seconds: Annotated[float, Meta(ge=0.05, le=60, description="Longest wait for a connection.")] = 2.0
    response_timeout_seconds: Annotated[
        float, Meta(ge=0.05, le=60, description="Longest wait for an answer; then the connection is made anew.")
    ] = 5.0
    reconnect_max_seconds: Annotated[
        float, Meta(ge=0.05, le=600, description="Longest pause between two attempts to reach the server.")
    ] = 5.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES:
            raise Invalid("url", f"must begin with redis://, rediss:// or unix://, not {parts.scheme or 'nothing'}")
        if parts.password or parts.username:
            raise Invalid("url", "must not hold a user or password: they have options of their own")
        if self.password and self.password_file:
            raise Invalid("password_file", "and a password cannot both be given")
        files = (self.tls_ca_file, self.tls_certificate_file, self.tls_key_file)
        if any(files) and parts.scheme != "rediss":
            raise Invalid("url", "must be rediss:// where files for TLS are given")
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise Invalid("tls_key_file", "and tls_certificate_file go together")

    def __repr__(self) -> str:
        shown = (f"{name}={HIDDEN if name == 'password' and value else value!r}" for name, value in _items(self))
        return f"{type(self).__name__}({', '.join(shown)})"


class EdgeSettings(ServerSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel's edge: its server, what crosses, and how much may wait."""

    enabled: Annotated[bool, Meta(description="Whether this channel crosses to its server at all.")] = True
    outbound: Annotated[
        Patterns, Meta(description='Topics that are sent, as patterns ("quote.>"); ">" is all of the channel.')
    ] = (">",)
    inbound: Annotated[
        Patterns, Meta(description='Topics that are received, as patterns; ">" is all of the channel.')
    ] = ()
    resume: Annotated[
        bool, Meta(description="Go on with what came while this node was away; else begin with what is new.")
    ] = False
    history_seconds: Annotated[
        float, Meta(ge=0, le=604_800, description="With resume: how far before its start a new node begins to read.")
    ] = 5.0
    batch_max_events: Annotated[int, Meta(ge=1, le=10_000, description="Most messages packed in one entry.")] = 256
    batch_max_seconds: Annotated[
        float, Meta(ge=0, le=1, description="Least time between two sendings; messages wait together. 0: none.")
    ] = 0.002
    stream_max_entries: Annotated[
        int, Meta(ge=10, le=10_000_000, description="Length at which the server trims each stream, about.")
    ] = 10_000
    queue_max_events: Annotated[
        int, Meta(ge=10, le=10_000_000, description="Most messages that wait for the server in memory.")
    ] = 100_000
    spool_max_bytes: Annotated[
        int, Meta(ge=65_536, le=1 << 40, description="Most bytes that wait for the server, on the disk or in arrays.")
    ] = 268_435_456
    read_max_entries: Annotated[int, Meta(ge=1, le=10_000, description="Most entries of a stream in one read.")] = 16
    claim_idle_seconds: Annotated[
        float, Meta(ge=0.05, le=86_400, description="An entry that a reader has held this long is taken over.")
    ] = 30.0
    max_deliveries: Annotated[
        int, Meta(ge=1, le=1_000, description="An entry read more often goes to the dead letters.")
    ] = 5
    dead_letters_max_entries: Annotated[
        int, Meta(ge=10, le=1_000_000, description="Length at which the server trims the dead letters, about.")
    ] = 1_000
    recent_ids: Annotated[
        int, Meta(ge=100, le=1_000_000, description="Runs of messages of each sender remembered against repetition.")
    ] = 50_000
    array_max_bytes: Annotated[
        int, Meta(ge=1_024, le=268_435_456, description="Largest array that may cross, in bytes.")
    ] = 67_108_864


class MarketDataEdge(EdgeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Market data: the newest matters. While the server is away, prices are conflated and old trades dropped."""

    url: Annotated[str, Meta(min_length=1, description="The server of market data.")] = "redis://127.0.0.1:6380/0"


class EngineLogicEdge(EdgeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What engines tell one another: nothing is lost. While the server is away, messages wait on the disk."""

    url: Annotated[str, Meta(min_length=1, description="The server of engine logic.")] = "redis://127.0.0.1:6381/0"
    resume: Annotated[
        bool, Meta(description="Go on with what came while this node was away; else begin with what is new.")
    ] = True
    batch_max_seconds: Annotated[
        float, Meta(ge=0, le=1, description="Least time between two sendings; messages wait together. 0: none.")
    ] = 0.001
    stream_max_entries: Annotated[
        int, Meta(ge=10, le=10_000_000, description="Length at which the server trims each stream, about.")
    ] = 100_000


class NeuralGpuEdge(EdgeSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compute requests and results: bounded in memory, the oldest is dropped first."""

    url: Annotated[str, Meta(min_length=1, description="The server of compute requests.")] = "redis://127.0.0.1:6382/0"
    batch_max_seconds: Annotated[
        float, Meta(ge=0, le=1, description="Least time between two sendings; messages wait together. 0: none.")
    ] = 0.0
    stream_max_entries: Annotated[
        int, Meta(ge=10, le=10_000_000, description="Length at which the server trims each stream, about.")
    ] = 1_000
    queue_max_events: Annotated[
        int, Meta(ge=10, le=10_000_000, description="Most messages that wait for the server in memory.")
    ] = 1_000


class EdgesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Redis at the edges: off by default, so that a node needs no server."""

    enabled: Annotated[bool, Meta(description="Whether messages cross to and from other processes.")] = False
    prefix: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="First word of every key on the servers.")
    ] = "nautilus"
    marketdata: MarketDataEdge = MarketDataEdge()
    engine_logic: EngineLogicEdge = EngineLogicEdge()
    neural_gpu: NeuralGpuEdge = NeuralGpuEdge()
    cache: ServerSettings = ServerSettings()


def _items(settings: ServerSettings) -> list[tuple[str, Any]]:
    return [(name, getattr(settings, name)) for name in settings.__struct_fields__]

"""Types of the websocket engine: configuration, the commands and frames of the stream, and what REST answers."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.base import EngineConfig
from nautilus.model.enums import Quality
from nautilus.model.messages import Severity

Format = Literal["json", "msgpack"]
Overflow = Literal["gap", "disconnect"]
Pattern = Annotated[str, Meta(min_length=1, max_length=128)]


class WebSocketConfig(EngineConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of the websocket engine."""

    flush_hz: Annotated[int, Meta(ge=1, le=60, description="How often changed states are sent, per second.")] = 20
    event_capacity: Annotated[
        int, Meta(ge=16, le=65_536, description="Events that may wait for one client before its overflow policy acts.")
    ] = 4096
    history_events: Annotated[
        int, Meta(ge=0, le=1_000_000, description="Orders, fills and alerts kept for clients that come back.")
    ] = 4096
    heartbeat_seconds: Annotated[float, Meta(ge=0.1, le=60, description="Interval of the heartbeat frames.")] = 5.0
    send_timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=300, description="A client that takes nothing for so long is disconnected.")
    ] = 10.0
    clients_max: Annotated[int, Meta(ge=1, le=100_000, description="Clients at the same time.")] = 1000
    patterns_max: Annotated[int, Meta(ge=1, le=10_000, description="Patterns one client may subscribe to.")] = 256
    command_max_bytes: Annotated[int, Meta(ge=256, le=1 << 20, description="Largest command accepted.")] = 65_536


# -- what a client sends -------------------------------------------------------------------------------------------


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", forbid_unknown_fields=True):
    id: int = 0


class Subscribe(_Command, frozen=True, kw_only=True, tag="subscribe"):
    """Begin to receive topics. `after` asks for the kept events with a greater sequence first."""

    topics: Annotated[list[Pattern], Meta(min_length=1, max_length=256)]
    snapshot: bool = True
    after: Annotated[int, Meta(ge=0)] | None = None
    session: str | None = None


class Unsubscribe(_Command, frozen=True, kw_only=True, tag="unsubscribe"):
    """Receive the patterns no longer; each must be one that was subscribed to."""

    topics: Annotated[list[Pattern], Meta(min_length=1, max_length=256)]


class Ping(_Command, frozen=True, kw_only=True, tag="ping"):
    """Ask for a pong."""


Command = Subscribe | Unsubscribe | Ping

# -- what a client receives ----------------------------------------------------------------------------------------


class _Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class Welcome(_Frame, frozen=True, kw_only=True, tag="welcome"):
    """The first frame. Sequence numbers belong to `session`: another session counts anew."""

    session: str
    client_id: int
    ts: int
    sequence: int
    heartbeat_seconds: float
    flush_hz: int
    overflow: Overflow
    quality: Quality
    source: str


class Subscribed(_Frame, frozen=True, kw_only=True, tag="subscribed"):
    """The answer to a subscribe or unsubscribe: every pattern now in force."""

    id: int
    topics: list[str]
    sequence: int


class Gap(_Frame, frozen=True, kw_only=True, tag="gap"):
    """Events are missing: read the current state over REST. None for `dropped` where their number is not known."""

    reason: Literal["slow", "history", "session", "not_kept"]
    dropped: int | None
    from_sequence: int
    through_sequence: int


class Heartbeat(_Frame, frozen=True, kw_only=True, tag="heartbeat"):
    """The connection is alive; what market data rest on now."""

    ts: int
    sequence: int
    quality: Quality
    source: str


class Pong(_Frame, frozen=True, kw_only=True, tag="pong"):
    """The answer to a ping."""

    id: int
    ts: int


class Failure(_Frame, frozen=True, kw_only=True, tag="error"):
    """A command was refused and changed nothing."""

    id: int
    title: str
    detail: str
    field: str | None = None


class Announcement(_Frame, frozen=True, kw_only=True, tag="broadcast"):
    """Words of the operator to everybody."""

    ts: int
    severity: Severity
    message: str


Frame = Welcome | Subscribed | Gap | Heartbeat | Pong | Failure | Announcement

# -- REST ----------------------------------------------------------------------------------------------------------


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One client. `waiting_*` is what it has not taken yet, `dropped_events` what it lost by being slow."""

    client_id: int
    remote: str
    format: Format
    overflow: Overflow
    patterns: list[str]
    connected_ns: int
    frames_sent: int
    messages_sent: int
    commands_received: int
    waiting_events: int
    waiting_states: int
    dropped_events: int


class TopicFamily(msgspec.Struct, frozen=True, kw_only=True):
    """One family of topics: how it is delivered, and who listens."""

    family: str
    delivery: Literal["state", "event"]
    kept: bool
    clients: int
    bus_patterns: list[str]
    latest_kept: int


class Broadcast(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words for everybody who is connected."""

    message: Annotated[str, Meta(min_length=1, max_length=2000)]
    severity: Severity = "info"


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How many clients a broadcast was handed to."""

    clients: int


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """The client that was cut off."""

    client_id: int

"""What a feed says of itself: its line, its farms, its outages and every subscription."""

from __future__ import annotations

import msgspec

from nautilus.engines.marketdata.ibkr.connectivity import Farm
from nautilus.engines.marketdata.ibkr.recovery import Outage


class SubscriptionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One desired subscription. Times in ns UTC; `refused` counts messages that made no event, `off_grid` why."""

    instrument_id: str
    kind: str
    spec: str
    state: str
    is_stale: bool
    is_suspect: bool
    last_data_ns: int | None
    stale_after_seconds: float
    events: int
    refused: int
    off_grid: int
    requests: int
    renewals: int
    backfilled: int
    reason: str


class Notice(msgspec.Struct, frozen=True):
    """A message of the gateway that belongs to no subscription."""

    ts: int
    code: int
    text: str


class IbkrReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of one feed."""

    state: str
    host: str
    port: int
    client_id: int
    server_version: int
    connected_ns: int | None
    connects: int
    attempts: int
    dead_lines: int
    client_ids_taken: int
    heartbeat_seconds: float | None
    last_error: str
    servers_lost_ns: int | None
    farms: list[Farm]
    subscriptions: list[SubscriptionReport]
    outages: list[Outage]
    outage_count: int
    undecodable: int
    unrouted: int
    messages_sent: int
    paced_messages: int
    paced_history: int
    pacing_violations: int
    notices: list[Notice]

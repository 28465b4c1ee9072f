"""How one connection to TWS or the IB Gateway behaves: every limit and every time-out, in one place."""

from __future__ import annotations

from typing import Literal

import msgspec

from nautilus.errors import Invalid
from nautilus.model import AssetClass

NANOSECONDS = 1_000_000_000
MESSAGES_PER_SECOND_ALLOWED = 50
EQUITY_QUIET = ("Mon-Fri 20:00-04:00", "Sat-Sun 00:00-24:00", "Mon 00:00-04:00")
"""US equities with their extended hours."""
ALWAYS_QUIET = ("daily 23:40-00:50", "Fri 23:00-24:00", "Sat 00:00-24:00", "Sun 00:00-17:15")
"""IBKR's nightly reset and its weekend, New York time."""


class IbkrSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in seconds. `market_data_type`: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.

    A client id that is taken is followed by the next one, `client_ids` of them in turn. In `quiet_hours` (every
    instrument) and `equity_quiet_hours` (equities, ETFs and options) silence is normal; see QuietHours.
    """

    host: str = "127.0.0.1"
    port: int = 4002
    client_id: int = 11
    client_ids: int = 8
    market_data_type: Literal[1, 2, 3, 4] = 1
    connect_timeout_seconds: float = 10.0
    heartbeat_seconds: float = 30.0
    dead_after_seconds: float = 60.0
    check_seconds: float = 1.0
    backoff_first_seconds: float = 0.5
    backoff_cap_seconds: float = 60.0
    servers_lost_seconds: float = 300.0
    farm_hold_seconds: float = 120.0
    grace_seconds: float = 10.0
    quotes_stale_seconds: float = 60.0
    trades_stale_seconds: float = 300.0
    depth_stale_seconds: float = 60.0
    bars_stale_seconds: float = 30.0
    """Bars have three of their own intervals, and this."""
    quiet_hours: tuple[str, ...] = ALWAYS_QUIET
    equity_quiet_hours: tuple[str, ...] = EQUITY_QUIET
    quiet_timezone: str = "America/New_York"
    depth_rows: int = 10
    messages_per_second: int = 35
    message_burst: int = 10
    history_requests: int = 60
    history_window_seconds: float = 600.0
    history_identical_seconds: float = 15.0
    history_seconds: int = 1800
    """How far back the first request of a bar subscription reaches."""
    largest_backfill_seconds: int = 5 * 86_400
    bar_close_seconds: float = 2.0
    """A bar whose interval has ended for so long is complete though no later one has come."""
    largest_subscriptions: int = 500
    largest_frame_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not 0 < value < 1e9 and name not in {"client_id", "history_seconds"}:
                raise Invalid(name, f"must be positive, not {value}")
        if not 0 <= self.client_id < 1_000_000:
            raise Invalid("client_id", f"must be from 0 to 999999, not {self.client_id}")
        if self.history_seconds < 0:
            raise Invalid("history_seconds", f"must not be negative, not {self.history_seconds}")
        if self.port > 65_535:
            raise Invalid("port", f"must be at most 65535, not {self.port}")
        if self.messages_per_second + self.message_burst > MESSAGES_PER_SECOND_ALLOWED:
            raise Invalid("messages_per_second", f"and message_burst must be {MESSAGES_PER_SECOND_ALLOWED} at most")
        if self.dead_after_seconds <= self.heartbeat_seconds:
            raise Invalid("dead_after_seconds", "must be longer than heartbeat_seconds")
        if self.backoff_first_seconds > self.backoff_cap_seconds:
            raise Invalid("backoff_first_seconds", "must not be longer than backoff_cap_seconds")

    def quiet_windows(self, asset_class: AssetClass) -> tuple[str, ...]:
        """The windows of an instrument of this class."""
        if asset_class in {AssetClass.EQUITY, AssetClass.ETF, AssetClass.OPTION}:
            return (*self.quiet_hours, *self.equity_quiet_hours)
        return self.quiet_hours


def nanoseconds(seconds: float) -> int:
    """Whole nanoseconds of a number of seconds."""
    return round(seconds * NANOSECONDS)

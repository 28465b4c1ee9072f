"""What is wanted of the gateway, whatever the line does: a desired subscription with its stream and its watchdog."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from nautilus.engines.marketdata.ibkr.connectivity import Channel
from nautilus.engines.marketdata.ibkr.contracts import IbkrContract
from nautilus.engines.marketdata.ibkr.quiet_hours import QuietHours
from nautilus.engines.marketdata.ibkr.recovery import Key
from nautilus.engines.marketdata.ibkr.staleness import Watchdog
from nautilus.engines.marketdata.ibkr.streams import Stream
from nautilus.model import Instrument


class Kind(StrEnum):
    """What can be subscribed to."""

    QUOTES = "quotes"
    """A market data line: best bid and ask, conflated by IBKR."""
    TICK_QUOTES = "tick_quotes"
    """Every change of the best bid and ask, with the exchange's time."""
    TRADES = "trades"
    """Every trade, with the exchange's time."""
    DEPTH = "depth"
    """Price levels."""
    BARS = "bars"
    """Time bars."""

    @property
    def channels(self) -> frozenset[Channel]:
        """Which farms this hangs on."""
        if self is Kind.BARS:
            return frozenset({Channel.MARKET, Channel.HISTORY})
        return frozenset({Channel.MARKET})

    @property
    def has_snapshot(self) -> bool:
        """Whether a new request is answered at once, though the market stands still."""
        return self in {Kind.QUOTES, Kind.DEPTH, Kind.BARS}


class State(StrEnum):
    """Where a subscription stands."""

    WAITING = "waiting"
    REQUESTED = "requested"
    LIVE = "live"
    REFUSED = "refused"


class Subscription:
    """One desired subscription. `request_id` is that of the request that is open now, or None."""

    __slots__ = (
        "contract",
        "instrument",
        "is_queued",
        "key",
        "kind",
        "quiet",
        "reason",
        "request_id",
        "requests",
        "state",
        "stream",
        "watchdog",
        "wire",
    )

    def __init__(
        self,
        instrument: Instrument,
        kind: Kind,
        spec: str,
        contract: IbkrContract,
        wire: Any,
        stream: Stream,
        watchdog: Watchdog,
        quiet: QuietHours,
    ) -> None:
        self.key: Key = (instrument.id, kind.value, spec)
        self.instrument = instrument
        self.kind = kind
        self.contract = contract
        self.wire = wire
        self.stream = stream
        self.watchdog = watchdog
        self.quiet = quiet
        self.state = State.WAITING
        self.request_id: int | None = None
        self.requests = 0
        self.is_queued = False
        self.reason = ""
        """What the gateway last had against it."""

    @property
    def name(self) -> str:
        """For a person: "AAPL.XNAS quotes", "AAPL.XNAS bars 60s"."""
        return " ".join(part for part in self.key if part)

"""The stream and the watchdog that belong to each kind of subscription."""

from __future__ import annotations

from decimal import Decimal

from nautilus.clock import Clock
from nautilus.engines.marketdata.ibkr.bar_stream import BarStream, step_seconds
from nautilus.engines.marketdata.ibkr.depth_stream import DepthStream
from nautilus.engines.marketdata.ibkr.grid import Grid
from nautilus.engines.marketdata.ibkr.quote_stream import QuoteStream, TickQuoteStream
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings, nanoseconds
from nautilus.engines.marketdata.ibkr.staleness import Watchdog
from nautilus.engines.marketdata.ibkr.streams import Emit, Stream
from nautilus.engines.marketdata.ibkr.subscriptions import Kind
from nautilus.engines.marketdata.ibkr.trade_stream import TradeStream
from nautilus.errors import Invalid
from nautilus.model import Instrument


def make_stream(
    settings: IbkrSettings,
    clock: Clock,
    emit: Emit,
    instrument: Instrument,
    kind: Kind,
    spec: str,
    size_multiplier: Decimal,
) -> Stream:
    """A stream that makes events of one kind; raises Invalid for a spec that it cannot have."""
    if spec and kind is not Kind.BARS:
        raise Invalid("spec", f"belongs to bars, not to {kind.value}")
    grid = Grid(instrument, size_multiplier)
    if kind is Kind.BARS:
        return BarStream(
            instrument.id,
            grid,
            emit,
            spec,
            history_seconds=settings.history_seconds,
            largest_backfill_seconds=settings.largest_backfill_seconds,
            close_ns=nanoseconds(settings.bar_close_seconds),
        )
    if kind is Kind.TRADES:
        return TradeStream(instrument.id, grid, emit, clock.timestamp_ns())
    if kind is Kind.DEPTH:
        return DepthStream(instrument.id, grid, emit)
    return (QuoteStream if kind is Kind.QUOTES else TickQuoteStream)(instrument.id, grid, emit)


def make_watchdog(settings: IbkrSettings, kind: Kind, spec: str, stale_after_seconds: float | None) -> Watchdog:
    """A watchdog with the limit that was asked for, or that of the settings; raises Invalid for an impossible one."""
    seconds = stale_after_seconds
    if seconds is None and kind is Kind.BARS:
        seconds = 3 * step_seconds(spec) + settings.bars_stale_seconds
    elif seconds is None:
        seconds = {Kind.TRADES: settings.trades_stale_seconds, Kind.DEPTH: settings.depth_stale_seconds}.get(
            kind, settings.quotes_stale_seconds
        )
    if not 0 < seconds < 1e9:
        raise Invalid("stale_after_seconds", f"must be positive, not {seconds}")
    return Watchdog(nanoseconds(seconds), nanoseconds(settings.grace_seconds))

"""How each kind of subscription is asked for and cancelled, in ib_async's calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nautilus.engines.marketdata.ibkr.bar_stream import BAR_SIZES, BarStream, HistoryRequest
from nautilus.engines.marketdata.ibkr.settings import NANOSECONDS
from nautilus.engines.marketdata.ibkr.subscriptions import Kind, Subscription
from nautilus.model import AssetClass

EPOCH_SECONDS = 2
"""The format of dates that needs no time zone."""
TICK_TYPES = {Kind.TRADES: "AllLast", Kind.TICK_QUOTES: "BidAsk"}


def send_request(client: Any, request_id: int, subscription: Subscription, depth_rows: int) -> None:
    """Ask for quotes, trades or depth."""
    wire = subscription.wire
    if subscription.kind is Kind.QUOTES:
        client.reqMktData(request_id, wire, "", False, False, [])
    elif subscription.kind is Kind.DEPTH:
        client.reqMktDepth(request_id, wire, depth_rows, subscription.contract.smart_depth, [])
    else:
        client.reqTickByTickData(request_id, wire, TICK_TYPES[subscription.kind], 0, False)


def send_history_request(
    client: Any, request_id: int, subscription: Subscription, stream: BarStream, request: HistoryRequest
) -> None:
    """Ask for bars: a closed piece of the past, or up to now and kept up to date."""
    end = ""
    if request.end_ns is not None:
        end = datetime.fromtimestamp(request.end_ns // NANOSECONDS, UTC).strftime("%Y%m%d-%H:%M:%S")
    client.reqHistoricalData(
        request_id,
        subscription.wire,
        end,
        request.duration,
        BAR_SIZES[stream.step_ns // NANOSECONDS],
        "MIDPOINT" if subscription.instrument.asset_class is AssetClass.FX else "TRADES",
        False,
        EPOCH_SECONDS,
        request.end_ns is None,
        [],
    )


def send_cancellation(client: Any, request_id: int, subscription: Subscription) -> None:
    """Ask for no more of it."""
    if subscription.kind is Kind.QUOTES:
        client.cancelMktData(request_id)
    elif subscription.kind is Kind.DEPTH:
        client.cancelMktDepth(request_id, subscription.contract.smart_depth)
    elif subscription.kind is Kind.BARS:
        client.cancelHistoricalData(request_id)
    else:
        client.cancelTickByTickData(request_id)

"""What tests need, ours and those of plugin authors: a node that stands still until told, and captured messages."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nautilus.clock import Clock, TestClock
from nautilus.config import load_config
from nautilus.model import AssetClass, Instrument, Quote, Side, Trade

if TYPE_CHECKING:
    from nautilus.bus import Bus
    from nautilus.node import Node

START_NS = 1_700_000_000_000_000_000
"""When test nodes begin: 2023-11-14 22:13:20 UTC."""


def make_node(
    engines: Iterable[str],
    options: Mapping[str, Any] | None = None,
    *,
    clock: Clock | None = None,
    directory: str = ":memory:",
) -> "Node":
    """A node with some engines, in memory unless a directory is given, on a TestClock unless another clock is given.

    `options` maps dotted keys ("engines.vpin.window") to values. Kernels compile at first use, and nobody's
    compute requests are answered.
    """
    from nautilus.node import Node

    names = tuple(engines)
    settings = {
        "store.directory": directory,
        "log.level": "warning",
        "accel.compile_at_start": False,
        "accel.serve_requests": False,
        "accel.calibration": "none",
        **({"engines.marketdata.source": "none"} if "marketdata" in names else {}),
        **(options or {}),
    }
    config = load_config(overrides=settings, environment={})
    return Node(config, clock=clock or TestClock(START_NS), engines=names)


def make_instrument(instrument_id: str = "TEST.SIM", **changes: Any) -> Instrument:
    """An equity with a tick of 0.01 and a lot of 1."""
    return Instrument(
        **{
            "id": instrument_id,
            "asset_class": AssetClass.EQUITY,
            "tick_size": Decimal("0.01"),
            "sector": "test",
            **changes,
        }
    )


def make_quote(
    instrument_id: str = "TEST.SIM",
    bid_ticks: int = 10_000,
    ask_ticks: int = 10_001,
    bid_lots: int = 100,
    ask_lots: int = 100,
    ts_event: int = START_NS,
) -> Quote:
    """A quote of 100.00 bid, 100.01 asked."""
    return Quote(instrument_id, bid_ticks, ask_ticks, bid_lots, ask_lots, ts_event, ts_event)


def make_trade(
    instrument_id: str = "TEST.SIM",
    price_ticks: int = 10_000,
    size_lots: int = 10,
    aggressor: Side = Side.BUY,
    trade_id: int = 1,
    ts_event: int = START_NS,
) -> Trade:
    """A trade of 10 at 100.00."""
    return Trade(instrument_id, price_ticks, size_lots, aggressor, trade_id, ts_event, ts_event)


class Capture[M]:
    """Collects what is published under a pattern."""

    def __init__(self, bus: "Bus", pattern: str) -> None:
        self.messages: list[M] = []
        self._subscription = bus.subscribe(pattern, self.messages.append, owner="capture")  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.messages)

    def close(self) -> None:
        """Collect no more."""
        self._subscription.cancel()

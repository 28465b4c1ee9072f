"""What a node hands to its engines: the shared parts, and nothing of the node itself."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nautilus.bus import Bus
from nautilus.clock import Clock
from nautilus.model.enums import Quality
from nautilus.model.instruments import InstrumentRegistry

if TYPE_CHECKING:
    import structlog

    from nautilus.accel import Accelerator
    from nautilus.jobs import Jobs
    from nautilus.store.base import Store


class MarketSource:
    """Where the node's market data come from; the marketdata engine says so, every answer repeats it."""

    __slots__ = ("description", "quality")

    def __init__(self) -> None:
        self.quality = Quality.NONE
        self.description = "no market data"

    def set(self, quality: Quality, description: str) -> None:
        """From now on market data are of this quality."""
        self.quality = quality
        self.description = description


class Meter:
    """Time spent in handlers called by handlers, so that each engine is charged only for its own."""

    __slots__ = ("nested_ns",)

    def __init__(self) -> None:
        self.nested_ns = 0


@dataclass(slots=True)
class Context:
    """The shared parts of one node."""

    node_id: str
    clock: Clock
    bus: Bus
    instruments: InstrumentRegistry
    store: "Store"
    accel: "Accelerator"
    jobs: "Jobs"
    log: "structlog.stdlib.BoundLogger"
    source: MarketSource = field(default_factory=MarketSource)
    meter: Meter = field(default_factory=Meter)
    loaded: frozenset[str] = frozenset()
    """Names of the engines of this node."""
    why_not_owner: Callable[[str], str | None] = lambda account_id: None
    """Why this process may not trade an account now, or None where it may; see `nautilus.ownership`."""
    private_node: "Callable[..., AbstractAsyncContextManager[Any]] | None" = None
    """Builds a node of its own for a backtest, from overrides by dotted key, a clock and names of engines."""

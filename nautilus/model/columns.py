"""Column batches: the same market data as read-only arrays over one buffer, for whoever works in bulk."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from nautilus.errors import Invalid
from nautilus.model.market import Bar, BookDelta, Quote, Trade

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Arrays of equal length, shape [rows], int64; made read-only here."""

    event: ClassVar[type[msgspec.Struct]]
    instrument_id: str

    def __post_init__(self) -> None:
        length = None
        for name in self.names():
            given = np.asarray(getattr(self, name))
            if given.size and not np.can_cast(given.dtype, np.int64):
                raise Invalid(name, f"must hold integers of at most 64 bits with a sign, not {given.dtype}")
            array = np.ascontiguousarray(given, dtype=np.int64).view()
            if array.ndim != 1 or (length is not None and len(array) != length):
                raise Invalid(name, "columns of a batch must be one-dimensional and of equal length")
            length = len(array)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the array columns, in order."""
        return tuple(field.name for field in fields(cls) if field.name != "instrument_id")

    @classmethod
    def from_events(cls, instrument_id: str, events: Iterable[Any]) -> Self:
        """Columns of a sequence of events of one instrument."""
        rows = list(events)
        return cls(
            instrument_id, *(np.array([getattr(row, name) for row in rows], dtype=np.int64) for name in cls.names())
        )

    def __len__(self) -> int:
        return len(getattr(self, self.names()[0]))

    def arrays(self) -> dict[str, Integers]:
        """The columns by name, without copying."""
        return {name: getattr(self, name) for name in self.names()}


@dataclass(frozen=True, slots=True)
class QuoteColumns(_Columns):
    """Quotes of one instrument."""

    event = Quote
    bid_ticks: Integers
    ask_ticks: Integers
    bid_lots: Integers
    ask_lots: Integers
    ts_event: Integers
    ts_init: Integers


@dataclass(frozen=True, slots=True)
class TradeColumns(_Columns):
    """Trades of one instrument; `aggressor` holds the values of Side."""

    event = Trade
    price_ticks: Integers
    size_lots: Integers
    aggressor: Integers
    trade_id: Integers
    ts_event: Integers
    ts_init: Integers


@dataclass(frozen=True, slots=True)
class BookDeltaColumns(_Columns):
    """Book deltas of one instrument; `side` holds the values of Side, `last` 0 or 1."""

    event = BookDelta
    side: Integers
    price_ticks: Integers
    size_lots: Integers
    last: Integers
    ts_event: Integers
    ts_init: Integers


@dataclass(frozen=True, slots=True)
class BarColumns(_Columns):
    """Bars of one instrument and one spec."""

    event = Bar
    open_ticks: Integers
    high_ticks: Integers
    low_ticks: Integers
    close_ticks: Integers
    volume_lots: Integers
    buy_lots: Integers
    trade_count: Integers
    ts_open: Integers
    ts_event: Integers
    ts_init: Integers

"""Market data events, one frozen object each. Prices in ticks, sizes in lots, times in nanoseconds UTC."""

import msgspec

from nautilus.model.enums import Side


class Quote(msgspec.Struct, frozen=True, gc=False, tag="quote"):
    """Best bid and ask of one instrument; a side that is empty has size 0."""

    instrument_id: str
    bid_ticks: int
    ask_ticks: int
    bid_lots: int
    ask_lots: int
    ts_event: int
    ts_init: int


class Trade(msgspec.Struct, frozen=True, gc=False, tag="trade"):
    """One execution in the market. `aggressor` is the side that took liquidity, NONE where the feed does not say."""

    instrument_id: str
    price_ticks: int
    size_lots: int
    aggressor: Side
    trade_id: int
    ts_event: int
    ts_init: int


class BookDelta(msgspec.Struct, frozen=True, gc=False, tag="book_delta"):
    """The new total size of one price level (0 removes it). `last` closes a group that belongs together."""

    instrument_id: str
    side: Side
    price_ticks: int
    size_lots: int
    last: bool
    ts_event: int
    ts_init: int


class BookDepth(msgspec.Struct, frozen=True, tag="book_depth"):
    """The top of the book by level, best first: (price_ticks, size_lots) pairs."""

    instrument_id: str
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    ts_event: int
    ts_init: int


class Bar(msgspec.Struct, frozen=True, gc=False, tag="bar"):
    """Open, high, low, close and volume of one interval that ended at `ts_event`.

    `spec` is "1s" or "60s" (time), "100t" (trades), "5000v" (lots), "5000000d" (value), or a kind of imbalance or run
    such as "500vib"; `buy_lots` is what buyers' aggression traded.
    """

    instrument_id: str
    spec: str
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    buy_lots: int
    trade_count: int
    ts_open: int
    ts_event: int
    ts_init: int

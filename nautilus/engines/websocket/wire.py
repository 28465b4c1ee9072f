"""Messages as they leave the process: beside ticks and lots, the prices and sizes that a person reads."""

from typing import Any

import msgspec

from nautilus.model.instruments import Instrument, InstrumentRegistry
from nautilus.model.market import BookDepth, Quote, Trade

# What a field of ticks or lots is called once it is a price or a size; others change their ending.
_PRICES = {
    "price_ticks": "price",
    "average_price_ticks": "average_price",
    "bid_ticks": "bid",
    "ask_ticks": "ask",
    "open_ticks": "open",
    "high_ticks": "high",
    "low_ticks": "low",
    "close_ticks": "close",
}
_SIZES = {
    "size_lots": "size",
    "quantity_lots": "quantity",
    "volume_lots": "volume",
    "buy_lots": "buy_volume",
    "sell_lots": "sell_volume",
    "bid_lots": "bid_size",
    "ask_lots": "ask_size",
}


def human(message: msgspec.Struct, instruments: InstrumentRegistry) -> dict[str, Any]:
    """A message as plain values, with a price beside every `..._ticks` and a size beside every `..._lots`.

    Book levels become [price_ticks, size_lots, price, size]. Where the instrument is not known ticks and lots stand
    alone. Money stays exact decimal text.

    >>> from decimal import Decimal
    >>> from nautilus.model import AssetClass, Trade, Side
    >>> known = InstrumentRegistry()
    >>> known.add(Instrument(id="GOOG.XNAS", asset_class=AssetClass.EQUITY, tick_size=Decimal("0.01")))
    >>> plain = human(Trade("GOOG.XNAS", 58788, 5, Side.BUY, 1, 0, 0), known)
    >>> plain["price_ticks"], plain["price"], plain["size"]
    (58788, 587.88, 5.0)
    """
    kind = type(message)
    if kind is Quote:
        return _quote(message, instruments)  # type: ignore[arg-type]
    if kind is Trade:
        return _trade(message, instruments)  # type: ignore[arg-type]
    if kind is BookDepth:
        return _depth(message, instruments)  # type: ignore[arg-type]
    plain: dict[str, Any] = msgspec.to_builtins(message)
    _add_prices(plain, None, instruments)
    return plain


def _quote(quote: Quote, instruments: InstrumentRegistry) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "type": "quote",
        "instrument_id": quote.instrument_id,
        "bid_ticks": quote.bid_ticks,
        "ask_ticks": quote.ask_ticks,
        "bid_lots": quote.bid_lots,
        "ask_lots": quote.ask_lots,
        "ts_event": quote.ts_event,
        "ts_init": quote.ts_init,
    }
    instrument = instruments.get(quote.instrument_id)
    if instrument is not None:
        plain["bid"] = instrument.price(quote.bid_ticks)
        plain["ask"] = instrument.price(quote.ask_ticks)
        plain["bid_size"] = instrument.size(quote.bid_lots)
        plain["ask_size"] = instrument.size(quote.ask_lots)
    return plain


def _trade(trade: Trade, instruments: InstrumentRegistry) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "type": "trade",
        "instrument_id": trade.instrument_id,
        "price_ticks": trade.price_ticks,
        "size_lots": trade.size_lots,
        "aggressor": int(trade.aggressor),
        "trade_id": trade.trade_id,
        "ts_event": trade.ts_event,
        "ts_init": trade.ts_init,
    }
    instrument = instruments.get(trade.instrument_id)
    if instrument is not None:
        plain["price"] = instrument.price(trade.price_ticks)
        plain["size"] = instrument.size(trade.size_lots)
    return plain


def _depth(depth: BookDepth, instruments: InstrumentRegistry) -> dict[str, Any]:
    instrument = instruments.get(depth.instrument_id)
    return {
        "type": "book_depth",
        "instrument_id": depth.instrument_id,
        "bids": [_level(ticks, lots, instrument) for ticks, lots in depth.bids],
        "asks": [_level(ticks, lots, instrument) for ticks, lots in depth.asks],
        "ts_event": depth.ts_event,
        "ts_init": depth.ts_init,
    }


def _level(ticks: int, lots: int, instrument: Instrument | None) -> tuple[float, ...]:
    if instrument is None:
        return (ticks, lots)
    return (ticks, lots, instrument.price(ticks), instrument.size(lots))


def _add_prices(plain: dict[str, Any], instrument: Instrument | None, instruments: InstrumentRegistry) -> None:
    """Add prices and sizes in place, to inner objects too; the nearest `instrument_id` outwards says of what."""
    if "instrument_id" in plain:
        instrument = instruments.get(plain["instrument_id"])
    added = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            _add_prices(value, instrument, instruments)
        elif instrument is not None and name.endswith("_ticks"):
            price = _PRICES.get(name) or name.removesuffix("_ticks") + "_price"
            added[price] = None if value is None else instrument.price(value)
        elif instrument is not None and name.endswith("_lots"):
            size = _SIZES.get(name) or name.removesuffix("_lots") + "_quantity"
            added[size] = None if value is None else instrument.size(value)
    plain.update(added)

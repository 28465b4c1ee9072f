"""The input fields that formulas may name, with kind and unit; and fields derived from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

type FieldKind = Literal["number", "group"]


@dataclass(frozen=True, slots=True)
class Field:
    """An input panel [dates, instruments]: numbers in `unit`, or group codes (whole numbers from 0)."""

    name: str
    kind: FieldKind
    unit: str
    meaning: str


_FIELDS = (
    Field("open", "number", "price", "first price of the row's interval"),
    Field("high", "number", "price", "highest price"),
    Field("low", "number", "price", "lowest price"),
    Field("close", "number", "price", "last price"),
    Field("vwap", "number", "price", "volume-weighted average price"),
    Field("volume", "number", "shares", "traded quantity"),
    Field("buy_volume", "number", "shares", "quantity traded by aggressive buyers"),
    Field("trades", "number", "count", "number of trades"),
    Field("market_cap", "number", "currency", "market value of the equity"),
    Field("book_value", "number", "currency", "book value of the equity, as last reported and then public"),
    Field("earnings", "number", "currency", "net income of the last twelve months, as then public"),
    Field("sales", "number", "currency", "revenue of the last twelve months, as then public"),
    Field("cash_flow", "number", "currency", "operating cash flow of the last twelve months, as then public"),
    Field("dividends", "number", "currency", "dividends paid in the last twelve months, as then public"),
    Field("assets", "number", "currency", "total assets, as last reported and then public"),
    Field("gross_profit", "number", "currency", "gross profit of the last twelve months, as then public"),
    Field("sector", "group", "code", "sector"),
    Field("industry", "group", "code", "industry"),
    Field("subindustry", "group", "code", "sub-industry"),
)

FIELDS: Mapping[str, Field] = MappingProxyType({field.name: field for field in _FIELDS})

DERIVED: Mapping[str, str] = MappingProxyType(
    {"returns": "close / delay(close, 1) - 1", "turnover": "vwap * volume", "typical": "(high + low + close) / 3"}
)
"""Fields written in terms of others; adv(n) stands for ts_mean(volume, n)."""

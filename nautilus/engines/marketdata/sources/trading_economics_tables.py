"""What Trading Economics sends, as typed tables: releases, indicators and their history, prices, symbols.

The calendar writes values as people read them: "0.3%", "€0.42B", "178K". They become whole numbers (420000000.0) in
`unit` (% or a currency sign), and the text of the published one is kept. `previous` is what stands for the period
before, `revised_from` what had been published for it. All times are UTC.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from nautilus.engines.marketdata.sources.answers import json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import SourceGarbled

NAME = "trading_economics"
SCALES = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_VALUE = re.compile(
    r"(?P<currency>[^\d\s.+-]{0,4})(?P<number>[+-]?\d[\d,]*(\.\d+)?|[+-]?\.\d+)(?P<scale>[KMBT]?)(?P<rest>%?)"
)
_TIME = pl.Datetime("ns", "UTC")
_CALENDAR: dict[str, Any] = {
    "series": pl.String,
    "time": _TIME,
    "period_end": pl.Date,
    "available_at": pl.Date,
    "country": pl.String,
    "category": pl.String,
    "title": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "text": pl.String,
    "previous": pl.Float64,
    "forecast": pl.Float64,
    "own_forecast": pl.Float64,
    "revised_from": pl.Float64,
    "importance": pl.Int64,
    "exact_time": pl.Boolean,
    "publisher": pl.String,
    "id": pl.String,
}
_HISTORY: dict[str, Any] = {
    "series": pl.String,
    "period_end": pl.Date,
    "available_at": pl.Date,
    "value": pl.Float64,
    "unit": pl.String,
    "country": pl.String,
    "category": pl.String,
    "frequency": pl.String,
}
_INDICATORS: dict[str, Any] = {
    "series": pl.String,
    "title": pl.String,
    "period_end": pl.Date,
    "value": pl.Float64,
    "unit": pl.String,
    "country": pl.String,
    "category": pl.String,
    "frequency": pl.String,
    "previous": pl.Float64,
    "previous_period_end": pl.Date,
    "publisher": pl.String,
}
_PRICES: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), pl.Float64)
_QUOTE: dict[str, Any] = {
    "series": pl.String,
    "time": _TIME,
    "value": pl.Float64,
    "unit": pl.String,
    "title": pl.String,
    "previous_close": pl.Float64,
    "country": pl.String,
    "instrument_type": pl.String,
}


class Release(msgspec.Struct, frozen=True, rename="pascal"):
    """One event of the calendar."""

    calendar_id: str | int
    date: str
    country: str
    category: str
    event: str
    reference_date: str | None = None
    actual: str | float | None = None
    previous: str | float | None = None
    forecast: str | float | None = None
    t_e_forecast: str | float | None = msgspec.field(name="TEForecast", default=None)
    revised: str | float | None = None
    importance: int | None = None
    date_span: str | int | None = None
    last_update: str | None = None
    ticker: str | None = None
    source: str | None = None


class Observation(msgspec.Struct, frozen=True, rename="pascal"):
    """One value of an indicator."""

    country: str
    category: str
    date_time: str
    value: float | None
    frequency: str | None = None
    historical_data_symbol: str | None = None


class Indicator(msgspec.Struct, frozen=True, rename="pascal"):
    """An indicator of a country with its last two values."""

    country: str
    category: str
    latest_value_date: str
    latest_value: float | None
    title: str | None = None
    unit: str | None = None
    frequency: str | None = None
    historical_data_symbol: str | None = None
    previous_value: float | None = None
    previous_value_date: str | None = None
    source: str | None = None


class MarketBar(msgspec.Struct, frozen=True, rename="pascal"):
    """Prices of a day or of a minute."""

    symbol: str
    date: str
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None


class MarketQuote(msgspec.Struct, frozen=True, rename="pascal"):
    """The last price of a market; `unit` may be written in small letters."""

    symbol: str
    date: str
    last: float | None
    name: str | None = None
    country: str | None = None
    type: str | None = None
    close: float | None = None
    close_date: str | None = None
    currency: str | None = msgspec.field(name="unit", default=None)


class FoundSeries(msgspec.Struct, frozen=True, rename="pascal"):
    """What a search found; only the symbol is always there."""

    symbol: str | None = None
    name: str | None = None
    category: str | None = None
    country: str | None = None
    type: str | None = None


def parsed(text: str | float | None) -> tuple[float | None, str | None]:
    """A value as the calendar writes it, as a number and its unit; nulls where it is neither.

    >>> parsed("€-0.96B"), parsed("0.3%"), parsed("178K"), parsed("")
    ((-960000000.0, '€'), (0.3, '%'), (178000.0, ''), (None, None))
    """
    if text is None or text == "":
        return None, None
    written = str(text).strip()
    sign = "-" if written.startswith("-") and not written[1:2].isdigit() and written[1:2] != "." else ""
    match = _VALUE.fullmatch(written.removeprefix("-") if sign else written)
    if match is None:
        return None, None
    number = Decimal(sign + match["number"].replace(",", "")) * SCALES[match["scale"]]
    return float(number), match["rest"] or match["currency"]


def calendar_frame(answer: Answer) -> pl.DataFrame:
    """Releases by the instant `time`, oldest first; `available_at` is null until there is an actual value.

    `value` is the published number in `unit`, `text` as it was written. `available_at` is the day of the release, or
    of the last change of the row where that is later. `exact_time` is false where only the day of `time` is known.
    """
    rows = []
    for one in json_of(NAME, answer, list[Release]):
        value, unit = parsed(one.actual)
        numbers = [parsed(text) for text in (one.previous, one.forecast, one.t_e_forecast, one.revised)]
        time = _instant(one.date)
        updated = _instant(one.last_update) if one.last_update else time
        reference = _instant(one.reference_date).date() if one.reference_date else None
        units = [unit, *(other for _, other in numbers)]
        rows.append(
            {
                "series": one.ticker,
                "time": time,
                "period_end": reference,
                "available_at": None if one.actual in (None, "") else max(time, updated).date(),
                "country": one.country,
                "category": one.category,
                "title": one.event,
                "value": value,
                "unit": next((sent for sent in units if sent is not None), None),
                "text": None if one.actual in (None, "") else str(one.actual),
                "previous": numbers[0][0],
                "forecast": numbers[1][0],
                "own_forecast": numbers[2][0],
                "revised_from": numbers[3][0],
                "importance": one.importance,
                "exact_time": str(one.date_span or "0") == "0",
                "publisher": one.source or None,
                "id": str(one.calendar_id),
            }
        )
    return pl.DataFrame(rows, schema=_CALENDAR).sort("time", "id")


def history_frame(answer: Answer) -> pl.DataFrame:
    """Values of an indicator by the last day of their period, oldest first; when they were published is not said."""
    rows = [
        (
            one.historical_data_symbol,
            _instant(one.date_time).date(),
            None,
            one.value,
            None,
            one.country,
            one.category,
            one.frequency,
        )
        for one in json_of(NAME, answer, list[Observation])
    ]
    return pl.DataFrame(rows, schema=_HISTORY, orient="row").sort("period_end")


def indicators_frame(answer: Answer) -> pl.DataFrame:
    """The indicators of a country with their last value and the one before."""
    rows = [
        (
            one.historical_data_symbol or None,
            one.title or one.category,
            _instant(one.latest_value_date).date(),
            one.latest_value,
            one.unit,
            one.country,
            one.category,
            one.frequency,
            one.previous_value,
            _instant(one.previous_value_date).date() if one.previous_value_date else None,
            one.source,
        )
        for one in json_of(NAME, answer, list[Indicator])
    ]
    return pl.DataFrame(rows, schema=_INDICATORS, orient="row").sort("category", "series")


def daily_frame(answer: Answer) -> pl.DataFrame:
    """Prices of days, which are written day first, as 06/09/2022; oldest first."""
    bars = json_of(NAME, answer, list[MarketBar])
    days = [_day(one.date) for one in bars]
    return pl.DataFrame(
        {"series": [one.symbol for one in bars], "period_start": days, "period_end": days, **_prices(bars)},
        schema={"series": pl.String, "period_start": pl.Date, "period_end": pl.Date, **_PRICES},
    ).sort("period_start")


def minutes_frame(answer: Answer) -> pl.DataFrame:
    """Prices of minutes, oldest first."""
    bars = json_of(NAME, answer, list[MarketBar])
    return pl.DataFrame(
        {"series": [one.symbol for one in bars], "time": [_instant(one.date) for one in bars], **_prices(bars)},
        schema={"series": pl.String, "time": _TIME, **_PRICES},
    ).sort("time")


def quote_frame(answer: Answer) -> pl.DataFrame:
    """The last price as `value` at `time`, and the close before."""
    rows = [
        (one.symbol, _instant(one.date), one.last, one.currency, one.name, one.close, one.country, one.type)
        for one in json_of(NAME, answer, list[MarketQuote])
    ]
    return pl.DataFrame(rows, schema=_QUOTE, orient="row")


def search_frame(answer: Answer) -> pl.DataFrame:
    """Symbols that were found."""
    found = [one for one in json_of(NAME, answer, list[FoundSeries]) if one.symbol]
    rows = [(one.symbol, one.name or one.category or one.symbol, one.country, one.type) for one in found]
    schema = dict.fromkeys(("series", "title", "country", "type"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _prices(bars: list[MarketBar]) -> dict[str, list[Any]]:
    return {name: [getattr(one, name) for one in bars] for name in _PRICES}


def _instant(text: str) -> datetime:
    """An instant in UTC; Trading Economics leaves the zone out."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SourceGarbled(NAME, f"answers with {text[:40]!r} in place of a time") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _day(text: str) -> date:
    """A day, written day first or as ISO 8601 has it."""
    match = re.fullmatch(r"(\d{2})/(\d{2})/(\d{4})", text)
    try:
        return date(int(match[3]), int(match[2]), int(match[1])) if match else date.fromisoformat(text[:10])
    except ValueError:
        raise SourceGarbled(NAME, f"answers with {text[:40]!r} in place of a day") from None

"""Alpha Vantage: quotes, bars within the day, adjusted daily bars, earnings, a company's overview; and its search.

It answers 200 whatever happens: "Note" and "Information" at the top of a body mean that the key is used up, not
accepted, or not good enough, "Error Message" that it knows no such symbol. All numbers come as text.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import polars as pl

from nautilus.engines.marketdata.sources.answers import date_of, json_of, number_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceRefused, SourceThrottled
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid, NotFound

NAME = "alpha_vantage"
MISSING = ("", "None", "-", "N/A")
INTRADAY = ("1min", "5min", "15min", "30min", "60min")
COMPACT_DAYS = 130
"""The short answer holds 100 sessions, which is more than these days."""
MOST_MONTHS = 24
_SYMBOL = re.compile(r"[A-Za-z0-9.\-^=:]{1,32}")
_BAR = {"open": "1. open", "high": "2. high", "low": "3. low", "close": "4. close"}
_DAILY = {
    **_BAR,
    "adjusted_close": "5. adjusted close",
    "volume": "6. volume",
    "dividend": "7. dividend amount",
    "split_coefficient": "8. split coefficient",
}
_QUOTE = {
    "value": "05. price",
    "open": "02. open",
    "high": "03. high",
    "low": "04. low",
    "volume": "06. volume",
    "previous_close": "08. previous close",
    "change": "09. change",
}

Body = dict[str, Any]
Decode = Callable[[Answer], pl.DataFrame]


def body_of(answer: Answer, symbol: str) -> Body:
    """The document, where it is one. Raises SourceThrottled, SourceRefused, NotFound and SourceGarbled otherwise."""
    body = json_of(NAME, answer, dict[str, Any])
    if "Error Message" in body:
        said = str(body["Error Message"])
        if "apikey" in said.lower() or "api key" in said.lower():
            raise SourceRefused(NAME, "does not accept the key")
        raise NotFound("series of alpha_vantage", symbol)
    for name in ("Note", "Information"):
        if name in body:
            raise _complaint(str(body[name]))
    return body


def _complaint(said: str) -> SourceThrottled | SourceRefused:
    """What a message in place of data means; it is not repeated, because it may contain the key."""
    text = said.lower()
    if "premium endpoint" in text or "premium feature" in text:
        return SourceRefused(NAME, "gives this to holders of a premium key only")
    if any(word in text for word in ("frequency", "spreading out", "per minute", "per second")):
        return SourceThrottled(NAME, "the key was used too often", 60.0)
    if "per day" in text:
        return SourceThrottled(NAME, "the key's requests of the day are used up", 3600.0)
    return SourceRefused(NAME, "answers with a message in place of data; is the key right?")


def daily_frame(answer: Answer, symbol: str) -> pl.DataFrame:
    """Bars of days, oldest first; prices and volume as traded, `adjusted_close` for splits and dividends since."""
    body = body_of(answer, symbol)
    days = _series(body, "Time Series (Daily)")
    frame = pl.DataFrame(
        {
            "period_start": [date_of(NAME, day) for day in days],
            **{name: [_number(row, key) for row in days.values()] for name, key in _DAILY.items()},
        },
        schema={"period_start": pl.Date, **dict.fromkeys(_DAILY, pl.Float64)},
    )
    return frame.insert_column(1, frame["period_start"].alias("period_end")).sort("period_start")


def intraday_frame(answer: Answer, symbol: str, interval: str) -> pl.DataFrame:
    """Bars within the day by the instant `time` in which they begin, oldest first. Volume in shares."""
    body = body_of(answer, symbol)
    rows = _series(body, f"Time Series ({interval})")
    zone = str(_metadata(body).get("6. Time Zone", ""))
    columns = {**_BAR, "volume": "5. volume"}
    if not zone:
        raise SourceGarbled(NAME, "answers with times in no time zone")
    try:
        local = pl.Series("time", list(rows), pl.String).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ns")
        # between four in the morning and eight in the evening no clock is put back
        times = local.dt.replace_time_zone(zone).dt.convert_time_zone("UTC")
    except pl.exceptions.PolarsError:
        raise SourceGarbled(NAME, f"answers with times that cannot be read, in the zone {zone[:40]!r}") from None
    values = {name: [_number(row, key) for row in rows.values()] for name, key in columns.items()}
    return pl.DataFrame([times, *(pl.Series(name, column, pl.Float64) for name, column in values.items())]).sort("time")


def quote_frame(answer: Answer, symbol: str) -> pl.DataFrame:
    """One row: the last price as `value`, of the day `period_end`. `change_percent` is in percent."""
    row = body_of(answer, symbol).get("Global Quote")
    if not row:
        raise NotFound("series of alpha_vantage", symbol)
    if not isinstance(row, dict):
        raise SourceGarbled(NAME, "answers with a quote of another shape")
    day = date_of(NAME, str(row.get("07. latest trading day", "")))
    percent = number_of(NAME, str(row.get("10. change percent", "")).removesuffix("%"), MISSING)
    columns = {
        "series": [str(row.get("01. symbol", symbol))],
        "period_start": [day],
        "period_end": [day],
        **{name: [_number(row, key)] for name, key in _QUOTE.items()},
        "change_percent": [percent],
    }
    numbers = dict.fromkeys([*_QUOTE, "change_percent"], pl.Float64)
    return pl.DataFrame(columns, schema_overrides=numbers)


def earnings_frame(answer: Answer, symbol: str) -> pl.DataFrame:
    """Earnings a share by fiscal period, oldest first, with the day of their announcement as `available_at`.

    `frequency` is "quarterly" or "annual"; `value` what was reported, `estimate` what had been expected, `surprise`
    the difference, `surprise_percent` that in percent of the estimate. A year was announced with its last quarter;
    a year that ends in another month than the others is one still under way, and is left out.
    """
    body = body_of(answer, symbol)
    if not body:
        raise NotFound("series of alpha_vantage", symbol)
    quarters = [_quarter(row) for row in _list(body, "quarterlyEarnings")]
    announced = {row["period_end"]: row["available_at"] for row in quarters}
    ends = [
        (date_of(NAME, str(row.get("fiscalDateEnding", ""))), _number(row, "reportedEPS"))
        for row in _list(body, "annualEarnings")
    ]
    months = [end.month for end, _ in ends]
    years = [
        {"frequency": "annual", "period_end": end, "available_at": announced.get(end), "value": value}
        for end, value in ends
        if end.month == max(set(months), key=lambda month: (months.count(month), -month))
    ]
    schema = {
        "frequency": pl.String,
        "period_end": pl.Date,
        "available_at": pl.Date,
        **dict.fromkeys(("value", "estimate", "surprise", "surprise_percent"), pl.Float64),
    }
    frame = pl.DataFrame([*quarters, *years], schema=schema)
    span = pl.when(pl.col("frequency") == "annual").then(pl.lit("-12mo")).otherwise(pl.lit("-3mo"))
    # the day after a period's end is the first of a month, or near it, so whole months can be taken off
    first = pl.col("period_end").dt.offset_by("1d").dt.offset_by(span)
    return frame.select("frequency", first.alias("period_start"), pl.exclude("frequency")).sort(
        "period_end", "frequency"
    )


def overview_frame(answer: Answer, symbol: str) -> pl.DataFrame:
    """What is said of a company today: a row a `field`, its `text`, and `value` where the text is a number."""
    body = body_of(answer, symbol)
    if not body.get("Symbol"):
        raise NotFound("series of alpha_vantage", symbol)
    rows = [(field, None if str(text) in MISSING else str(text)) for field, text in body.items()]
    frame = pl.DataFrame(rows, schema={"field": pl.String, "text": pl.String}, orient="row")
    plain = pl.col("text").str.contains(r"^-?\d+(\.\d+)?$")
    return frame.with_columns(pl.when(plain).then(pl.col("text")).cast(pl.Float64).alias("value"))


def search_frame(answer: Answer) -> pl.DataFrame:
    """Symbols that were found, best first. `match` is 1 for an exact one."""
    found = _list(body_of(answer, ""), "bestMatches")
    names = {"series": "1. symbol", "title": "2. name", "instrument_type": "3. type", "region": "4. region"}
    columns = {
        name: [str(row.get(key, "")) for row in found] for name, key in (names | {"unit": "8. currency"}).items()
    }
    schema = dict.fromkeys(columns, pl.String)
    return pl.DataFrame(columns, schema=schema).with_columns(
        pl.Series("match", [_number(row, "9. matchScore") for row in found], pl.Float64)
    )


class AlphaVantage(Source):
    """Alpha Vantage. The limits are those of a free key in the earlier system."""

    name = NAME
    title = "Alpha Vantage"
    host = "https://www.alphavantage.co"
    capabilities = Capabilities(
        kinds=("bars", "quote", "earnings", "overview"),
        intervals=("daily", *INTRADAY),
        point_in_time=True,
        key="required",
    )
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(5, 60), RateLimit(500, 86_400))
    fresh_seconds = 300.0
    key_variable = "ALPHA_VANTAGE_API_KEY"

    async def find(self, query: str, limit: int) -> SourceTable:
        """Instruments whose symbol or name matches."""
        params = {"function": "SYMBOL_SEARCH", "keywords": query}
        found = await self.http.get("/query", params, decode=search_frame, secrets={"apikey": self.key})
        return self.table(found.value.head(limit), [found])

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Bars, or one of the three tables that have no interval."""
        self._check(request)
        symbol = request.series
        match request.kind:
            case "quote":
                fetched = [await self._get(request, "GLOBAL_QUOTE", lambda answer: quote_frame(answer, symbol))]
            case "overview":
                fetched = [await self._get(request, "OVERVIEW", lambda answer: overview_frame(answer, symbol))]
            case "earnings":
                fetched = [await self._get(request, "EARNINGS", lambda answer: earnings_frame(answer, symbol))]
            case _:
                fetched = await self._bars(request)
        frame = _between(pl.concat([one.value for one in fetched]), request)
        note = f"the first {request.limit} of {frame.height} rows" if frame.height > request.limit else ""
        return self.table(frame.head(request.limit), fetched, note)

    def _check(self, request: SeriesRequest) -> None:
        if _SYMBOL.fullmatch(request.series) is None:
            raise Invalid("series", "must be a symbol of Alpha Vantage, such as IBM or TSCO.LON")
        if request.kind != "bars" and request.interval != "daily":
            raise Invalid("interval", "is for bars")
        if request.kind != "earnings" and request.as_of is not None:
            raise Invalid("as_of", "is for earnings; of nothing else does alpha_vantage say when it became known")
        if request.kind in ("quote", "overview"):
            for field in ("start", "end"):
                if getattr(request, field) is not None:
                    raise Invalid(field, f"is not for the kind {request.kind}")

    async def _bars(self, request: SeriesRequest) -> list[Fetched[pl.DataFrame]]:
        symbol, interval = request.series, request.interval
        if interval == "daily":
            recent = request.start is not None and (self._today() - request.start).days <= COMPACT_DAYS
            size = "compact" if recent else "full"
            answer = await self._get(
                request, "TIME_SERIES_DAILY_ADJUSTED", lambda sent: daily_frame(sent, symbol), outputsize=size
            )
            return [answer]
        pages: list[dict[str, str]] = [{"outputsize": "full"}]
        if request.start is not None or request.end is not None:
            pages = [{"outputsize": "full", "month": month} for month in months(request, self._today())]
        return [
            await self._get(
                request,
                "TIME_SERIES_INTRADAY",
                lambda answer: intraday_frame(answer, symbol, interval),
                interval=interval,
                adjusted="false",
                **page,
            )
            for page in pages
        ]

    async def _get(self, request: SeriesRequest, function: str, decode: Decode, **params: str) -> Fetched[pl.DataFrame]:
        return await self.http.get(
            "/query",
            {"function": function, "symbol": request.series, **params},
            decode=decode,
            secrets={"apikey": self.key},
            fresh_seconds=request.max_age_seconds,
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self.http.now_ns() // 1_000_000_000, UTC).date()


def months(request: SeriesRequest, today: date) -> list[str]:
    """The months to ask for, oldest first, as 2024-01; one month where only its end is given.

    Raises Invalid where these are more than 24, or none.
    """
    end = min(request.end or today, today)
    start = request.start or end.replace(day=1)
    count = (end.year - start.year) * 12 + end.month - start.month + 1
    if count < 1 or start > end:
        raise Invalid("start", "must not be in the future")
    if count > MOST_MONTHS:
        raise Invalid("start", f"must leave at most {MOST_MONTHS} months of bars within the day")
    first = start.year * 12 + start.month - 1
    return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, first + count)]


def _between(frame: pl.DataFrame, request: SeriesRequest) -> pl.DataFrame:
    """Rows about the days that were asked for, and known by then; bars within the day by the day in New York."""
    if request.as_of is not None:
        frame = frame.filter(pl.col("available_at") <= request.as_of)
    if "time" in frame.columns:
        first = last = pl.col("time").dt.convert_time_zone("America/New_York").dt.date()
    else:
        first, last = pl.col("period_start"), pl.col("period_end")
    if request.start is not None:
        frame = frame.filter(last >= request.start)
    if request.end is not None:
        frame = frame.filter(first <= request.end)
    return frame


def _quarter(row: Mapping[str, Any]) -> dict[str, Any]:
    announced = str(row.get("reportedDate", ""))
    return {
        "frequency": "quarterly",
        "period_end": date_of(NAME, str(row.get("fiscalDateEnding", ""))),
        "available_at": None if announced in MISSING else date_of(NAME, announced),
        "value": _number(row, "reportedEPS"),
        "estimate": _number(row, "estimatedEPS"),
        "surprise": _number(row, "surprise"),
        "surprise_percent": _number(row, "surprisePercentage"),
    }


def _number(row: Mapping[str, Any], key: str) -> float | None:
    if key not in row:
        raise SourceGarbled(NAME, f"answers without {key!r}")
    return number_of(NAME, str(row[key]), MISSING)


def _list(body: Body, name: str) -> list[dict[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceGarbled(NAME, f"answers without {name!r}")
    return rows


def _series(body: Body, name: str) -> dict[str, dict[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise SourceGarbled(NAME, f"answers without {name!r}")
    return rows


def _metadata(body: Body) -> dict[str, Any]:
    metadata = body.get("Meta Data")
    return metadata if isinstance(metadata, dict) else {}

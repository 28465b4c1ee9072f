"""Yahoo Finance over its chart v8: bars with adjusted closes, quotes, dividends, splits; and its search."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

import polars as pl

from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.client import Reply
from nautilus.engines.marketdata.sources.http import Params
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.engines.marketdata.sources.yahoo_chart import (
    NAME,
    Chart,
    bars_frame,
    day_of,
    decode_chart,
    dividends_frame,
    explain_reply,
    quote_frame,
    search_frame,
    splits_frame,
)
from nautilus.errors import Invalid, NautilusError

WINDOW_DAYS = {"1m": 7, "2m": 59, "5m": 59, "15m": 59, "30m": 59, "60m": 729, "90m": 59, "1h": 729}
"""Longest stretch of bars within a day that one request gives; also how much there is where no start is asked for."""
OLDEST = date(1900, 1, 1)
MOST_WINDOWS = 60
_SYMBOL = re.compile(r"[A-Za-z0-9.^=&_:\-]{1,32}")


class Yahoo(Source):
    """Yahoo Finance. Needs no key; wants no more than a request a second."""

    name = NAME
    title = "Yahoo Finance"
    host = "https://query2.finance.yahoo.com"
    capabilities = Capabilities(
        kinds=("bars", "quote", "dividends", "splits"), intervals=("1d", *WINDOW_DAYS, "1wk", "1mo", "3mo")
    )
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(1, 1),)
    fresh_seconds = 300.0

    async def find(self, query: str, limit: int) -> SourceTable:
        """Instruments whose symbol or name matches."""
        params: Params = {"q": query, "quotesCount": limit, "newsCount": 0, "enableFuzzyQuery": "false"}
        found = await self.http.get("/v1/finance/search", params, decode=search_frame)
        return self.table(found.value.head(limit), [found])

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Bars, or one of the three tables that have no interval."""
        if _SYMBOL.fullmatch(request.series) is None:
            raise Invalid("series", "must be a symbol of Yahoo, such as AAPL, BRK-B, ^GSPC or EURUSD=X")
        if request.kind != "bars" and request.interval != "1d":
            raise Invalid("interval", "is for bars")
        if request.kind == "quote":
            if request.start is not None or request.end is not None:
                raise Invalid("start" if request.start is not None else "end", "is not for a quote")
            fetched = await self._chart(request, {"interval": "1d", "range": "1d"})
            return self.table(quote_frame(fetched.value), [fetched])
        return await self._load_history(request)

    async def _load_history(self, request: SeriesRequest) -> SourceTable:
        fetched = [
            await self._chart(
                request,
                {
                    "interval": request.interval,
                    "period1": _seconds(first),
                    "period2": _seconds(end),
                    "events": "div|split",
                    "includePrePost": "false",
                },
            )
            for first, end in windows(request, self._today())
        ]
        charts = [one.value for one in fetched]
        frame = pl.concat([_table_of(chart, request) for chart in charts])
        days = "period_start" if "period_start" in frame.columns else "time"
        frame = frame.unique(days, keep="last", maintain_order=True).sort(days)
        frame = _between(frame, request, charts[-1].meta.exchange_timezone_name)
        note = f"the first {request.limit} of {frame.height} rows" if frame.height > request.limit else ""
        return self.table(frame.head(request.limit), fetched, note)

    async def _chart(self, request: SeriesRequest, params: Params) -> Fetched[Chart]:
        symbol, interval = request.series, request.interval

        def decode(answer: Answer) -> Chart:
            return decode_chart(answer, symbol, interval)

        def explain(reply: Reply) -> NautilusError | None:
            return explain_reply(reply, symbol)

        path = f"/v8/finance/chart/{quote(symbol, safe='')}"
        return await self.http.get(path, params, decode=decode, explain=explain, fresh_seconds=request.max_age_seconds)

    def _today(self) -> date:
        return datetime.fromtimestamp(self.http.now_ns() // 1_000_000_000, UTC).date()


def windows(request: SeriesRequest, today: date) -> list[tuple[date, date]]:
    """The days [first, end) of each request that is needed, oldest first.

    One day more on either side, because the days of an exchange are not those of UTC; what is too much is cut later.
    Raises Invalid where it would take more than 60 requests, or nothing can be there yet.
    """
    most = WINDOW_DAYS.get(request.interval)
    end = min(request.end or today, today) + timedelta(days=2)
    if request.start is not None:
        first = max(request.start, OLDEST) - timedelta(days=1)
    else:
        first = OLDEST if most is None else end - timedelta(days=most)
    if first >= end:
        raise Invalid("start", "must not be in the future")
    if most is None:
        return [(first, end)]
    days = range(0, (end - first).days, most)
    if len(days) > MOST_WINDOWS:
        raise Invalid("start", f"must leave at most {MOST_WINDOWS * most} days of {request.interval} bars")
    step = timedelta(days=most)
    return [(first + timedelta(days=day), min(first + timedelta(days=day) + step, end)) for day in days]


def _table_of(chart: Chart, request: SeriesRequest) -> pl.DataFrame:
    if request.kind == "dividends":
        return dividends_frame(chart)
    if request.kind == "splits":
        return splits_frame(chart)
    return bars_frame(chart, request.interval)


def _between(frame: pl.DataFrame, request: SeriesRequest, timezone: str) -> pl.DataFrame:
    """Rows about the days that were asked for, as days are counted at the exchange."""
    whole_days = "period_start" in frame.columns
    first = pl.col("period_start") if whole_days else day_of(pl.col("time"), timezone)
    last = pl.col("period_end") if whole_days else first
    if request.start is not None:
        frame = frame.filter(last >= request.start)
    if request.end is not None:
        frame = frame.filter(first <= request.end)
    return frame


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

"""Trading Economics: the calendar of releases, indicators and their history, and prices of markets; and its search.

The key "guest:guest" gives samples, some of them made up, so it counts as none.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from urllib.parse import quote

import polars as pl

from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.engines.marketdata.sources.trading_economics_tables import (
    NAME,
    calendar_frame,
    daily_frame,
    history_frame,
    indicators_frame,
    minutes_frame,
    quote_frame,
    search_frame,
)
from nautilus.errors import Invalid, NotFound

MOST_PAGES = 40
FIRST_DAY = date(1900, 1, 1)
CALENDAR_DAYS = 90
"""Days of the calendar in one request."""
AHEAD_DAYS = 30
"""How far the calendar goes where no end is asked for."""
_NAME = re.compile(r"[^/,?#\x00-\x1f]{1,80}")
_FORMS = {
    "history": "must be country/indicator, or a symbol such as USURTOT",
    "calendar": 'must be a country, country/indicator, or "all"',
    "indicators": "must be a country",
    "bars": "must be a symbol such as AAPL:US",
    "quote": "must be a symbol such as AAPL:US",
}
_DECODERS: dict[str, Callable[[Answer], pl.DataFrame]] = {
    "history": history_frame,
    "calendar": calendar_frame,
    "indicators": indicators_frame,
    "bars": daily_frame,
    "quote": quote_frame,
}


class TradingEconomics(Source):
    """Trading Economics. A key is an identifier and a secret, joined by a colon."""

    name = NAME
    title = "Trading Economics"
    host = "https://api.tradingeconomics.com"
    capabilities = Capabilities(
        kinds=("history", "calendar", "indicators", "bars", "quote"),
        intervals=("daily", "1min"),
        point_in_time=True,
        key="required",
    )
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(500, 60),)
    fresh_seconds = 300.0
    key_variable = "TRADING_ECONOMICS_API_KEY"

    def unconfigured(self) -> str:
        """What is missing; the key of guests is none."""
        if self.key.strip().lower().startswith("guest:"):
            return f"the key of guests gives samples and no data: set {self.key_variable}"
        return super().unconfigured()

    async def find(self, query: str, limit: int) -> SourceTable:
        """Symbols of indicators and markets that match."""
        found = await self._get(f"/search/{quote(query, safe='')}", search_frame, None)
        return self.table(found.value.head(limit), [found])

    async def load(self, request: SeriesRequest) -> SourceTable:
        """One of the kinds: what `series` is for each is in `paths`."""
        self._check(request)
        decode = _DECODERS[request.kind]
        if request.kind == "bars" and request.interval == "1min":
            decode = minutes_frame
        fetched = [
            await self._get(path, decode, request.max_age_seconds, **dates)
            for path, dates in paths(request, self._today())
        ]
        frame = pl.concat([one.value for one in fetched]).unique(maintain_order=True)
        if frame.is_empty() and request.kind != "calendar" and request.start is request.end is None:
            raise NotFound("series of trading_economics", request.series)
        frame = _between(frame, request)
        note = f"the first {request.limit} of {frame.height} rows" if frame.height > request.limit else ""
        return self.table(frame.head(request.limit), fetched, note)

    def _check(self, request: SeriesRequest) -> None:
        parts = request.series.split("/")
        most = 2 if request.kind in ("history", "calendar") else 1
        if len(parts) > most or not all(_NAME.fullmatch(part) and part not in (".", "..") for part in parts):
            raise Invalid("series", _FORMS[request.kind])
        if request.kind != "bars" and request.interval != "daily":
            raise Invalid("interval", "is for bars")
        if request.kind != "calendar" and request.as_of is not None:
            raise Invalid("as_of", "is for the calendar; of nothing else is said when it became known")
        for field in ("start", "end"):
            if request.kind in ("indicators", "quote") and getattr(request, field) is not None:
                raise Invalid(field, f"is not for the kind {request.kind}")

    async def _get(
        self, path: str, decode: Callable[[Answer], pl.DataFrame], fresh_seconds: float | None, **dates: str
    ) -> Fetched[pl.DataFrame]:
        return await self.http.get(
            path, {"f": "json", **dates}, decode=decode, secrets={"c": self.key}, fresh_seconds=fresh_seconds
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self.http.now_ns() // 1_000_000_000, UTC).date()


def paths(request: SeriesRequest, today: date) -> list[tuple[str, dict[str, str]]]:
    """The address of each request that is needed, with its dates where they are parameters; oldest first.

    Raises Invalid where the calendar would take more than 40 requests.
    """
    names = [quote(part.strip(), safe=":") for part in request.series.split("/")]
    start, end = request.start, request.end
    match request.kind:
        case "calendar":
            country = "All" if names[0].lower() == "all" else names[0]
            path = f"/calendar/country/{country}" + (f"/indicator/{names[1]}" if len(names) == 2 else "")
            return [(path + stretch, {}) for stretch in _stretches(start, end, today)]
        case "history" if len(names) == 2:
            dates = f"/{start or FIRST_DAY}/{end or today}" if start or end else ""
            return [(f"/historical/country/{names[0]}/indicator/{names[1]}{dates}", {})]
        case "history":
            return [(f"/historical/ticker/{names[0]}" + (f"/{start}" if start else ""), {})]
        case "indicators":
            return [(f"/country/{names[0]}", {})]
        case "quote":
            return [(f"/markets/symbol/{names[0]}", {})]
        case _:
            kind = "historical" if request.interval == "daily" else "intraday"
            dates_asked = {"d1": str(start or FIRST_DAY), "d2": str(end or today)} if start or end else {}
            return [(f"/markets/{kind}/{names[0]}", dates_asked)]


def _stretches(start: date | None, end: date | None, today: date) -> list[str]:
    """Stretches of the calendar, as parts of an address; one empty one where no day is asked for."""
    if start is None and end is None:
        return [""]
    last = end or max(today, start or today) + timedelta(days=AHEAD_DAYS)
    first = start or min(today, last)
    step = timedelta(days=CALENDAR_DAYS)
    count = (last - first).days // CALENDAR_DAYS + 1
    if count > MOST_PAGES:
        raise Invalid("start", f"must leave at most {MOST_PAGES * CALENDAR_DAYS} days of the calendar")
    begins = [first + number * step for number in range(count)]
    return [f"/{begin}/{min(begin + step - timedelta(days=1), last)}" for begin in begins]


def _between(frame: pl.DataFrame, request: SeriesRequest) -> pl.DataFrame:
    """Rows of the days that were asked for, in UTC where they have an instant, and known by then."""
    day = pl.col("time").dt.date() if "time" in frame.columns else pl.col("period_end")
    if request.as_of is not None:
        frame = frame.filter(pl.col("available_at") <= request.as_of)
    if request.start is not None:
        frame = frame.filter(day >= request.start)
    if request.end is not None:
        frame = frame.filter(day <= request.end)
    return frame

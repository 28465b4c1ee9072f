"""FRED and ALFRED of the Federal Reserve Bank of St. Louis: economic series with every value they ever had.

FRED dates a value by the first day of its period, except that weeks are dated by their last day; tables say both days.
`available_at` and `valid_until` are FRED's real-time period. Without `as_of` and `vintages` FRED states only that a
value is the one of today, so `available_at` is then today's date as FRED gives it.
"""

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, ClassVar

import msgspec

from nautilus.engines.marketdata.sources.answers import json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.client import Reply
from nautilus.engines.marketdata.sources.columns import days, instants, numbers
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceRefused, SourceThrottled
from nautilus.engines.marketdata.sources.http import Params
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid, NautilusError, NotFound

if TYPE_CHECKING:
    import polars as pl

FIRST_DAY, LAST_DAY = "1776-07-04", "9999-12-31"
"""The real-time period that holds every vintage, in FRED's own words."""
PAGE_ROWS = 100_000
MOST_PAGES = 20
MONTHS = {"M": 1, "Q": 3, "SA": 6, "A": 12}
"""Months of a period that is dated by its first day."""
DAYS = {"W": 7, "BW": 14}
"""Days of a period that is dated by its last day."""


class _Error(msgspec.Struct):
    error_code: int = 0
    error_message: str = ""


class _Observation(msgspec.Struct, gc=False):
    realtime_start: str
    realtime_end: str
    date: str
    value: str


class _Observations(_Error):
    count: int | None = None
    observations: list[_Observation] = []


class _Description(msgspec.Struct):
    id: str
    title: str
    observation_start: str
    observation_end: str
    frequency_short: str
    units: str
    seasonal_adjustment: str = ""
    last_updated: str = ""
    popularity: int = 0


class _Descriptions(_Error):
    seriess: list[_Description] | None = None


class _Page(msgspec.Struct, frozen=True):
    frame: "pl.DataFrame"
    count: int


class Fred(Source):
    """Series by FRED's identifiers, such as GDP, CPILFESL or DGS10."""

    name: ClassVar[str] = "fred"
    title: ClassVar[str] = "FRED, Federal Reserve Bank of St. Louis"
    host: ClassVar[str] = "https://api.stlouisfed.org"
    capabilities: ClassVar[Capabilities] = Capabilities(
        kinds=("observations",), point_in_time=True, vintages=True, key="required"
    )
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(120, 60.0),)
    fresh_seconds: ClassVar[float] = 1800.0
    key_variable: ClassVar[str] = "FRED_API_KEY"

    async def find(self, query: str, limit: int) -> SourceTable:
        """Series whose description has the words, the best first."""
        fetched = await self._get(
            "/fred/series/search", {"search_text": query, "limit": limit, "file_type": "json"}, self._descriptions
        )
        return self.table(fetched.value.head(limit), [fetched])

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Observations: of today, of a day in the past, or all vintages."""
        described = await self._get(
            "/fred/series", {"series_id": request.series, "file_type": "json"}, self._descriptions
        )
        if described.value.is_empty():
            raise NotFound("series of fred", request.series)
        note = ""
        try:
            pages = await self._pages(request, FIRST_DAY)
        except Invalid as error:
            if request.as_of is None or error.field != "vintages":
                raise
            pages = await self._pages(request, request.as_of.isoformat())
            note = "too many vintages to say since when each value was known: available_at is the day asked for"
        frame = self._joined([page.value.frame for page in pages], described.value, request)
        if frame.height > request.limit:
            note = f"the newest {request.limit} of {frame.height} rows"
        return self.table(frame.tail(request.limit), pages, note, [described])

    async def _pages(self, request: SeriesRequest, known_since: str) -> list[Fetched[_Page]]:
        pages: list[Fetched[_Page]] = []
        rows = 0
        while True:
            params = _parameters(request, known_since, rows)
            page = await self._get("/fred/series/observations", params, self._observations, request.max_age_seconds)
            pages.append(page)
            rows += page.value.frame.height
            if rows >= page.value.count or page.value.frame.is_empty():
                break
            if len(pages) == MOST_PAGES:
                raise Invalid("limit", f"{request.series} has {page.value.count} rows: ask for a shorter time")
        if rows != pages[0].value.count:
            raise SourceGarbled(self.name, f"announces {pages[0].value.count} rows and gives {rows}")
        return pages

    async def _get[T](
        self, path: str, params: Params, decode: Callable[[Answer], T], fresh_seconds: float | None = None
    ) -> Fetched[T]:
        return await self.http.get(
            path,
            params,
            decode=decode,
            secrets={"api_key": self.key},
            explain=self._explain,
            fresh_seconds=fresh_seconds,
        )

    # -- reading -------------------------------------------------------------------------------------------------

    def _explain(self, reply: Reply) -> NautilusError | None:
        if reply.status not in (400, 403, 429):
            return None
        try:
            error = msgspec.json.decode(reply.body, type=_Error)
        except msgspec.DecodeError:
            return None
        return self._meaning(error) if reply.status == 400 else None

    def _meaning(self, error: _Error) -> NautilusError:
        message = self.hide(error.error_message)
        if "api_key" in message:
            return SourceRefused(self.name, "does not accept the key")
        if "rate limit" in message.lower():
            return SourceThrottled(self.name, "answers that it is asked too often")
        if "does not exist" in message:
            return NotFound("such series of fred:", message)
        if "vintage date" in message:
            return Invalid("vintages", f"are more than fred gives at once: {message}")
        return Invalid("series", f"fred refuses it: {message}")

    def _observations(self, answer: Answer) -> _Page:
        import polars as pl

        document = json_of(self.name, answer, _Observations)
        if document.count is None:
            raise self._unexpected(document)
        rows = document.observations
        frame = pl.DataFrame(
            {
                "date": days(self.name, [row.date for row in rows]),
                "value": numbers(self.name, [row.value for row in rows]),
                "available_at": days(self.name, [row.realtime_start for row in rows]),
                "until": days(self.name, [row.realtime_end for row in rows]),
            }
        )
        return _Page(frame, document.count)

    def _descriptions(self, answer: Answer) -> "pl.DataFrame":
        import polars as pl

        document = json_of(self.name, answer, _Descriptions)
        if document.seriess is None:
            raise self._unexpected(document)
        rows = document.seriess
        return pl.DataFrame(
            {
                "series": pl.Series([row.id for row in rows], dtype=pl.String),
                "title": pl.Series([row.title for row in rows], dtype=pl.String),
                "unit": pl.Series([row.units for row in rows], dtype=pl.String),
                "frequency": pl.Series([row.frequency_short for row in rows], dtype=pl.String),
                "seasonal_adjustment": pl.Series([row.seasonal_adjustment for row in rows], dtype=pl.String),
                "period_start": days(self.name, [row.observation_start for row in rows]),
                "period_end": days(self.name, [row.observation_end for row in rows]),
                "updated_at": instants(self.name, [row.last_updated for row in rows]),
                "popularity": pl.Series([row.popularity for row in rows], dtype=pl.Int64),
            }
        )

    def _unexpected(self, document: _Error) -> NautilusError:
        return self._meaning(document) if document.error_message else SourceGarbled(self.name, "answers without rows")

    def _joined(
        self, frames: "Sequence[pl.DataFrame]", described: "pl.DataFrame", request: SeriesRequest
    ) -> "pl.DataFrame":
        import polars as pl

        frame = pl.concat(frames)
        last = date.fromisoformat(LAST_DAY) if request.as_of is None else request.as_of
        if request.as_of is not None:
            frame = frame.filter(pl.col("available_at") <= last, pl.col("until") >= last)
        superseded = pl.col("until") < last if request.vintages else pl.lit(value=False)
        start, end = _period(described["frequency"][0])
        return frame.select(
            pl.lit(request.series).alias("series"),
            start.alias("period_start"),
            end.alias("period_end"),
            "value",
            pl.lit(described["unit"][0], dtype=pl.String).alias("unit"),
            "available_at",
            pl.when(superseded).then("until").alias("valid_until"),
        ).sort("period_end", "available_at")


def _parameters(request: SeriesRequest, known_since: str, offset: int) -> dict[str, str | int]:
    params: dict[str, str | int] = {"series_id": request.series, "file_type": "json", "limit": PAGE_ROWS}
    if request.start is not None:
        params["observation_start"] = request.start.isoformat()
    if request.end is not None:
        params["observation_end"] = request.end.isoformat()
    if request.vintages or request.as_of is not None:
        params["realtime_start"] = known_since
        params["realtime_end"] = LAST_DAY if request.as_of is None else request.as_of.isoformat()
    if offset:
        params["offset"] = offset
    return params


def _period(frequency: str) -> "tuple[pl.Expr, pl.Expr]":
    """First and last day of the periods of a frequency, from the column `date`."""
    import polars as pl

    day = pl.col("date")
    if frequency in DAYS:
        return day.dt.offset_by(f"-{DAYS[frequency] - 1}d"), day
    if frequency in MONTHS:
        return day, day.dt.offset_by(f"{MONTHS[frequency]}mo").dt.offset_by("-1d")
    return day, day

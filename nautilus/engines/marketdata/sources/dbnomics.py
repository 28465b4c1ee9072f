"""DBnomics, web API v22: series of statistical offices and central banks, and what there is of them.

A series is `provider/dataset/series`, a dataset `provider/dataset`. Observations come as lists of the same length;
a missing one is the text "NA". `period` is written in the provider's frequency and `period_start_day` is its first
day. DBnomics does not say when a value was published, only when it read it: `indexed_at`.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import polars as pl

from nautilus.engines.marketdata.sources.answers import date_of, json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import SourceGarbled
from nautilus.engines.marketdata.sources.http import Params
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid, NotFound

NAME = "dbnomics"
PAGE = 1000
"""Most documents that one request gives."""
MOST_PAGES = 100
MOST_SERIES = 50
"""Most series of one request."""
PERIODS = {
    r"\d{4}": "1y",
    r"\d{4}-S[12]": "6mo",
    r"\d{4}-Q[1-4]": "3mo",
    r"\d{4}-B[1-6]": "2mo",
    r"\d{4}-\d{2}": "1mo",
    r"\d{4}-W\d{2}": "1w",
    r"\d{4}-\d{2}-\d{2}": "1d",
}
"""How periods are written, and how long they are, as durations of Polars."""
_CODE = re.compile(r"[^/,?#\s\x00-\x1f]{1,100}")
_DEPTH = {"series": 3, "dataset": 2, "datasets": 1, "providers": 1}


class Page[T](msgspec.Struct, frozen=True):
    """A part of what there is: `num_found` documents in all, these from `offset` on."""

    docs: list[T]
    num_found: int
    limit: int
    offset: int


class SeriesDocument(msgspec.Struct, frozen=True, rename={"frequency": "@frequency"}):
    """One series, with its observations where they were asked for."""

    provider_code: str
    dataset_code: str
    series_code: str
    frequency: str | None = None
    series_name: str | None = None
    dataset_name: str | None = None
    indexed_at: str | None = None
    dimensions: dict[str, Any] = {}
    period: list[str] = []
    period_start_day: list[str] = []
    value: list[float | str | None] = []

    @property
    def series(self) -> str:
        """The name by which it is asked for."""
        return f"{self.provider_code}/{self.dataset_code}/{self.series_code}"


class Dataset(msgspec.Struct, frozen=True):
    """One dataset."""

    code: str
    provider_code: str = ""
    name: str | None = None
    nb_series: int | None = None
    nb_matching_series: int | None = None
    indexed_at: str | None = None


class Provider(msgspec.Struct, frozen=True):
    """One publisher of datasets."""

    code: str
    name: str | None = None
    region: str | None = None
    website: str | None = None
    terms_of_use: str | None = None


class Complaint(msgspec.Struct, frozen=True):
    """Why something that was asked for is not in the answer, whose status is 200 nevertheless."""

    message: str = ""


class SeriesBody(msgspec.Struct, frozen=True):
    """The body of /v22/series."""

    series: Page[SeriesDocument]
    errors: list[Complaint] | None = None


class DatasetsBody(msgspec.Struct, frozen=True):
    """The body of /v22/datasets."""

    datasets: Page[Dataset]


class ProvidersBody(msgspec.Struct, frozen=True):
    """The body of /v22/providers."""

    providers: Page[Provider]


class SearchBody(msgspec.Struct, frozen=True):
    """The body of /v22/search."""

    results: Page[Dataset]


def observations_frame(documents: list[SeriesDocument]) -> pl.DataFrame:
    """Observations by series and period. A missing value is null, and so is the end of a period of no known form.

    `unit` is what the dataset calls its unit, null where it has none. Raises SourceGarbled.
    """
    parts = [_observations(one) for one in documents]
    frame = pl.concat(parts) if parts else _observations(SeriesDocument("", "", ""))
    start = pl.col("period_start")
    end = pl.coalesce(
        pl.when(pl.col("period").str.contains(f"^{form}$")).then(start.dt.offset_by(span).dt.offset_by("-1d"))
        for form, span in PERIODS.items()
    )
    return frame.select(
        "series", "period", start, end.alias("period_end"), pl.exclude("series", "period", "period_start")
    )


def _observations(document: SeriesDocument) -> pl.DataFrame:
    rows = len(document.period)
    if len(document.period_start_day) != rows or len(document.value) != rows:
        raise SourceGarbled(NAME, f"answers with lists of different lengths for {document.series}")
    unit = document.dimensions.get("unit", document.dimensions.get("UNIT"))
    days = {day: date_of(NAME, day) for day in set(document.period_start_day)}
    return pl.DataFrame(
        [
            pl.Series("series", [document.series] * rows, pl.String),
            pl.Series("period", document.period, pl.String),
            pl.Series("period_start", [days[day] for day in document.period_start_day], pl.Date),
            pl.Series("available_at", [None] * rows, pl.Date),
            pl.Series("value", [_value(one) for one in document.value], pl.Float64),
            pl.Series("unit", [unit if isinstance(unit, str) else None] * rows, pl.String),
            pl.Series("frequency", [document.frequency] * rows, pl.String),
            pl.Series("title", [document.series_name] * rows, pl.String),
            pl.Series("indexed_at", [document.indexed_at] * rows, pl.String),
        ]
    ).with_columns(_instant("indexed_at"))


def _value(sent: float | str | None) -> float | None:
    if sent is None or sent == "NA":
        return None
    if isinstance(sent, str):
        raise SourceGarbled(NAME, f"answers with {sent[:40]!r} in place of a number")
    return float(sent)


def _instant(name: str) -> pl.Expr:
    """A time such as 2020-05-07T08:46:14.858Z, in UTC; null where it is none."""
    return pl.col(name).str.to_datetime("%+", time_unit="ns", time_zone="UTC", strict=False)


def listing_frame(documents: list[SeriesDocument]) -> pl.DataFrame:
    """The series of a dataset, without observations."""
    columns: dict[str, list[str | None]] = {
        "series": [one.series for one in documents],
        "title": [one.series_name for one in documents],
        "frequency": [one.frequency for one in documents],
        "indexed_at": [one.indexed_at for one in documents],
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)).with_columns(_instant("indexed_at"))


def datasets_frame(documents: list[Dataset], provider: str = "") -> pl.DataFrame:
    """Datasets: `series` is what to ask for with the kind "dataset", `series_count` how many series each has."""
    return pl.DataFrame(
        {
            "series": [f"{one.provider_code or provider}/{one.code}" for one in documents],
            "title": [one.name or one.code for one in documents],
            "series_count": [one.nb_series for one in documents],
            "matching_series": [one.nb_matching_series for one in documents],
            "indexed_at": [one.indexed_at for one in documents],
        },
        schema={
            "series": pl.String,
            "title": pl.String,
            "series_count": pl.Int64,
            "matching_series": pl.Int64,
            "indexed_at": pl.String,
        },
    ).with_columns(_instant("indexed_at"))


def providers_frame(documents: list[Provider]) -> pl.DataFrame:
    """Providers: `series` is what to ask for with the kind "datasets"."""
    columns: dict[str, list[str | None]] = {
        "series": [one.code for one in documents],
        "title": [one.name for one in documents],
        "region": [one.region for one in documents],
        "website": [one.website for one in documents],
        "terms_of_use": [one.terms_of_use for one in documents],
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def decode_series(answer: Answer, series: str) -> Page[SeriesDocument]:
    """A page of series. What is not there is no error to DBnomics, but NotFound to us."""
    body = json_of(NAME, answer, SeriesBody)
    wanted = series.split(",")
    if body.errors or (len(wanted) > 1 and body.series.num_found < len(set(wanted))):
        found = {one.series for one in body.series.docs}
        raise NotFound("series of dbnomics", next((one for one in wanted if one not in found), series))
    if body.series.num_found == 0:
        raise NotFound("series of dbnomics", series)
    observations_frame([one for one in body.series.docs if one.period])  # what cannot be a table is not believed
    return body.series


class DBnomics(Source):
    """DBnomics. Open to all; the limit is that of the earlier system."""

    name = NAME
    title = "DBnomics"
    host = "https://api.db.nomics.world"
    capabilities = Capabilities(kinds=("series", "dataset", "datasets", "providers"))
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(100, 60),)
    fresh_seconds = 3600.0

    async def find(self, query: str, limit: int) -> SourceTable:
        """Datasets whose words match; their series are fetched with the kind "dataset"."""

        def decode(answer: Answer) -> Page[Dataset]:
            return json_of(NAME, answer, SearchBody).results

        pages, note = await self._pages("/v22/search", {"q": query}, decode, limit, None)
        return self.table(datasets_frame(_documents(pages)).head(limit), pages, note)

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Observations of one series, or several joined by commas; or what a dataset, a provider or DBnomics has."""
        self._check(request)
        age = request.max_age_seconds
        match request.kind:
            case "series":
                return await self._load_series(request)
            case "dataset":
                path = f"/v22/series/{_quoted(request.series)}"
                listed, note = await self._pages(
                    path,
                    {"observations": "false", "metadata": "false", "facets": "false"},
                    lambda answer: decode_series(answer, request.series),
                    request.limit,
                    age,
                )
                return self.table(listing_frame(_documents(listed)).head(request.limit), listed, note)
            case "datasets":
                held, note = await self._pages(
                    f"/v22/datasets/{_quoted(request.series)}",
                    {},
                    lambda answer: json_of(NAME, answer, DatasetsBody).datasets,
                    request.limit,
                    age,
                )
                frame = datasets_frame(_documents(held), request.series).drop("matching_series")
                return self.table(frame.head(request.limit), held, note)
            case _:
                known, note = await self._pages(
                    "/v22/providers",
                    {},
                    lambda answer: json_of(NAME, answer, ProvidersBody).providers,
                    request.limit,
                    age,
                )
                return self.table(providers_frame(_documents(known)).head(request.limit), known, note)

    def _check(self, request: SeriesRequest) -> None:
        if request.kind == "providers":
            if request.series != "all":
                raise Invalid("series", 'must be "all" for the kind providers')
        else:
            names = request.series.split(",") if request.kind == "series" else [request.series]
            form = "/".join(("provider", "dataset", "series")[: _DEPTH[request.kind]])
            if len(names) > MOST_SERIES:
                raise Invalid("series", f"must be at most {MOST_SERIES} series")
            if not all(_is_code(name, _DEPTH[request.kind]) for name in names):
                raise Invalid("series", f"must be {form}")
        for field in ("start", "end"):
            if request.kind != "series" and getattr(request, field) is not None:
                raise Invalid(field, f"is not for the kind {request.kind}")

    async def _load_series(self, request: SeriesRequest) -> SourceTable:
        params: Params = {"series_ids": request.series, "observations": "true", "metadata": "false"}
        pages, note = await self._pages(
            "/v22/series", params, lambda answer: decode_series(answer, request.series), PAGE, request.max_age_seconds
        )
        frame = observations_frame(_documents(pages))
        last = pl.coalesce("period_end", "period_start")
        if request.start is not None:
            frame = frame.filter(last >= request.start)
        if request.end is not None:
            frame = frame.filter(pl.col("period_start") <= request.end)
        if frame.height > request.limit:
            note = f"the first {request.limit} of {frame.height} rows"
        return self.table(frame.head(request.limit), pages, note)

    async def _pages[T](
        self,
        path: str,
        params: Params,
        decode: Callable[[Answer], Page[T]],
        limit: int,
        fresh_seconds: float | None,
    ) -> tuple[list[Fetched[Page[T]]], str]:
        """Pages until there are `limit` documents or no more; and a note where there are more than that."""
        fetched: list[Fetched[Page[T]]] = []
        offset = 0
        while True:
            window = {"limit": min(PAGE, limit), "offset": offset}
            page = await self.http.get(path, {**params, **window}, decode=decode, fresh_seconds=fresh_seconds)
            fetched.append(page)
            found = page.value.num_found
            if page.value.offset != offset:
                raise SourceGarbled(NAME, f"answers with the page at {page.value.offset} in place of that at {offset}")
            offset += len(page.value.docs)
            if offset >= min(found, limit):
                break
            if not page.value.docs or len(fetched) >= MOST_PAGES:
                return fetched, f"DBnomics gave {offset} of {found}"
        return fetched, f"the first {limit} of {found}" if found > limit else ""


def _documents[T](pages: list[Fetched[Page[T]]]) -> list[T]:
    return [document for page in pages for document in page.value.docs]


def _is_code(text: str, depth: int) -> bool:
    codes = text.split("/")
    return len(codes) == depth and all(_CODE.fullmatch(code) and code not in (".", "..") for code in codes)


def _quoted(series: str) -> str:
    return "/".join(quote(code, safe="") for code in series.split("/"))

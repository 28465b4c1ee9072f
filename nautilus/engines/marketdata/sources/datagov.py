"""Data.gov, the catalog of data that American authorities publish (API v4, not CKAN): datasets and their files.

A series is a query of words, as in a search; the catalog holds descriptions and addresses, not the data themselves.
"""

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from nautilus.engines.marketdata.sources.answers import json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceThrottled
from nautilus.engines.marketdata.sources.http import Params
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

PAGE_ROWS = 100
MOST_PAGES = 20


class _Organization(msgspec.Struct):
    name: str = ""
    slug: str = ""


class _Result(msgspec.Struct, rename={"access_level": "accessLevel", "landing_page": "landingPage"}):
    title: str
    slug: str = ""
    description: str | None = None
    publisher: str | None = None
    identifier: str | None = None
    keyword: list[str] | None = None
    organization: _Organization | None = None
    popularity: int | None = None
    last_harvested_date: str | None = None
    access_level: str | None = None
    landing_page: str | None = None
    dcat: dict[str, Any] = {}


class _Document(msgspec.Struct):
    results: list[_Result] | None = None
    after: str | None = None
    error: Any = None


class _Page(msgspec.Struct, frozen=True):
    datasets: "pl.DataFrame"
    distributions: "pl.DataFrame"
    after: str | None


class DataGov(Source):
    """Datasets, or the files of datasets, by the words of a query."""

    name: ClassVar[str] = "datagov"
    title: ClassVar[str] = "Data.gov"
    host: ClassVar[str] = "https://api.gsa.gov"
    capabilities: ClassVar[Capabilities] = Capabilities(kinds=("datasets", "distributions"), key="required")
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(1000, 3600.0, burst=50),)
    fresh_seconds: ClassVar[float] = 1800.0
    key_variable: ClassVar[str] = "DATA_GOV_API_KEY"

    async def find(self, query: str, limit: int) -> SourceTable:
        """Datasets, the most relevant first."""
        return await self._datasets(query, limit, "datasets", None)

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Datasets that match, or their files; the most relevant datasets first."""
        if request.start is not None or request.end is not None:
            raise Invalid("start" if request.start is not None else "end", "is not for entries of a catalog")
        return await self._datasets(request.series, request.limit, request.kind, request.max_age_seconds)

    async def _datasets(self, query: str, limit: int, kind: str, fresh_seconds: float | None) -> SourceTable:
        import polars as pl

        pages: list[Fetched[_Page]] = []
        frames: list[pl.DataFrame] = []
        cursor: str | None = ""
        while cursor is not None and len(pages) < MOST_PAGES and sum(frame.height for frame in frames) < limit:
            page = await self._page(query, min(limit, PAGE_ROWS), cursor, fresh_seconds)
            if page.value.after == cursor:
                raise SourceGarbled(self.name, "gives the same page for ever")
            pages.append(page)
            frames.append(page.value.datasets if kind == "datasets" else page.value.distributions)
            cursor = page.value.after
        frame = pl.concat(frames)
        more = cursor is not None or frame.height > limit
        return self.table(frame.head(limit), pages, f"the first {min(limit, frame.height)}; there are more" * more)

    async def _page(self, query: str, rows: int, cursor: str, fresh_seconds: float | None) -> Fetched[_Page]:
        params: Params = {"q": query, "per_page": rows, **({"after": cursor} if cursor else {})}
        return await self.http.get(
            "/technology/datagov/v4/search",
            params,
            decode=self._read,
            headers={"x-api-key": self.key},
            fresh_seconds=fresh_seconds,
        )

    def _read(self, answer: Answer) -> _Page:
        document = json_of(self.name, answer, _Document)
        if document.results is None:
            if isinstance(document.error, dict) and document.error.get("code") == "OVER_RATE_LIMIT":
                raise SourceThrottled(self.name, "is asked too often")
            raise SourceGarbled(self.name, f"answers with no results: {self.hide(str(document.error))}")
        rows = document.results
        return _Page(_datasets_frame(rows), _distributions_frame(rows), document.after or None)


def _datasets_frame(rows: list[_Result]) -> "pl.DataFrame":
    import polars as pl

    def text(values: list[Any]) -> "pl.Series":
        return pl.Series([value if isinstance(value, str) else None for value in values], dtype=pl.String)

    organizations = [row.organization or _Organization() for row in rows]
    modified = text([row.dcat.get("modified") for row in rows])
    harvested = text([row.last_harvested_date for row in rows])
    return pl.DataFrame(
        {
            "series": text([row.slug for row in rows]),
            "title": text([row.title for row in rows]),
            "description": text([row.description for row in rows]),
            "publisher": text([row.publisher for row in rows]),
            "organization": text([organization.slug for organization in organizations]),
            "identifier": text([row.identifier for row in rows]),
            "keywords": pl.Series([row.keyword or [] for row in rows], dtype=pl.List(pl.String)),
            # free text by the standard: dates as a rule, sometimes repeating intervals such as R/P1D
            "modified": modified.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
            "temporal": text([row.dcat.get("temporal") for row in rows]),
            "license": text([row.dcat.get("license") for row in rows]),
            "access_level": text([row.access_level or row.dcat.get("accessLevel") for row in rows]),
            "landing_page": text([row.landing_page or row.dcat.get("landingPage") for row in rows]),
            "harvested_at": harvested.str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.f", time_unit="ns", strict=False
            ).dt.replace_time_zone("UTC"),
            "popularity": pl.Series([row.popularity for row in rows], dtype=pl.Int64),
        }
    )


def _distributions_frame(rows: list[_Result]) -> "pl.DataFrame":
    import polars as pl

    listed = ((row, row.dcat.get("distribution")) for row in rows)
    files = [
        (row, file) for row, found in listed if isinstance(found, list) for file in found if isinstance(file, dict)
    ]

    def text(*names: str) -> "pl.Series":
        found = [next((file[name] for name in names if isinstance(file.get(name), str)), None) for _, file in files]
        return pl.Series(found, dtype=pl.String)

    return pl.DataFrame(
        {
            "series": pl.Series([row.slug for row, _ in files], dtype=pl.String),
            "dataset": pl.Series([row.title for row, _ in files], dtype=pl.String),
            "title": text("title"),
            "media_type": text("mediaType", "format"),
            "address": text("downloadURL", "accessURL"),
        }
    )

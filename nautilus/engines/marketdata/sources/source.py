"""One interface of every source of data: what it can do, whether it is configured, search, and fetch to a typed table.

An adapter subclasses `Source`, declares its `capabilities` and `host`, and implements `find` and `load` with
`self.http.get`, which waits for the rate limit, retries, caches, and answers from the cache while the source is down.

Columns have the same meaning in all tables:

- `period_start`, `period_end` (Date): the first and last day that a value is about.
- `time` (Datetime, ns, UTC): the instant that a bar begins or an observation was made, where days are too coarse.
- `available_at` (Date): the day on which the value became public, so it is usable from the next day on; null where
  the source does not say. `valid_until` (Date): the last day on which it stood, null where it still does.
- `value` (Float64) in `unit` (String), as the source states it; a missing value is null, never NaN or zero.
- `source` (String) and `retrieved_at` (Int64, ns UTC), added by `Source.table`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.marketdata.sources.errors import SourceUnconfigured
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable, combine
from nautilus.engines.marketdata.sources.settings import SourceSettings
from nautilus.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

    from nautilus.engines.marketdata.sources.http import SourceHttp
    from nautilus.engines.marketdata.sources.rate_limit import RateLimit

SEARCH_LIMIT = 1000
ROWS_LIMIT = 1_000_000


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a source can do. `kinds` are what `fetch` gives, the first by default; none where it can only search."""

    kinds: tuple[str, ...]
    search: bool = True
    point_in_time: bool = False
    """Whether rows say when they became known (`available_at`), so that `as_of` can be asked for."""
    vintages: bool = False
    """Whether superseded values can be asked for as well."""
    intervals: tuple[str, ...] = ()
    """What `SeriesRequest.interval` may be, the first by default; none where a series has one of its own."""
    key: Literal["required", "optional", "none"] = "none"


class SeriesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a source; `series` is written as the source writes it. Raises Invalid for contradictions.

    >>> SeriesRequest(series="GDP", as_of=date(2020, 1, 1)).as_of
    datetime.date(2020, 1, 1)
    """

    series: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Annotated[str, Meta(max_length=40)] = ""
    interval: Annotated[str, Meta(max_length=20)] = ""
    start: date | None = None
    """First day that values are wanted for."""
    end: date | None = None
    """Last day that values are wanted for."""
    as_of: date | None = None
    """Values as they were known at the end of this day."""
    vintages: bool = False
    """Also values that were superseded since."""
    limit: Annotated[int, Meta(ge=1, le=ROWS_LIMIT)] = 100_000
    """Most rows; where there are more, the note of the provenance says so."""
    max_age_seconds: Annotated[float, Meta(ge=0, le=31_536_000)] | None = None
    """Oldest answer that may come out of the cache; None takes what is configured for the source."""

    def __post_init__(self) -> None:
        if any(not character.isprintable() for character in self.series) or not self.series.strip():
            raise Invalid("series", "must be printable and not blank")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise Invalid("start", "must not be after end")
        if self.vintages and self.as_of is not None:
            raise Invalid("as_of", "and vintages cannot both be asked for")


class SourceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What engines ask on the bus, by `bus.request("marketdata.series", ...)`; the answer is a `SourceTable`."""

    source: str
    request: SeriesRequest


class Source(ABC):
    """One publisher of data. `search` and `fetch` are what others call; an adapter implements `find` and `load`."""

    name: ClassVar[str]
    title: ClassVar[str]
    host: ClassVar[str]
    """Address in front of every path, such as "https://api.stlouisfed.org"; `settings.base_url` replaces it."""
    capabilities: ClassVar[Capabilities]
    rate_limits: "ClassVar[tuple[RateLimit, ...]]"
    """All of them hold at once."""
    fresh_seconds: ClassVar[float]
    """How long an answer is taken from the cache, where nothing else is configured."""
    key_variable: ClassVar[str] = ""
    """Variable of the environment that holds the key, where it is not configured."""
    contact_variable: ClassVar[str] = ""
    """Variable of the environment that holds `settings.contact`, where it is not configured."""

    def __init__(self, settings: SourceSettings, http: "SourceHttp") -> None:
        self.settings = settings
        self.http = http

    @property
    def key(self) -> str:
        """The key, empty where there is none. Goes into `secrets` or `headers` of `http.get` and nowhere else."""
        return self.settings.key

    def hide(self, text: str) -> str:
        """A text of the source without the key, should it repeat it, and not too long to be shown."""
        shown = " ".join(text.split())[:200]
        return shown.replace(self.key, "***") if self.key else shown

    def unconfigured(self) -> str:
        """What is missing before the source can be asked, empty when nothing is."""
        if self.capabilities.key == "required" and not self.key:
            return f"no key: set {self.key_variable} or engines.marketdata.sources.{self.name}.key"
        if not self.key.isascii() or any(character.isspace() for character in self.key):
            return "the key holds characters that no key has"
        return ""

    async def search(self, query: str, limit: int = 20) -> SourceTable:
        """Series that match some words: at least `series` and `title` (String).

        Raises Invalid, SourceUnconfigured, and SourceUnavailable where neither the source nor the cache has an answer.
        """
        self._require_configured()
        if not self.capabilities.search:
            raise Invalid("source", f"{self.name} cannot be searched")
        if not query.strip() or len(query) > 200 or not query.isprintable():
            raise Invalid("query", "must be 1 to 200 printable characters")
        if not 1 <= limit <= SEARCH_LIMIT:
            raise Invalid("limit", f"must be 1 to {SEARCH_LIMIT}")
        return await self.find(query.strip(), limit)

    async def fetch(self, request: SeriesRequest) -> SourceTable:
        """The rows of a series.

        Raises Invalid, NotFound, SourceUnconfigured, and SourceUnavailable where neither the source nor the cache has
        an answer.
        """
        self._require_configured()
        return await self.load(self._completed(request))

    @abstractmethod
    async def find(self, query: str, limit: int) -> SourceTable:
        """Search; the arguments have been checked."""

    @abstractmethod
    async def load(self, request: SeriesRequest) -> SourceTable:
        """Fetch; `kind` and `interval` are among what the capabilities name."""

    def table(
        self,
        frame: "pl.DataFrame",
        fetched: Iterable[Fetched[object]],
        note: str = "",
        lookups: Iterable[Fetched[object]] = (),
    ) -> SourceTable:
        """The answer made of some fetched documents, and of `lookups` that only helped to ask for them or to read."""
        import polars as pl

        provenance = combine(self.name, fetched, self.http.now_ns(), note, lookups)
        origin = (
            pl.lit(self.name, dtype=pl.String).alias("source"),
            pl.lit(provenance.retrieved_at, dtype=pl.Int64).alias("retrieved_at"),
        )
        numbers = [pl.col(name) for name, kind in frame.schema.items() if kind.is_float()]
        finite = [pl.when(number.is_finite()).then(number) for number in numbers]
        return SourceTable(frame.with_columns(*finite, *origin), provenance)

    def _require_configured(self) -> None:
        if reason := self.unconfigured():
            raise SourceUnconfigured(f"{self.name} is unconfigured: {reason}")

    def _completed(self, request: SeriesRequest) -> SeriesRequest:
        able = self.capabilities
        if request.as_of is not None and not able.point_in_time:
            raise Invalid("as_of", f"{self.name} does not say when its values became known")
        if request.vintages and not able.vintages:
            raise Invalid("vintages", f"{self.name} keeps no superseded values")
        return msgspec.structs.replace(
            request,
            kind=_choice("kind", request.kind, able.kinds),
            interval=_choice("interval", request.interval, able.intervals),
        )


def _choice(field: str, wanted: str, allowed: Sequence[str]) -> str:
    if not wanted:
        return allowed[0] if allowed else ""
    if wanted not in allowed:
        raise Invalid(field, f"must be one of {', '.join(allowed)}" if allowed else "is not for this source")
    return wanted

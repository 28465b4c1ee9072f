"""HTTP of the sources of data: what there is, search, and series, each with its provenance."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from nautilus.engines.marketdata.source_models import KeptStatus, SourceRows, SourcesStatus, SourceStatus
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.engines.operation import Operation, get

if TYPE_CHECKING:
    from nautilus.engines.marketdata.engine import MarketDataEngine
    from nautilus.engines.marketdata.sources.hub import SourceHub
    from nautilus.engines.marketdata.sources.keeper import Kept
    from nautilus.engines.marketdata.sources.provenance import SourceTable

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Choice = Annotated[str, Meta(max_length=40)]
Rows = Annotated[int, Meta(ge=1, le=10_000)]
Hits = Annotated[int, Meta(ge=1, le=1000)]
Age = Annotated[float, Meta(ge=0, le=31_536_000)]


def source_routes(engine: "MarketDataEngine") -> list[Operation]:
    """The operations below /marketdata/sources."""
    hub = engine.sources

    async def sources() -> SourcesStatus:
        """Every source of data: what it can do and how it is; and the series that are kept fresh."""
        return SourcesStatus(
            sources=[source_status(hub, name) for name in hub.names],
            cached_answers=len(hub.cache),
            cached_bytes=hub.cache.bytes_held,
            evicted_answers=hub.cache.evicted,
            kept=[_kept_status(one) for one in engine.keeper.kept],
        )

    async def source(source: str) -> SourceStatus:
        """One source of data."""
        return source_status(hub, source)

    async def search(source: str, query: Text, limit: Hits = 20) -> SourceRows:
        """Series of a source that match some words."""
        return await engine.accel.run(source_rows, await hub.search(source, query, limit))

    async def series(
        source: str,
        series: Text,
        kind: Choice = "",
        interval: Annotated[str, Meta(max_length=20)] = "",
        start: date | None = None,
        end: date | None = None,
        as_of: date | None = None,
        vintages: bool = False,
        limit: Rows = 1000,
        max_age_seconds: Age | None = None,
    ) -> SourceRows:
        """The newest rows of a series, from the source or the cache, as they are known now or were known on a day."""
        request = SeriesRequest(
            series=series,
            kind=kind,
            interval=interval,
            start=start,
            end=end,
            as_of=as_of,
            vintages=vintages,
            limit=limit,
            max_age_seconds=max_age_seconds,
        )
        return await engine.accel.run(source_rows, await hub.fetch(source, request))

    return [
        get("/sources", sources),
        get("/sources/{source}", source),
        get("/sources/{source}/search", search),
        get("/sources/{source}/series", series),
    ]


def source_status(hub: "SourceHub", name: str) -> SourceStatus:
    """One source and what became of its requests; raises NotFound."""
    source = hub.source(name)
    http = source.http
    counts = http.counts
    missing = source.unconfigured()
    state: Literal["ready", "unconfigured", "disabled", "failing"] = (
        "disabled"
        if not source.settings.enabled
        else "unconfigured"
        if missing
        else "failing"
        if counts.last_failure
        else "ready"
    )
    return SourceStatus(
        source=name,
        title=source.title,
        state=state,
        reason=missing or counts.last_failure,
        capabilities=source.capabilities,
        rate_limits=source.rate_limits,
        wait_seconds=http.limiter.wait_seconds(),
        fresh_seconds=http.fresh_seconds,
        requests=counts.requests,
        retries=counts.retries,
        failures=counts.failures,
        cached=counts.cached,
        joined=counts.joined,
        stale=counts.stale,
        throttled=http.limiter.waited + http.limiter.refused,
        last_success_ns=counts.last_success_ns or None,
    )


def source_rows(table: "SourceTable") -> SourceRows:
    """A table as columns; what every row would repeat stands once, in the provenance."""
    import polars as pl

    frame = table.frame.drop("source", "retrieved_at")
    plain = frame.with_columns(
        pl.col(name).dt.epoch("ns") if isinstance(kind, pl.Datetime) else pl.col(name).dt.to_string("%Y-%m-%d")
        for name, kind in frame.schema.items()
        if kind.is_temporal()
    )
    return SourceRows(
        provenance=table.provenance,
        rows=frame.height,
        types={name: str(kind) for name, kind in frame.schema.items()},
        columns=plain.to_dict(as_series=False),
    )


def _kept_status(one: "Kept") -> KeptStatus:
    return KeptStatus(
        source=one.series.source,
        series=one.series.series,
        kind=one.series.kind,
        every_seconds=one.series.every_seconds,
        retrieved_at=one.last_ns or None,
        refreshed=one.refreshed,
        skipped=one.skipped,
        failure=one.failure,
    )

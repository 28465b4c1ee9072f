"""Answers about sources of data: what they can do, how they are, and their tables as columns."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.engines.marketdata.sources.provenance import Provenance
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities

Cell = str | int | float | bool | list[str] | None


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One source. `state` says whether it can be asked; `reason` why not, or why the last question failed."""

    source: str
    title: str
    state: Literal["ready", "unconfigured", "disabled", "failing"]
    reason: str
    capabilities: Capabilities
    rate_limits: tuple[RateLimit, ...]
    wait_seconds: Annotated[float, Meta(description="How long a request that came now would wait for its turn.")]
    fresh_seconds: Annotated[float, Meta(description="How long an answer is taken from the cache.")]
    requests: int
    retries: int
    failures: int
    cached: int
    joined: int
    stale: int
    throttled: Annotated[int, Meta(description="Requests that waited for the rate limit, or were refused by it.")]
    last_success_ns: int | None


class KeptStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A series that is kept fresh; `retrieved_at` is when the values at hand left the source, ns UTC."""

    source: str
    series: str
    kind: str
    every_seconds: float
    retrieved_at: int | None
    refreshed: int
    skipped: int
    failure: str


class SourcesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All sources, the cache they share, and what is kept fresh."""

    sources: list[SourceStatus]
    cached_answers: int
    cached_bytes: int
    evicted_answers: int
    kept: list[KeptStatus]


class SourceRows(msgspec.Struct, frozen=True, kw_only=True):
    """A table of a source as columns. Days are written 2024-01-31; instants are ns UTC; a missing value is null."""

    provenance: Provenance
    rows: int
    types: dict[str, str]
    columns: dict[str, list[Cell]]

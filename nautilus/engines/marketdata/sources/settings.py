"""What can be configured of sources: keys, addresses, freshness, time-outs, and which series are kept fresh."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nautilus.errors import Invalid

HIDDEN = "***"


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source. The key shows in no representation, log or report."""

    enabled: Annotated[bool, Meta(description="Offer this source.")] = True
    key: Annotated[
        str,
        Meta(
            max_length=500,
            description="Key of the source's API; better given in the environment.",
            extra={"secret": True},
        ),
    ] = ""
    contact: Annotated[
        str, Meta(max_length=200, description="Name and e-mail address that SEC EDGAR wants to see in each request.")
    ] = ""
    base_url: Annotated[
        str,
        Meta(pattern=r"^(https?://[^\s?#@]+)?$", description="Address in place of the source's own, as of a proxy."),
    ] = ""
    fresh_seconds: (
        Annotated[float, Meta(ge=0, le=31_536_000, description="How long an answer is taken from the cache.")] | None
    ) = None

    def __repr__(self) -> str:
        shown = (
            f"{name}={HIDDEN if name == 'key' and value else value!r}"
            for name, value in msgspec.structs.asdict(self).items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class RequestBounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request to a source is bounded by; the same for all."""

    timeout_seconds: Annotated[
        float, Meta(gt=0, le=600, description="Longest wait for a connection, and for the next part of an answer.")
    ] = 15.0
    total_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Longest time for an answer with all attempts and waits.")
    ] = 60.0
    patience_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="Longest wait for a turn under the rate limit, or for another attempt.")
    ] = 30.0
    attempts: Annotated[int, Meta(ge=1, le=20, description="Most times that one question is asked.")] = 4
    backoff_seconds: Annotated[
        float, Meta(ge=0, le=600, description="Pause before the second attempt; it doubles with each.")
    ] = 0.5
    backoff_cap_seconds: Annotated[float, Meta(ge=0, le=3600, description="Longest such pause.")] = 20.0
    pause_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long a source that failed is left alone; cached answers serve.")
    ] = 15.0
    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="Largest answer that is read.")] = 67_108_864
    concurrent: Annotated[int, Meta(ge=1, le=64, description="Questions that a source is asked at once.")] = 2
    waiting: Annotated[int, Meta(ge=1, le=10_000, description="Questions that may wait for one source.")] = 64


class KeptSeries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series that is asked for again and again, so that an answer is always at hand."""

    source: Annotated[str, Meta(min_length=1, max_length=40)]
    series: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Annotated[str, Meta(max_length=40)] = ""
    interval: Annotated[str, Meta(max_length=20)] = ""
    every_seconds: Annotated[float, Meta(ge=1, le=31_536_000)] = 3600.0


class SourcesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sources, what bounds their requests, the cache they share, and what is kept fresh."""

    requests: RequestBounds = RequestBounds()
    cache_bytes: Annotated[
        int, Meta(ge=0, le=1 << 40, description="Most bytes of answers kept; the one unused for longest goes first.")
    ] = 134_217_728
    keep: Annotated[
        tuple[KeptSeries, ...],
        Meta(max_length=1000, description="Series kept fresh: source, series, kind, interval, every_seconds."),
    ] = ()
    alpha_vantage: SourceSettings = SourceSettings()
    datagov: SourceSettings = SourceSettings()
    dbnomics: SourceSettings = SourceSettings()
    edgar: SourceSettings = SourceSettings()
    fred: SourceSettings = SourceSettings()
    trading_economics: SourceSettings = SourceSettings()
    yahoo: SourceSettings = SourceSettings()

    def __post_init__(self) -> None:
        for kept in self.keep:
            if not isinstance(getattr(self, kept.source, None), SourceSettings):
                raise Invalid("keep", f"there is no source {kept.source!r}")

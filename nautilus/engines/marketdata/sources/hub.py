"""The one place from which sources are asked: one connection pool, one cache, one rate limit for each source."""

import os
from collections.abc import Mapping

import msgspec

from nautilus.clock import Clock
from nautilus.engines.marketdata.sources.cache import AnswerCache
from nautilus.engines.marketdata.sources.client import HttpClient
from nautilus.engines.marketdata.sources.http import Run, SourceHttp
from nautilus.engines.marketdata.sources.provenance import SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimiter
from nautilus.engines.marketdata.sources.registry import SOURCES, source_type
from nautilus.engines.marketdata.sources.settings import SourcesConfig, SourceSettings
from nautilus.engines.marketdata.sources.source import SeriesRequest, Source, SourceQuery
from nautilus.errors import Conflict, NotFound, Unavailable


class SourceHub:
    """All sources, each made when it is first asked for. Between `open` and `close` they can be asked."""

    def __init__(
        self, config: SourcesConfig, clock: Clock, run: Run, environment: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        self.cache = AnswerCache(config.cache_bytes)
        self._clock = clock
        self._run = run
        self._environment = os.environ if environment is None else environment
        self._client = HttpClient(config.requests)
        self._sources: dict[str, Source] = {}
        self._open = False

    @property
    def names(self) -> list[str]:
        """Names of all sources, also of those that are disabled or unconfigured."""
        return sorted(SOURCES)

    def open(self) -> None:
        """From now on sources can be asked."""
        self._open = True

    async def close(self) -> None:
        """Give up what is under way and close all connections; the cache stays."""
        self._open = False
        sources, self._sources = self._sources, {}
        for source in sources.values():
            await source.http.close()
        await self._client.close()

    def source(self, name: str) -> Source:
        """One source, enabled or not; raises NotFound, and Unavailable while the hub is closed."""
        if name not in SOURCES:
            raise NotFound("source", name)
        if not self._open:
            raise Unavailable("sources cannot be asked: the engine is not running")
        if name not in self._sources:
            self._sources[name] = self._make(name)
        return self._sources[name]

    async def fetch(self, name: str, request: SeriesRequest) -> SourceTable:
        """The rows of a series; raises what `Source.fetch` raises, NotFound, and Conflict for a disabled source."""
        return await self._enabled(name).fetch(request)

    async def search(self, name: str, query: str, limit: int) -> SourceTable:
        """Series that match some words; raises as `fetch` does."""
        return await self._enabled(name).search(query, limit)

    async def answer(self, query: SourceQuery) -> SourceTable:
        """The answer to a request on the bus."""
        return await self.fetch(query.source, query.request)

    def _enabled(self, name: str) -> Source:
        source = self.source(name)
        if not source.settings.enabled:
            raise Conflict(f"the source {name} is disabled")
        return source

    def _make(self, name: str) -> Source:
        kind = source_type(name)
        settings = self._settings(name, kind)
        http = SourceHttp(
            name,
            settings.base_url or kind.host,
            client=self._client,
            limiter=RateLimiter(name, kind.rate_limits, self._clock),
            cache=self.cache,
            clock=self._clock,
            fresh_seconds=kind.fresh_seconds if settings.fresh_seconds is None else settings.fresh_seconds,
            bounds=self.config.requests,
            run=self._run,
        )
        return kind(settings, http)

    def _settings(self, name: str, kind: type[Source]) -> SourceSettings:
        """What is configured, else what the environment holds."""
        settings: SourceSettings = getattr(self.config, name)
        return msgspec.structs.replace(
            settings,
            key=settings.key or self._environment.get(kind.key_variable, "").strip(),
            contact=settings.contact or self._environment.get(kind.contact_variable, "").strip(),
        )

"""Keeps configured series fresh: asks for each at its interval, whether or not somebody is interested just now."""

from collections.abc import Callable, Coroutine
from typing import Any

from nautilus.clock import TimeEvent
from nautilus.engines.marketdata.sources.hub import SourceHub
from nautilus.engines.marketdata.sources.settings import KeptSeries
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import NautilusError

Every = Callable[[int, Callable[[TimeEvent], object]], object]
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Kept:
    """One series and how keeping it goes."""

    __slots__ = ("failure", "last_ns", "refreshed", "series", "skipped", "under_way")

    def __init__(self, series: KeptSeries) -> None:
        self.series = series
        self.refreshed = 0
        self.skipped = 0
        """Times at which the question before was still under way."""
        self.last_ns = 0
        """When the values at hand left their source."""
        self.failure = ""
        """Why the last attempt brought nothing new; empty where it did."""
        self.under_way = False

    def __str__(self) -> str:
        return f"{self.series.source} {self.series.series}"


class Keeper:
    """All series that are kept fresh. A failure is kept for the engine's health, and the next turn tries again."""

    def __init__(self, kept: tuple[KeptSeries, ...], hub: SourceHub) -> None:
        self.kept = [Kept(series) for series in kept]
        self._hub = hub

    def start(self, every: Every, spawn: Spawn) -> None:
        """Ask for all at once, and again at the interval of each; `every` and `spawn` are the engine's."""
        for one in self.kept:
            self._refresh_soon(one, spawn)
            every(round(one.series.every_seconds * 1e9), self._turn(one, spawn))

    def failures(self) -> list[str]:
        """What is not fresh, and why."""
        return [f"{one} is not kept fresh: {one.failure}" for one in self.kept if one.failure]

    async def refresh(self, one: Kept) -> None:
        """Ask the source now, past the cache."""
        series = one.series
        request = SeriesRequest(series=series.series, kind=series.kind, interval=series.interval, max_age_seconds=0)
        try:
            table = await self._hub.fetch(series.source, request)
        except NautilusError as error:
            one.failure = str(error)
            return
        finally:
            one.under_way = False
        one.last_ns = table.provenance.retrieved_at
        one.failure = table.provenance.note if table.provenance.stale else ""
        one.refreshed += not table.provenance.stale

    def _turn(self, one: Kept, spawn: Spawn) -> Callable[[TimeEvent], None]:
        return lambda _event: self._refresh_soon(one, spawn)

    def _refresh_soon(self, one: Kept, spawn: Spawn) -> None:
        if one.under_way:
            one.skipped += 1
            return
        one.under_way = True
        spawn(self.refresh(one))

"""Asking a source over HTTP: in turn, bounded, again where that may help, and out of the cache where it will do.

What is asked of a source goes through `SourceHttp.get`. An answer counts only once it was decoded; until then it is
neither kept nor believed. While the source fails, its last good answer is given, marked stale; without one the error
is raised. Several who ask for the same document at once share one request.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from nautilus.clock import Clock
from nautilus.engines.marketdata.sources.cache import Answer, AnswerCache
from nautilus.engines.marketdata.sources.client import HttpClient, Reply
from nautilus.engines.marketdata.sources.errors import (
    SourceGarbled,
    SourceRefused,
    SourceThrottled,
    SourceUnavailable,
)
from nautilus.engines.marketdata.sources.provenance import Fetched
from nautilus.engines.marketdata.sources.rate_limit import RateLimiter
from nautilus.engines.marketdata.sources.settings import RequestBounds
from nautilus.errors import Invalid, NautilusError, NotFound

Run = Callable[..., Awaitable[Any]]
"""Runs a function off the loop: `asyncio.to_thread`, or `Accelerator.run`."""
Explain = Callable[[Reply], NautilusError | None]
"""What a reply with a status of 400 or more means to this source; None leaves it to the general rules."""
Params = Mapping[str, str | int | float]


class HttpCounts:
    """What became of the requests of one source."""

    __slots__ = ("cached", "failures", "joined", "last_failure", "last_success_ns", "requests", "retries", "stale")

    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0
        self.failures = 0
        """Questions that the source did not answer, after all attempts."""
        self.cached = 0
        self.joined = 0
        self.stale = 0
        self.last_success_ns = 0
        self.last_failure = ""
        """Why the last question failed; empty since the source answered again."""


class SourceHttp:
    """The way to one source. `host` is the address in front of every path."""

    def __init__(
        self,
        source: str,
        host: str,
        *,
        client: HttpClient,
        limiter: RateLimiter,
        cache: AnswerCache,
        clock: Clock,
        fresh_seconds: float,
        bounds: RequestBounds,
        run: Run = asyncio.to_thread,
        seed: int | None = None,
    ) -> None:
        self.source = source
        self.host = host.rstrip("/")
        self.fresh_seconds = fresh_seconds
        self.limiter = limiter
        self.counts = HttpCounts()
        self.client = client
        self._cache = cache
        self._clock = clock
        self._bounds = bounds
        self._run = run
        self._random = random.Random(seed)  # noqa: S311 - spreads attempts, keeps no secret
        self._under_way: dict[str, asyncio.Task[tuple[Answer, Any]]] = {}
        self._lanes = asyncio.Semaphore(bounds.concurrent)
        self._left_alone_until_ns = 0

    def now_ns(self) -> int:
        """The node's time, in which ages are counted."""
        return self._clock.timestamp_ns()

    def url(self, path: str, params: Params | None = None, host: str = "") -> str:
        """The address without a key, by which answers are kept and which provenance shows."""
        query = f"?{urlencode(params)}" if params else ""
        return f"{(host or self.host).rstrip('/')}{path}{query}"

    async def get[T](
        self,
        path: str,
        params: Params | None = None,
        *,
        decode: Callable[[Answer], T],
        secrets: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        explain: Explain | None = None,
        fresh_seconds: float | None = None,
        host: str = "",
    ) -> Fetched[T]:
        """One document, decoded. `path` begins with a slash; what users gave is quoted in it by the caller.

        `decode` runs on a thread and may take its time; it raises SourceGarbled, SourceThrottled, SourceRefused,
        NotFound or Invalid for bodies that are not what was asked for, whatever their status says. `secrets` are
        parameters that no address, log or error shows; so are `headers`. `fresh_seconds` (None: the source's own) is
        the greatest age of an answer out of the cache. `host` replaces the source's own host.

        Raises SourceUnavailable, NotFound, Invalid.
        """
        url = self.url(path, params, host)
        kept = self._cache.get(url)
        fresh = self.fresh_seconds if fresh_seconds is None else fresh_seconds
        if kept is not None and self.now_ns() - kept.retrieved_at < fresh * 1e9:
            self.counts.cached += 1
            return Fetched(await self._run(self._decoded, decode, kept), url, kept.retrieved_at, cached=True)
        try:
            answer, value = await self._shared(url, decode, secrets or {}, headers or {}, explain)
        except SourceUnavailable as error:
            kept = self._cache.get(url)
            if kept is None:
                raise
            self.counts.stale += 1
            return Fetched(
                await self._run(self._decoded, decode, kept),
                url,
                kept.retrieved_at,
                cached=True,
                stale=True,
                note=str(error),
            )
        return Fetched(value, url, answer.retrieved_at)

    async def compute[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function off the loop."""
        result: R = await self._run(function, *args, **kwargs)
        return result

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one question for all who ask it at once -----------------------------------------------------------------

    async def _shared[T](
        self,
        url: str,
        decode: Callable[[Answer], T],
        secrets: Mapping[str, str],
        headers: Mapping[str, str],
        explain: Explain | None,
    ) -> tuple[Answer, T]:
        task = self._under_way.get(url)
        if task is not None:
            self.counts.joined += 1
            answer, _ = await self._outcome(task)
            return answer, await self._run(self._decoded, decode, answer)
        if len(self._under_way) >= self._bounds.waiting:
            raise SourceThrottled(self.source, f"{self._bounds.waiting} requests wait already")
        task = asyncio.create_task(self._ask(url, decode, secrets, headers, explain), name=f"source:{self.source}")
        self._under_way[url] = task
        task.add_done_callback(lambda done: self._ended(url, done))
        answer, value = await self._outcome(task)
        return answer, value

    async def _outcome(self, task: asyncio.Task[tuple[Answer, Any]]) -> tuple[Answer, Any]:
        """What a shared question came to; who stops waiting does not stop it for the others."""
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise SourceUnavailable(self.source, "the question was given up: the node stops") from None
            raise

    def _ended(self, url: str, task: asyncio.Task[tuple[Answer, Any]]) -> None:
        self._under_way.pop(url, None)
        if not task.cancelled():
            task.exception()  # has been looked at, also where nobody waits any more

    async def _ask[T](
        self,
        url: str,
        decode: Callable[[Answer], T],
        secrets: Mapping[str, str],
        headers: Mapping[str, str],
        explain: Explain | None,
    ) -> tuple[Answer, T]:
        wait = (self._left_alone_until_ns - self.now_ns()) / 1e9
        if wait > 0:
            reason = f"is left alone for {wait:.0f} s after: {self.counts.last_failure}"
            raise SourceUnavailable(self.source, reason)
        full_url = f"{url}{'&' if '?' in url else '?'}{urlencode(secrets)}" if secrets else url
        try:
            async with asyncio.timeout(self._bounds.total_seconds), self._lanes:
                answer, value = await self._attempts(full_url, decode, headers, explain)
        except TimeoutError:
            raise self._failed(
                SourceUnavailable(self.source, f"no answer in {self._bounds.total_seconds:g} s")
            ) from None
        except SourceUnavailable as error:
            raise self._failed(error) from None
        self._cache.put(url, answer)
        self.counts.last_success_ns = answer.retrieved_at
        self.counts.last_failure = ""
        return answer, value

    def _failed(self, error: SourceUnavailable) -> SourceUnavailable:
        """After a failure the source is left alone for a while, so that callers get their stale answers quickly."""
        self.counts.failures += 1
        self.counts.last_failure = error.reason
        knows_when = isinstance(error, SourceThrottled) and error.retry_after_seconds is not None
        if not knows_when:  # else the limiter has been told
            self._left_alone_until_ns = self.now_ns() + round(self._bounds.pause_seconds * 1e9)
        return error

    # -- attempts ------------------------------------------------------------------------------------------------

    async def _attempts[T](
        self, url: str, decode: Callable[[Answer], T], headers: Mapping[str, str], explain: Explain | None
    ) -> tuple[Answer, T]:
        attempt = 0
        while True:
            try:
                return await self._attempt(url, decode, headers, explain)
            except SourceRefused:
                raise
            except SourceUnavailable as error:
                attempt += 1
                wait = self._wait(attempt, error)
                if attempt >= self._bounds.attempts or wait > self._bounds.patience_seconds:
                    raise
                self.counts.retries += 1
            await self.limiter.sleep(wait)

    async def _attempt[T](
        self, url: str, decode: Callable[[Answer], T], headers: Mapping[str, str], explain: Explain | None
    ) -> tuple[Answer, T]:
        await self.limiter.acquire(self._bounds.patience_seconds)
        self.counts.requests += 1
        reply = await self.client.get(self.source, url, headers)
        if reply.status != 200:
            raise (explain(reply) if explain is not None else None) or self._meaning(reply)
        answer = Answer(reply.body, reply.content_type, self.now_ns())
        return answer, await self._run(self._decoded, decode, answer)

    def _decoded[T](self, decode: Callable[[Answer], T], answer: Answer) -> T:
        """On a thread: what a decoder did not foresee is the source's fault as well, not a failure of this node."""
        from polars.exceptions import PolarsError

        try:
            return decode(answer)
        except (ArithmeticError, AttributeError, LookupError, PolarsError, TypeError, ValueError) as error:
            reason = f"answers with what cannot be read: {type(error).__name__}"
            raise SourceGarbled(self.source, reason) from error

    def _wait(self, attempt: int, error: SourceUnavailable) -> float:
        """Seconds until the next attempt: what the source asked for, else exponential with jitter, capped."""
        if isinstance(error, SourceThrottled) and error.retry_after_seconds is not None:
            self.limiter.pause(error.retry_after_seconds)
            return error.retry_after_seconds
        longest = min(self._bounds.backoff_cap_seconds, self._bounds.backoff_seconds * 2.0 ** (attempt - 1))
        return longest * self._random.uniform(0.5, 1.0)

    def _meaning(self, reply: Reply) -> NautilusError:
        status = reply.status
        if status == 429 or (status == 503 and "retry-after" in reply.headers):
            return SourceThrottled(self.source, f"answers with status {status}", reply.retry_after(self.now_ns()))
        if status in (401, 403, 407):
            return SourceRefused(self.source, f"refuses with status {status}; is the key right?")
        if status in (404, 410):
            return NotFound(f"such document of {self.source}: status {status} for", reply.path)
        if status in (400, 422):
            return Invalid("series", f"{self.source} refuses it with status {status}")
        return SourceUnavailable(self.source, f"answers with status {status}")

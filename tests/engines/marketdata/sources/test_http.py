"""The way to a source: attempts, limits, cache, stale answers, and every kind of bad answer."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import polars as pl
import pytest

from nautilus.clock import TestClock
from nautilus.engines.marketdata.sources.answers import json_of
from nautilus.engines.marketdata.sources.cache import Answer, AnswerCache
from nautilus.engines.marketdata.sources.client import Reply
from nautilus.engines.marketdata.sources.errors import (
    SourceGarbled,
    SourceRefused,
    SourceThrottled,
    SourceUnavailable,
    SourceUnconfigured,
)
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.settings import SourceSettings
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid, NautilusError, NotFound
from nautilus.model import Quality
from tests.fakes.source_server import HTML, START_NS, SourceServer, close, source_of

SECOND = 1_000_000_000


class Weather(Source):
    """A made-up source: one number a place."""

    name: ClassVar[str] = "weather"
    title: ClassVar[str] = "Weather"
    host: ClassVar[str] = "http://unused.invalid"
    capabilities: ClassVar[Capabilities] = Capabilities(kinds=("degrees",), search=False, key="required")
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(600, 60.0, burst=100),)
    fresh_seconds: ClassVar[float] = 60.0
    key_variable: ClassVar[str] = "WEATHER_KEY"

    async def find(self, query: str, limit: int) -> SourceTable:
        raise NotImplementedError

    async def load(self, request: SeriesRequest) -> SourceTable:
        fetched = await self.http.get(
            f"/{request.series}", decode=self.read, secrets={"key": self.key}, fresh_seconds=request.max_age_seconds
        )
        return self.table(pl.DataFrame({"value": [fetched.value]}), [fetched])

    def read(self, answer: Answer) -> float:
        return float(json_of(self.name, answer, dict[str, float])["degrees"])


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
def clock() -> TestClock:
    return TestClock(START_NS)


@pytest.fixture
async def weather(server: SourceServer, clock: TestClock) -> AsyncIterator[Weather]:
    source = source_of(Weather, server, clock=clock, attempts=3)
    yield source
    await close(source)


ROME = SeriesRequest(series="rome")
NOW = SeriesRequest(series="rome", max_age_seconds=0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - no event is set by what is waited for
            await asyncio.sleep(0.005)


async def test_a_fresh_answer_comes_out_of_the_cache_with_its_age(
    server: SourceServer, weather: Weather, clock: TestClock
) -> None:
    server.play("/rome", {"degrees": 21.5})
    first = (await weather.fetch(ROME)).provenance
    assert (first.cached, first.stale, first.age_seconds, first.quality) == (False, False, 0.0, Quality.LIVE)
    clock.advance_time(59 * SECOND)
    second = await weather.fetch(ROME)
    assert (second.provenance.cached, second.provenance.age_seconds) == (True, 59.0)
    assert second.frame["retrieved_at"].to_list() == [START_NS]
    clock.advance_time(SECOND)
    assert not (await weather.fetch(ROME)).provenance.cached
    assert len(server.requests) == 2


async def test_while_the_source_is_down_its_last_answer_is_given_and_marked(
    server: SourceServer, weather: Weather, clock: TestClock
) -> None:
    server.play("/rome", {"degrees": 21.5}, times=1)
    server.play("/rome", "down", status=502)
    await weather.fetch(ROME)
    clock.advance_time(3600 * SECOND)
    table = await weather.fetch(ROME)
    assert table.frame["value"].to_list() == [21.5]
    assert (table.provenance.stale, table.provenance.quality) == (True, Quality.STALE)
    assert table.provenance.age_seconds == 3600.0
    assert "status 502" in table.provenance.note


async def test_without_a_last_answer_there_is_an_error_and_no_value(server: SourceServer, weather: Weather) -> None:
    server.play("/rome", "down", status=500)
    with pytest.raises(SourceUnavailable, match="status 500") as caught:
        await weather.fetch(ROME)
    assert caught.value.status == 503
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("body", "part", "error"),
    [
        (HTML, {"content_type": "text/html"}, SourceGarbled),
        (b'{"degrees": 21', {}, SourceGarbled),
        (b'{"degrees": "warm"}', {}, SourceGarbled),
        (b'{"kelvin": 300}', {}, SourceGarbled),
        (b"", {}, SourceGarbled),
        (b"\xff\xfe\x00", {}, SourceGarbled),
        (b"[" * 100_000, {}, SourceGarbled),
        (b'{"degrees": 21.5}', {"cut_at": 5}, SourceUnavailable),
        (b"x" * 5000, {}, SourceGarbled),
        (b"not packed", {"headers": {"content-encoding": "gzip"}}, SourceUnavailable),
        (b"", {"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, SourceUnavailable),
        (b"", {"status": 401}, SourceRefused),
        (b"", {"status": 404}, NotFound),
        (b"", {"status": 422}, Invalid),
        (b"", {"status": 429}, SourceThrottled),
    ],
)
async def test_bad_answers_are_errors_and_are_not_kept(
    server: SourceServer, body: bytes, part: dict[str, object], error: type[NautilusError]
) -> None:
    server.play("/rome", body, times=1, **part)
    server.play("/rome", {"degrees": 20})
    weather = source_of(Weather, server, attempts=1, body_bytes=4096 if len(body) < 10_000 else 1 << 20)
    with pytest.raises(error) as caught:
        await weather.fetch(ROME)
    assert 400 <= caught.value.status < 600
    assert caught.value.status != 500
    assert "test-key" not in str(caught.value)
    assert (await weather.fetch(ROME)).frame["value"].to_list() == [20.0]
    await close(weather)


async def test_a_passing_failure_is_retried(server: SourceServer, weather: Weather) -> None:
    server.play("/rome", "", status=503, times=1)
    server.play("/rome", b'{"degrees": 2', times=1)
    server.play("/rome", {"degrees": 21.5})
    assert (await weather.fetch(ROME)).frame["value"].to_list() == [21.5]
    assert weather.http.counts.retries == 2


async def test_a_refused_key_is_not_tried_again(server: SourceServer, weather: Weather) -> None:
    server.play("/rome", "", status=403)
    with pytest.raises(SourceRefused):
        await weather.fetch(ROME)
    assert len(server.requests) == 1


async def test_silence_is_given_up(server: SourceServer) -> None:
    server.play("/rome", "", silent=True)
    weather = source_of(Weather, server, attempts=1, timeout_seconds=0.1)
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await weather.fetch(ROME)
    await close(weather)


async def test_nobody_listening_is_unavailable(server: SourceServer, weather: Weather) -> None:
    await server.stop()
    with pytest.raises(SourceUnavailable, match="connection failed"):
        await weather.fetch(ROME)


async def test_retry_after_is_waited_for_on_the_clock_of_the_node(
    server: SourceServer, weather: Weather, clock: TestClock
) -> None:
    server.play("/rome", "", status=429, headers={"retry-after": "20"}, times=1)
    server.play("/rome", {"degrees": 21.5})
    asking = asyncio.create_task(weather.fetch(ROME))
    await until(lambda: clock.timer_count == 1)
    clock.advance_time(20 * SECOND - 1)
    assert len(server.requests) == 1
    clock.advance_time(1)
    assert (await asking).frame["value"].to_list() == [21.5]


async def test_a_clock_that_stands_still_keeps_nobody_waiting_for_ever(server: SourceServer) -> None:
    server.play("/rome", "", status=429, headers={"retry-after": "20"})
    weather = source_of(Weather, server, total_seconds=0.2)
    with pytest.raises(SourceUnavailable, match=r"no answer in 0\.2 s"):
        await weather.fetch(ROME)
    await close(weather)


async def test_a_number_that_is_none_becomes_null_and_one_too_large_is_nonsense(
    server: SourceServer, weather: Weather
) -> None:
    fetched = [Fetched(0.0, server.url, START_NS)]
    frame = pl.DataFrame({"value": [1.5, float("nan"), float("inf")], "count": [1, 2, 3]})
    assert weather.table(frame, fetched).frame["value"].to_list() == [1.5, None, None]
    server.play("/rome", b'{"degrees": 1e999}')
    with pytest.raises(SourceGarbled):
        await weather.fetch(ROME)


async def test_who_is_told_to_wait_too_long_gives_up_and_leaves_the_source_alone(
    server: SourceServer, weather: Weather, clock: TestClock
) -> None:
    server.play("/rome", "", status=429, headers={"retry-after": "3600"}, times=1)
    server.play("/rome", {"degrees": 21.5})
    for _ in range(2):
        with pytest.raises(SourceThrottled):
            await weather.fetch(ROME)
    assert len(server.requests) == 1
    clock.advance_time(3600 * SECOND)
    assert (await weather.fetch(ROME)).frame["value"].to_list() == [21.5]


async def test_a_source_that_failed_is_left_alone_for_a_while(server: SourceServer, clock: TestClock) -> None:
    server.play("/rome", "", status=500)
    weather = source_of(Weather, server, clock=clock, attempts=1, pause_seconds=15.0)
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="status 500"):
            await weather.fetch(ROME)
    assert len(server.requests) == 1
    clock.advance_time(15 * SECOND)
    with pytest.raises(SourceUnavailable):
        await weather.fetch(ROME)
    assert len(server.requests) == 2
    await close(weather)


async def test_many_who_ask_at_once_share_one_request(server: SourceServer, weather: Weather) -> None:
    server.play("/rome", {"degrees": 21.5})
    server.released.clear()
    asking = [asyncio.create_task(weather.fetch(NOW)) for _ in range(20)]
    await until(lambda: len(server.requests) == 1)
    asking[0].cancel()
    server.released.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {one.frame["value"][0] for one in answers[1:] if isinstance(one, SourceTable)} == {21.5}
    assert len(server.requests) == 1


async def test_no_more_than_a_bound_wait(server: SourceServer) -> None:
    weather = source_of(Weather, server, waiting=3, attempts=1)
    server.released.clear()
    asking = [asyncio.create_task(weather.fetch(SeriesRequest(series=f"place{n}"))) for n in range(3)]
    await until(lambda: len(server.requests) == 2)
    with pytest.raises(SourceThrottled, match="3 requests wait"):
        await weather.fetch(ROME)
    await close(weather)
    assert all(isinstance(one, SourceUnavailable) for one in await asyncio.gather(*asking, return_exceptions=True))


async def test_the_log_of_the_http_library_does_not_show_the_key(
    server: SourceServer, weather: Weather, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.play("/rome", {"degrees": 21.5})
    await weather.fetch(ROME)
    assert server.requests[0].params == {"key": "test-key"}
    assert "test-key" not in caplog.text


async def test_without_a_key_nothing_is_sent_and_the_message_says_what_to_set(server: SourceServer) -> None:
    weather = source_of(Weather, server, settings=SourceSettings())
    with pytest.raises(SourceUnconfigured, match="WEATHER_KEY"):
        await weather.fetch(ROME)
    assert not server.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "humidity"},
        {"interval": "1d"},
        {"as_of": "2024-01-01"},
        {"vintages": True},
    ],
)
async def test_what_a_source_cannot_do_is_refused_by_name(weather: Weather, wrong: dict[str, object]) -> None:
    import msgspec

    request = msgspec.convert({"series": "rome", **wrong}, SeriesRequest)
    with pytest.raises(Invalid, match=next(iter(wrong))):
        await weather.fetch(request)
    with pytest.raises(Invalid, match="cannot be searched"):
        await weather.search("rome")


def test_retry_after_may_be_a_date_and_nonsense_is_ignored() -> None:
    def seconds(text: str) -> float | None:
        return Reply(429, {"retry-after": text}, b"", "/").retry_after(START_NS)

    assert seconds("120") == 120.0
    assert seconds("Tue, 14 Nov 2023 22:14:20 GMT") == 60.0
    assert seconds("Tue, 14 Nov 2000 22:14:20 GMT") == 0.0
    assert seconds("soon") is None
    assert seconds("-1") is None


def test_the_cache_never_holds_more_than_its_bytes() -> None:
    cache = AnswerCache(5000)
    for n in range(100):
        cache.put(f"https://x/{n % 30}", Answer(b"x" * (n * 61 % 1500), "", n))
        assert cache.bytes_held <= 5000
    cache.put("https://x/large", Answer(b"x" * 5000, "", 1))
    assert (cache.too_large, cache.get("https://x/large")) == (1, None)
    assert cache.evicted > 0

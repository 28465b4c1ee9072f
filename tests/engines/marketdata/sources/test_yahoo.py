"""Yahoo's charts as tables: days at the exchange, currencies, holes, splits and dividends, refusals."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from nautilus.clock import TestClock
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceThrottled
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.engines.marketdata.sources.yahoo import OLDEST, Yahoo, windows
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import HTML, START_NS, SourceServer, close, source_of

CHART = "/v8/finance/chart/"


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def yahoo(server: SourceServer) -> AsyncIterator[Yahoo]:
    source = source_of(Yahoo, server, attempts=1)
    yield source
    await close(source)


@pytest.fixture
def recording(shared_data: Path) -> Callable[[str], dict[str, Any]]:
    folder = shared_data / "api_recordings" / "yahoo" / "tests" / "fixtures" / "http"

    def body(name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((folder / name).read_text())["response"]["bodyJson"]
        return found

    return body


def seconds(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def chart(times: list[int], closes: list[float | None], **meta: Any) -> dict[str, Any]:
    about = {
        "symbol": "X",
        "currency": "USD",
        "exchangeTimezoneName": "America/New_York",
        "dataGranularity": "1d",
        "gmtoffset": -18000,
        **meta,
    }
    quotes = dict.fromkeys(("open", "high", "low", "close"), closes)
    quotes["volume"] = [None if one is None else 100 for one in closes]
    indicators = {"quote": [quotes], "adjclose": [{"adjclose": closes}]}
    return {"chart": {"result": [{"meta": about, "timestamp": times, "indicators": indicators}], "error": None}}


# -- bodies that were recorded ---------------------------------------------------------------------------------------


async def test_recorded_bars_keep_their_prices_and_get_the_day_of_their_exchange(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]]
) -> None:
    body = recording("chart-AAPL-2020-08-31-to-2020-11-07.json")
    server.play(CHART + "AAPL", body)
    table = await yahoo.fetch(SeriesRequest(series="AAPL", start=date(2020, 8, 31), end=date(2020, 11, 7)))
    sent = body["chart"]["result"][0]
    frame = table.frame
    assert frame.height == len(sent["timestamp"])
    assert frame["close"].to_list() == sent["indicators"]["quote"][0]["close"]
    assert frame["adjusted_close"].to_list() == sent["indicators"]["adjclose"][0]["adjclose"]
    # 31 August is before the clocks go back, 6 November after, and gmtoffset is that of the day of the recording
    assert frame["period_start"][0] == date(2020, 8, 31)
    assert frame["period_end"][-1] == date(2020, 11, 6)
    assert frame["unit"].unique().to_list() == ["USD"]
    assert frame["complete"].all()
    assert frame["source"][0] == "yahoo"
    assert frame["retrieved_at"][0] == table.provenance.retrieved_at == START_NS


async def test_recorded_dividends_and_splits(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]]
) -> None:
    server.play(CHART + "AAPL", recording("chart-AAPL-2020-08-31-to-2020-11-07.json"))
    window = {"series": "AAPL", "start": date(2020, 8, 31), "end": date(2020, 11, 7)}
    dividends = (await yahoo.fetch(SeriesRequest(kind="dividends", **window))).frame
    assert dividends.select("period_start", "value", "unit").rows() == [(date(2020, 11, 6), 0.205, "USD")]
    splits = (await yahoo.fetch(SeriesRequest(kind="splits", **window))).frame
    assert splits.select("period_end", "value", "numerator", "denominator").rows() == [
        (date(2020, 8, 31), 4.0, 4.0, 1.0)
    ]
    assert len(server.requests) == 1, "one answer of the source holds all three tables"


async def test_recorded_pence_become_pounds(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]]
) -> None:
    server.play(CHART + "OCDO.L", recording("chart-OCDO.L-2020-01-01-to-2020-01-03.json"))
    frame = (await yahoo.fetch(SeriesRequest(series="OCDO.L", end=date(2020, 1, 3)))).frame
    assert frame["close"].to_list() == [12.595]
    assert frame["unit"].to_list() == ["GBP"]
    assert frame["volume"].to_list() == [728520.0]


async def test_every_recorded_chart_is_read_or_refused(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]], shared_data: Path
) -> None:
    folder = shared_data / "api_recordings" / "yahoo" / "tests" / "fixtures" / "http"
    names = sorted(path.name for path in folder.glob("*chart-*.json"))
    assert len(names) > 40
    refused = []
    for name in names:
        body = recording(name)
        sent = body["chart"]["result"][0]
        symbol, interval = sent["meta"]["symbol"], sent["meta"]["dataGranularity"]
        server.forget(CHART + symbol)
        server.play(CHART + symbol, body)
        request = SeriesRequest(series=symbol, interval=interval, max_age_seconds=0)
        table = await _advancing(yahoo, request)
        if table.provenance.stale:  # what was believed before, because this is not
            refused.append(name)
        else:
            assert table.frame.height == len(sent.get("timestamp", []))
    # prices without a time
    assert refused == ["chart-notimestamp-quotes-length.fake.json", "chart-notimestamp-weird-quote.fake.json"]


async def test_a_recorded_quote_says_price_currency_and_instant(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]]
) -> None:
    server.play(CHART + "EURUSD=X", recording("chart-EURUSD=X-2020-01-01-to-2020-01-03.json"))
    row = (await yahoo.fetch(SeriesRequest(series="EURUSD=X", kind="quote"))).frame.row(0, named=True)
    assert (row["value"], row["unit"], row["timezone"]) == (1.0436, "USD", "Europe/London")
    assert row["time"] == datetime(2025, 2, 20, 11, 46, 42, tzinfo=UTC)


async def test_recorded_searches(
    server: SourceServer, yahoo: Yahoo, recording: Callable[[str], dict[str, Any]]
) -> None:
    server.play("/v1/finance/search", recording("search-EURUSD=X.json"))
    found = (await yahoo.search("EURUSD=X")).frame
    assert found.select("series", "title", "instrument_type").rows() == [("EURUSD=X", "EUR/USD", "CURRENCY")]


# -- bodies of our own -----------------------------------------------------------------------------------------------


async def test_the_day_is_that_of_the_exchange_and_not_that_of_utc(server: SourceServer, yahoo: Yahoo) -> None:
    # London's foreign exchange opens at midnight of summer time, 23:00 UTC of the day before
    body = chart([seconds(2023, 7, 2, 23), seconds(2023, 7, 3, 23)], [1.1, 1.2], exchangeTimezoneName="Europe/London")
    server.play(CHART + "X", body)
    frame = (await yahoo.fetch(SeriesRequest(series="X", start=date(2023, 7, 4), end=date(2023, 7, 4)))).frame
    assert frame.select("period_start", "close").rows() == [(date(2023, 7, 4), 1.2)]


async def test_bars_without_any_price_are_left_out(server: SourceServer, yahoo: Yahoo) -> None:
    times = [seconds(2023, 7, day, 13, 30) for day in (3, 5, 6)]
    server.play(CHART + "X", chart(times, [1.0, None, 3.0]))
    frame = (await yahoo.fetch(SeriesRequest(series="X"))).frame
    assert frame["close"].to_list() == [1.0, 3.0]


async def test_the_bar_of_the_session_under_way_is_marked_and_comes_once(server: SourceServer, yahoo: Yahoo) -> None:
    opening, now = seconds(2023, 7, 6, 13, 30), seconds(2023, 7, 6, 15)
    session = {"regular": {"start": opening, "end": seconds(2023, 7, 6, 20)}}
    body = chart(
        [seconds(2023, 7, 5, 13, 30), opening, now],
        [1.0, 2.0, 2.5],
        currentTradingPeriod=session,
        regularMarketTime=now,
    )
    server.play(CHART + "X", body)
    frame = (await yahoo.fetch(SeriesRequest(series="X"))).frame
    assert frame.select("period_start", "close", "complete").rows() == [
        (date(2023, 7, 5), 1.0, True),
        (date(2023, 7, 6), 2.5, False),
    ]


async def test_a_week_ends_six_days_after_it_began_and_the_last_price_is_no_week(
    server: SourceServer, yahoo: Yahoo
) -> None:
    now = seconds(2023, 7, 13, 15)
    times = [seconds(2023, 7, 3, 4), seconds(2023, 7, 10, 4), now]
    server.play(CHART + "X", chart(times, [1.0, 2.0, 2.1], dataGranularity="1wk", regularMarketTime=now))
    frame = (await yahoo.fetch(SeriesRequest(series="X", interval="1wk"))).frame
    assert frame["period_end"].to_list() == [date(2023, 7, 9), date(2023, 7, 16)]
    assert frame["complete"].to_list() == [True, False]


async def test_a_minute_is_complete_when_a_later_price_is_known(server: SourceServer, yahoo: Yahoo) -> None:
    opening = seconds(2023, 11, 13, 14, 30)
    session = {"regular": {"start": opening, "end": opening + 23_400}}
    times = [opening, opening + 60]
    body = chart(times, [1.0, 2.0], dataGranularity="1m", currentTradingPeriod=session, regularMarketTime=opening + 75)
    server.play(CHART + "X", body)
    frame = (await yahoo.fetch(SeriesRequest(series="X", interval="1m"))).frame
    assert frame["complete"].to_list() == [True, False]


async def test_minutes_are_asked_for_in_stretches_that_yahoo_allows(server: SourceServer, yahoo: Yahoo) -> None:
    server.play(CHART + "X", chart([seconds(2023, 11, 10, 14, 30)], [1.0], dataGranularity="1m"), times=1)
    later = [seconds(2023, 11, 10, 14, 30), seconds(2023, 11, 13, 14, 30)]
    server.play(CHART + "X", chart(later, [1.0, 2.0], dataGranularity="1m"))
    table = await _advancing(yahoo, SeriesRequest(series="X", interval="1m", start=date(2023, 11, 4)))
    assert table.frame.select("time", "close").rows() == [
        (datetime(2023, 11, 10, 14, 30, tzinfo=UTC), 1.0),
        (datetime(2023, 11, 13, 14, 30, tzinfo=UTC), 2.0),
    ]
    assert table.provenance.requests == len(server.requests) == 2
    first, second = (one.params for one in server.requests)
    assert first["period2"] == second["period1"]
    assert int(first["period2"]) - int(first["period1"]) == 7 * 86_400


def test_windows_cover_what_is_asked_for_once() -> None:
    request = SeriesRequest(series="X", interval="5m", start=date(2023, 1, 1), end=date(2023, 11, 1))
    parts = windows(request, date(2023, 11, 14))
    assert parts[0][0] < date(2023, 1, 1)
    assert parts[-1][1] > date(2023, 11, 1)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))
    days = SeriesRequest(series="X", interval="1d")
    assert windows(days, date(2023, 11, 14)) == [(OLDEST, date(2023, 11, 16))]


async def test_rows_beyond_the_limit_are_left_out_and_said(server: SourceServer, yahoo: Yahoo) -> None:
    server.play(CHART + "X", chart([seconds(2023, 7, day, 13, 30) for day in (3, 5, 6)], [1.0, 2.0, 3.0]))
    table = await yahoo.fetch(SeriesRequest(series="X", limit=2))
    assert table.frame.height == 2
    assert table.provenance.note == "the first 2 of 3 rows"


async def test_reasons_in_the_body_of_a_refusal_are_understood(server: SourceServer, yahoo: Yahoo) -> None:
    def refusal(code: str, description: str) -> dict[str, Any]:
        return {"chart": {"result": None, "error": {"code": code, "description": description}}}

    server.play(CHART + "GONE", refusal("Not Found", "No data found, symbol may be delisted"), status=404)
    with pytest.raises(NotFound, match="GONE"):
        await yahoo.fetch(SeriesRequest(series="GONE"))
    said = "1m data not available for startTime=1 and endTime=2. Only 8 days worth of 1m granularity data are allowed."
    server.play(CHART + "OLD", refusal("Unprocessable Entity", said), status=422)
    with pytest.raises(Invalid, match="8 days") as caught:
        await _advancing(yahoo, SeriesRequest(series="OLD"))
    assert caught.value.field == "start"
    server.play(CHART + "BUSY", "Too Many Requests", status=429, headers={"retry-after": "60"})
    with pytest.raises(SourceThrottled):
        await _advancing(yahoo, SeriesRequest(series="BUSY"))


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b'{"chart": {"result": [',
        chart([1], [1.0], symbol="Y"),
        chart([1], [1.0], dataGranularity="1mo"),
        chart([1, 2], [1.0]),
        chart([1], [1.0], exchangeTimezoneName="Mars/Olympus"),
    ],
    ids=["html", "cut", "other symbol", "other interval", "columns of other lengths", "no time zone"],
)
async def test_answers_that_are_not_the_chart_are_refused(server: SourceServer, yahoo: Yahoo, body: Any) -> None:
    server.play(CHART + "X", body)
    with pytest.raises(SourceGarbled):
        await yahoo.fetch(SeriesRequest(series="X"))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SeriesRequest(series="../etc"), "series"),
        (SeriesRequest(series="X", kind="weather"), "kind"),
        (SeriesRequest(series="X", interval="7m"), "interval"),
        (SeriesRequest(series="X", kind="splits", interval="1m"), "interval"),
        (SeriesRequest(series="X", kind="quote", end=date(2020, 1, 1)), "end"),
        (SeriesRequest(series="X", start=date(2100, 1, 1)), "start"),
        (SeriesRequest(series="X", interval="1m", start=date(2000, 1, 1)), "start"),
        (SeriesRequest(series="X", as_of=date(2020, 1, 1)), "as_of"),
    ],
)
async def test_wrong_requests_are_refused_before_anything_is_sent(
    server: SourceServer, yahoo: Yahoo, request_: SeriesRequest, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await yahoo.fetch(request_)
    assert caught.value.field == field
    assert not server.requests


async def _advancing(yahoo: Yahoo, request: SeriesRequest) -> Any:
    """Fetch while the test clock goes on, for the requests that wait a second for their turn."""
    clock = yahoo.http._clock
    assert isinstance(clock, TestClock)
    task = asyncio.create_task(yahoo.fetch(request))
    while not task.done():
        await asyncio.sleep(0.001)
        if yahoo.http.limiter.wait_seconds() > 0:
            clock.advance_time(100_000_000)
    return await task

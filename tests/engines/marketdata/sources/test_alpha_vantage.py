"""Alpha Vantage's bodies as tables; its messages in place of data as throttling, refusals and unknown symbols."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from nautilus.engines.marketdata.sources.alpha_vantage import AlphaVantage, earnings_frame, months
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import (
    SourceGarbled,
    SourceRefused,
    SourceThrottled,
    SourceUnconfigured,
)
from nautilus.engines.marketdata.sources.settings import SourceSettings
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import HTML, SourceServer, close, source_of


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def alpha_vantage(server: SourceServer) -> AsyncIterator[AlphaVantage]:
    source = source_of(AlphaVantage, server, attempts=1)
    yield source
    await close(source)


@pytest.fixture
def recording(shared_data: Path) -> Callable[[str], Any]:
    folder = shared_data / "api_recordings" / "alpha_vantage" / "test_alpha_vantage" / "test_data"
    return lambda name: json.loads((folder / name).read_text())


def daily(rows: dict[str, float]) -> dict[str, Any]:
    names = ("1. open", "2. high", "3. low", "4. close", "5. adjusted close", "6. volume", "7. dividend amount")
    return {
        "Meta Data": {"5. Time Zone": "US/Eastern"},
        "Time Series (Daily)": {
            day: dict.fromkeys(names, str(value)) | {"8. split coefficient": "1.0"} for day, value in rows.items()
        },
    }


def intraday(rows: dict[str, float], zone: str = "US/Eastern") -> dict[str, Any]:
    names = ("1. open", "2. high", "3. low", "4. close", "5. volume")
    return {
        "Meta Data": {"6. Time Zone": zone},
        "Time Series (5min)": {time: dict.fromkeys(names, str(value)) for time, value in rows.items()},
    }


# -- bodies that were recorded ---------------------------------------------------------------------------------------


async def test_a_recorded_quote(
    server: SourceServer, alpha_vantage: AlphaVantage, recording: Callable[[str], Any]
) -> None:
    server.play("/query", recording("global_quote"), params={"function": "GLOBAL_QUOTE", "symbol": "MSFT"})
    table = await alpha_vantage.fetch(SeriesRequest(series="MSFT", kind="quote"))
    row = table.frame.row(0, named=True)
    assert (row["value"], row["volume"], row["change_percent"]) == (112.13, 29062853.0, -0.5852)
    assert row["period_end"] == date(2018, 10, 5)
    assert server.requests[0].params["apikey"] == "test-key"
    assert "test-key" not in table.provenance.url


async def test_recorded_bars_within_the_day_are_in_utc_and_oldest_first(
    server: SourceServer, alpha_vantage: AlphaVantage, recording: Callable[[str], Any]
) -> None:
    server.play("/query", recording("mock_time_series"), params={"function": "TIME_SERIES_INTRADAY"})
    frame = (await alpha_vantage.fetch(SeriesRequest(series="MSFT", interval="1min"))).frame
    assert frame.height == 100
    assert frame["time"][-1] == datetime(2017, 12, 18, 19, 56, tzinfo=UTC)
    assert frame["time"].is_sorted()
    assert frame.row(-1, named=True)["volume"] == 10494.0


async def test_recorded_earnings_say_when_they_were_announced(
    server: SourceServer, alpha_vantage: AlphaVantage, recording: Callable[[str], Any]
) -> None:
    server.play("/query", recording("mock_earnings_data"), params={"function": "EARNINGS", "symbol": "IBM"})
    request = SeriesRequest(series="IBM", kind="earnings", start=date(2020, 12, 1))
    frame = (await alpha_vantage.fetch(request)).frame
    shown = frame.select("frequency", "period_start", "period_end", "available_at", "value")
    assert shown.rows() == [
        ("annual", date(2020, 1, 1), date(2020, 12, 31), date(2021, 1, 21), 8.67),
        ("quarterly", date(2020, 10, 1), date(2020, 12, 31), date(2021, 1, 21), 2.07),
        ("quarterly", date(2021, 1, 1), date(2021, 3, 31), date(2021, 4, 19), 1.77),
        ("quarterly", date(2021, 4, 1), date(2021, 6, 30), date(2021, 7, 19), 2.33),
    ], "the half of 2021 that is sent as a year is none"
    known = SeriesRequest(series="IBM", kind="earnings", start=date(2020, 12, 1), as_of=date(2021, 4, 18))
    assert (await alpha_vantage.fetch(known)).frame.height == 2


async def test_a_recorded_overview_has_numbers_where_they_are_numbers(
    server: SourceServer, alpha_vantage: AlphaVantage, recording: Callable[[str], Any]
) -> None:
    server.play("/query", recording("mock_company_overview"), params={"function": "OVERVIEW"})
    frame = (await alpha_vantage.fetch(SeriesRequest(series="IBM", kind="overview"))).frame
    rows = {field: (text, value) for field, text, value in frame.select("field", "text", "value").rows()}
    assert rows["Currency"] == ("USD", None)
    assert rows["ProfitMargin"] == ("0.1043", 0.1043)
    assert rows["LastSplitFactor"] == ("2:1", None)


async def test_a_recorded_search(
    server: SourceServer, alpha_vantage: AlphaVantage, recording: Callable[[str], Any]
) -> None:
    server.play("/query", recording("symbol_search"), params={"function": "SYMBOL_SEARCH", "keywords": "BA"})
    frame = (await alpha_vantage.search("BA", limit=4)).frame
    assert frame["series"].to_list() == ["BA", "BABA", "BSVN", "6190.HKG"]
    assert frame["unit"].to_list()[-1] == "HKD"
    assert frame["match"][0] == 1.0


# -- bodies of our own -----------------------------------------------------------------------------------------------


async def test_daily_bars_are_typed_and_oldest_first(server: SourceServer, alpha_vantage: AlphaVantage) -> None:
    server.play("/query", daily({"2023-11-13": 3.0, "2023-11-10": 2.0, "2023-11-09": 1.0}))
    request = SeriesRequest(series="IBM", start=date(2023, 11, 10))
    frame = (await alpha_vantage.fetch(request)).frame
    assert frame.select("period_start", "close", "adjusted_close", "split_coefficient").rows() == [
        (date(2023, 11, 10), 2.0, 2.0, 1.0),
        (date(2023, 11, 13), 3.0, 3.0, 1.0),
    ]
    assert server.requests[0].params["outputsize"] == "compact"


async def test_months_of_bars_within_the_day_are_asked_for_one_by_one(
    server: SourceServer, alpha_vantage: AlphaVantage
) -> None:
    server.play("/query", intraday({"2023-10-31 19:55:00": 1.0}), params={"month": "2023-10"})
    server.play("/query", intraday({"2023-11-06 09:30:00": 2.0}), params={"month": "2023-11"})
    request = SeriesRequest(series="IBM", interval="5min", start=date(2023, 10, 31), end=date(2023, 11, 6))
    # the first request passes at once, the second waits for its turn
    clock = alpha_vantage.http._clock
    task = asyncio.create_task(alpha_vantage.fetch(request))
    while not task.done():
        await asyncio.sleep(0.001)
        clock.advance_time(1_000_000_000)  # type: ignore[attr-defined]
    frame = task.result().frame
    # summer time ended between the two
    assert frame["time"].to_list() == [
        datetime(2023, 10, 31, 23, 55, tzinfo=UTC),
        datetime(2023, 11, 6, 14, 30, tzinfo=UTC),
    ]


def test_months_are_counted_over_the_turn_of_a_year() -> None:
    request = SeriesRequest(series="IBM", start=date(2022, 11, 30), end=date(2023, 2, 1))
    assert months(request, date(2023, 11, 14)) == ["2022-11", "2022-12", "2023-01", "2023-02"]
    with pytest.raises(Invalid, match="24 months"):
        months(SeriesRequest(series="IBM", start=date(2000, 1, 1)), date(2023, 11, 14))


def test_earnings_without_estimates_are_null() -> None:
    quarter = {
        "fiscalDateEnding": "1996-03-31",
        "reportedDate": "None",
        "reportedEPS": "0.5",
        "estimatedEPS": "None",
        "surprise": "None",
        "surprisePercentage": "None",
    }
    body = json.dumps({"symbol": "X", "annualEarnings": [], "quarterlyEarnings": [quarter]}).encode()
    row = earnings_frame(Answer(body, "application/json", 0), "X").row(0, named=True)
    assert (row["available_at"], row["value"], row["estimate"]) == (None, 0.5, None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"Note": "Our standard API call frequency is 5 calls per minute and 500 calls per day."}, SourceThrottled),
        ({"Information": "Your API key is test-key and its limit is 25 requests per day."}, SourceThrottled),
        ({"Information": "This is a premium endpoint."}, SourceRefused),
        ({"Information": "The demo API key is for demo purposes only."}, SourceRefused),
        ({"Error Message": "the parameter apikey is invalid or missing."}, SourceRefused),
        ({"Error Message": "Invalid API call. Please retry or visit the documentation."}, NotFound),
        ({"Meta Data": {}}, SourceGarbled),
        (HTML, SourceGarbled),
        (b'{"Time Series (Daily)": {"2023-', SourceGarbled),
        ({"Time Series (Daily)": {"2023-11-10": {"1. open": "1"}}}, SourceGarbled),
        (daily({"soon": 1.0}), SourceGarbled),
        (daily({"2023-11-10": float("inf")}), SourceGarbled),
    ],
)  # fmt: skip
async def test_what_is_no_data_is_an_error_that_says_what_it_is(
    server: SourceServer, alpha_vantage: AlphaVantage, body: Any, error: type[Exception]
) -> None:
    server.play("/query", body)
    with pytest.raises(error) as caught:
        await alpha_vantage.fetch(SeriesRequest(series="IBM"))
    assert type(caught.value) is error
    assert "test-key" not in str(caught.value)


async def test_a_throttled_question_is_answered_from_the_cache_and_marked(
    server: SourceServer, alpha_vantage: AlphaVantage
) -> None:
    server.play("/query", daily({"2023-11-10": 2.0}), times=1)
    server.play("/query", {"Note": "call frequency"})
    fresh = await alpha_vantage.fetch(SeriesRequest(series="IBM"))
    alpha_vantage.http._clock.advance_time(400_000_000_000)  # type: ignore[attr-defined]
    stale = await alpha_vantage.fetch(SeriesRequest(series="IBM"))
    assert not fresh.provenance.stale
    assert stale.provenance.stale
    assert stale.provenance.age_seconds == 400.0
    assert stale.frame["close"].to_list() == [2.0]


async def test_symbols_without_data_are_not_found(server: SourceServer, alpha_vantage: AlphaVantage) -> None:
    server.play("/query", {"Global Quote": {}}, params={"function": "GLOBAL_QUOTE"})
    with pytest.raises(NotFound):
        await alpha_vantage.fetch(SeriesRequest(series="NONE", kind="quote"))


@pytest.mark.parametrize("zone", ["Mars/Olympus", ""])
async def test_times_in_no_time_zone_are_refused(server: SourceServer, alpha_vantage: AlphaVantage, zone: str) -> None:
    server.play("/query", intraday({"2023-11-06 09:30:00": 2.0}, zone))
    with pytest.raises(SourceGarbled):
        await alpha_vantage.fetch(SeriesRequest(series="IBM", interval="5min"))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SeriesRequest(series="IBM&function=X"), "series"),
        (SeriesRequest(series="IBM", interval="2min"), "interval"),
        (SeriesRequest(series="IBM", kind="quote", interval="5min"), "interval"),
        (SeriesRequest(series="IBM", as_of=date(2020, 1, 1)), "as_of"),
        (SeriesRequest(series="IBM", kind="overview", start=date(2020, 1, 1)), "start"),
        (SeriesRequest(series="IBM", interval="5min", start=date(2100, 1, 1)), "start"),
    ],
)
async def test_wrong_requests_are_refused_before_anything_is_sent(
    server: SourceServer, alpha_vantage: AlphaVantage, request_: SeriesRequest, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await alpha_vantage.fetch(request_)
    assert caught.value.field == field
    assert not server.requests


async def test_without_a_key_it_is_unconfigured(server: SourceServer) -> None:
    source = source_of(AlphaVantage, server, settings=SourceSettings())
    with pytest.raises(SourceUnconfigured, match="ALPHA_VANTAGE_API_KEY"):
        await source.fetch(SeriesRequest(series="IBM"))
    assert not server.requests
    await close(source)

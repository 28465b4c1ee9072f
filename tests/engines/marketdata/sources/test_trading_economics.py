"""Trading Economics' calendar, indicators and prices as tables: units out of texts, instants, revisions, pages."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceRefused, SourceUnconfigured
from nautilus.engines.marketdata.sources.settings import SourceSettings
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.engines.marketdata.sources.trading_economics import TradingEconomics, paths
from nautilus.engines.marketdata.sources.trading_economics_tables import parsed
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import HTML, SourceServer, close, source_of

NUMBERS = ("Open", "High", "Low", "Close", "Value", "LatestValue", "PreviousValue", "Importance")


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def source(server: SourceServer) -> AsyncIterator[TradingEconomics]:
    made = source_of(TradingEconomics, server, attempts=1)
    yield made
    await close(made)


@pytest.fixture
def folder(shared_data: Path) -> Path:
    return shared_data / "api_recordings" / "trading_economics"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """A recorded table, as the JSON that it was made of."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [{name: _sent(name, text) for name, text in row.items()} for row in csv.DictReader(lines, delimiter="|")]


def _sent(name: str, text: str) -> str | float | int | None:
    if name == "Importance":
        return int(text)
    if name in NUMBERS:
        return float(text) if text else None
    return text


def release(**changes: Any) -> dict[str, Any]:
    return {
        "CalendarId": "1",
        "Date": "2023-01-05T13:30:00",
        "Country": "United States",
        "Category": "Non Farm Payrolls",
        "Event": "Non Farm Payrolls",
        "ReferenceDate": "2022-12-31T00:00:00",
        "Actual": "178K",
        "Previous": "142K",
        "Forecast": "",
        "TEForecast": "180K",
        "Revised": "161K",
        "Importance": 3,
        "DateSpan": "0",
        "LastUpdate": "2023-01-05T13:31:00",
        "Ticker": "NFP TCH",
        **changes,
    }


# -- bodies that were recorded ---------------------------------------------------------------------------------------


async def test_the_recorded_calendar_has_numbers_with_units(
    server: SourceServer, source: TradingEconomics, folder: Path
) -> None:
    body = (folder / "calendar_country_All_2023-01-01_2023-06-06.excerpt.json").read_bytes()
    server.play("/calendar/country/All", body)
    frame = (await source.fetch(SeriesRequest(series="all", kind="calendar"))).frame
    rows = {row["country"] + "/" + row["title"]: row for row in frame.iter_rows(named=True)}
    assert frame.height == len(json.loads(body)) == 9
    finland = rows["Finland/Balance of Trade"]
    assert (finland["value"], finland["previous"], finland["revised_from"], finland["unit"]) == (
        420_000_000.0,
        -960_000_000.0,
        -915_000_000.0,
        "€",
    )
    assert finland["time"] == datetime(2023, 1, 5, 7, tzinfo=UTC)
    assert (finland["period_end"], finland["available_at"]) == (date(2022, 11, 30), date(2023, 1, 5))
    retail = rows["Singapore/Retail Sales YoY"]
    assert (retail["value"], retail["previous"], retail["revised_from"], retail["unit"]) == (6.2, 10.3, 10.4, "%")
    holiday = rows["Angola/New Year’s Day"]
    assert (holiday["value"], holiday["available_at"], holiday["period_end"]) == (None, None, None)


async def test_every_recorded_value_of_the_calendar_is_understood(folder: Path) -> None:
    rows = rows_of(folder / "examples" / "calendar" / "calendar.csv")
    texts = [row[name] for row in rows for name in ("Actual", "Previous", "Forecast", "TEForecast", "Revised")]
    assert len([text for text in texts if text]) > 100
    assert [text for text in texts if text and parsed(text)[0] is None] == []


async def test_recorded_prices_are_written_day_first(
    server: SourceServer, source: TradingEconomics, folder: Path
) -> None:
    server.play("/markets/historical/AAPL:US", rows_of(folder / "examples" / "markets" / "marketsHistoricalEx.csv"))
    request = SeriesRequest(series="AAPL:US", kind="bars", start=date(2022, 9, 7), end=date(2022, 9, 30))
    frame = (await source.fetch(request)).frame
    assert frame.select("period_end", "close").rows() == [(date(2022, 9, 7), 155.96), (date(2022, 9, 8), 155.08)]
    assert server.requests[0].params == {"f": "json", "d1": "2022-09-07", "d2": "2022-09-30", "c": "test-key"}


async def test_recorded_minutes_are_in_utc(server: SourceServer, source: TradingEconomics, folder: Path) -> None:
    server.play("/markets/intraday/AAPL:US", rows_of(folder / "examples" / "markets" / "intraday.csv"))
    frame = (await source.fetch(SeriesRequest(series="AAPL:US", kind="bars", interval="1min"))).frame
    assert frame["time"][0] == datetime(2022, 9, 6, 19, 21, tzinfo=UTC)
    assert frame["open"][0] == 154.73


async def test_recorded_indicators_keep_their_units(
    server: SourceServer, source: TradingEconomics, folder: Path
) -> None:
    server.play("/country/mexico", rows_of(folder / "examples" / "Indicators" / "indicators.csv"))
    frame = (await source.fetch(SeriesRequest(series="mexico", kind="indicators"))).frame
    row = frame.filter(frame["category"] == "Central Bank Balance Sheet").row(0, named=True)
    assert (row["value"], row["unit"], row["period_end"]) == (4605078983.0, "MXN Thousand", date(2022, 7, 31))
    assert (row["previous"], row["previous_period_end"]) == (4539739570.0, date(2022, 6, 30))


# -- bodies of our own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3%", (0.3, "%")),
        ("-8.4%", (-8.4, "%")),
        ("C$1.2B", (1_200_000_000.0, "C$")),
        ("-$3.5M", (-3_500_000.0, "$")),
        ("¥-670.17B", (-670_170_000_000.0, "¥")),
        ("1,234.5", (1234.5, "")),
        (47.5, (47.5, "")),
        ("", (None, None)),
        (None, (None, None)),
        ("Spring", (None, None)),
        ("1.2.3", (None, None)),
    ],
)
def test_texts_become_numbers_and_units(text: Any, value: Any) -> None:
    assert parsed(text) == value


async def test_history_of_an_indicator(server: SourceServer, source: TradingEconomics) -> None:
    rows = [
        {"Country": "Mexico", "Category": "GDP", "DateTime": day, "Value": value, "HistoricalDataSymbol": "WGDPMEXI"}
        for day, value in (("2021-12-31T00:00:00", 1272.8), ("2020-12-31T00:00:00", None))
    ]
    server.play("/historical/country/mexico/indicator/gdp", rows)
    frame = (await source.fetch(SeriesRequest(series="mexico/gdp"))).frame
    assert frame.select("series", "period_end", "available_at", "value").rows() == [
        ("WGDPMEXI", date(2020, 12, 31), None, None),
        ("WGDPMEXI", date(2021, 12, 31), None, 1272.8),
    ]


async def test_what_was_known_on_a_day_leaves_out_what_was_changed_later(
    server: SourceServer, source: TradingEconomics
) -> None:
    body = [
        release(CalendarId="1"),
        release(CalendarId="2", LastUpdate="2023-02-01T00:00:00"),
        release(CalendarId="3", Actual=""),
    ]
    server.play("/calendar/country/United States", body)
    request = SeriesRequest(series="United States", kind="calendar", as_of=date(2023, 1, 5))
    frame = (await source.fetch(request)).frame
    assert frame.select("id", "value", "revised_from").rows() == [("1", 178_000.0, 161_000.0)]
    table = await source.fetch(SeriesRequest(series="United States", kind="calendar"))
    assert table.frame["available_at"].to_list() == [date(2023, 1, 5), date(2023, 2, 1), None]


async def test_a_long_calendar_is_asked_for_in_stretches(server: SourceServer, source: TradingEconomics) -> None:
    server.play("/calendar/country/All/2023-01-01/2023-03-31", [release(CalendarId="1")])
    server.play("/calendar/country/All/2023-04-01/2023-05-01", [release(CalendarId="2", Date="2023-04-07T12:30:00")])
    request = SeriesRequest(series="all", kind="calendar", start=date(2023, 1, 1), end=date(2023, 5, 1))
    table = await source.fetch(request)
    assert table.frame["id"].to_list() == ["1", "2"]
    assert table.provenance.requests == 2
    assert "test-key" not in table.provenance.url


def test_addresses_of_each_kind() -> None:
    today = date(2023, 11, 14)
    ticker = SeriesRequest(series="USURTOT", kind="history", start=date(2020, 1, 1))
    assert paths(ticker, today) == [("/historical/ticker/USURTOT/2020-01-01", {})]
    both = SeriesRequest(series="united states/gdp", kind="calendar", end=date(2023, 11, 20))
    assert paths(both, today) == [("/calendar/country/united%20states/indicator/gdp/2023-11-14/2023-11-20", {})]
    with pytest.raises(Invalid, match="3600 days"):
        paths(SeriesRequest(series="all", kind="calendar", start=date(1990, 1, 1)), today)


async def test_a_quote_and_a_search(server: SourceServer, source: TradingEconomics) -> None:
    row = {"Symbol": "AAPL:US", "Date": "2023-11-14T20:00:00", "Last": 187.4, "unit": "USD", "Name": "Apple"}
    server.play("/markets/symbol/AAPL:US", [row])
    server.play("/search/gold", [{"Symbol": "XAUUSD:CUR"}, {"Symbol": None}])
    frame = (await source.fetch(SeriesRequest(series="AAPL:US", kind="quote"))).frame
    assert frame.select("value", "unit", "time").rows() == [(187.4, "USD", datetime(2023, 11, 14, 20, tzinfo=UTC))]
    assert (await source.search("gold")).frame.select("series", "title").rows() == [("XAUUSD:CUR", "XAUUSD:CUR")]


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b'[{"CalendarId": "1", "Da',
        {"Message": "No access"},
        [release(Date="soon")],
        [{"CalendarId": "1"}],
    ],
    ids=["html", "cut", "a message", "no date", "fields missing"],
)
async def test_answers_that_make_no_sense_are_refused(
    server: SourceServer, source: TradingEconomics, body: Any
) -> None:
    server.play("/calendar/country/All", body)
    with pytest.raises(SourceGarbled):
        await source.fetch(SeriesRequest(series="all", kind="calendar"))


async def test_refusals_and_empty_answers(server: SourceServer, source: TradingEconomics) -> None:
    server.play("/historical/country/atlantis/indicator/gdp", [])
    with pytest.raises(NotFound, match="atlantis"):
        await source.fetch(SeriesRequest(series="atlantis/gdp"))
    server.play("/country/mexico", "No Access to this country as free user.", status=403)
    with pytest.raises(SourceRefused):
        await source.fetch(SeriesRequest(series="mexico", kind="indicators"))


@pytest.mark.parametrize("key", ["", "guest:guest"])
async def test_without_a_key_of_ones_own_it_is_unconfigured(server: SourceServer, key: str) -> None:
    made = source_of(TradingEconomics, server, settings=SourceSettings(key=key))
    with pytest.raises(SourceUnconfigured, match="TRADING_ECONOMICS_API_KEY"):
        await made.fetch(SeriesRequest(series="mexico/gdp"))
    assert not server.requests
    await close(made)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SeriesRequest(series="a/b/c"), "series"),
        (SeriesRequest(series="mexico/..", kind="calendar"), "series"),
        (SeriesRequest(series="a/b", kind="bars"), "series"),
        (SeriesRequest(series="mexico", kind="indicators", interval="1min"), "interval"),
        (SeriesRequest(series="mexico", kind="indicators", end=date(2020, 1, 1)), "end"),
        (SeriesRequest(series="mexico/gdp", as_of=date(2020, 1, 1)), "as_of"),
        (SeriesRequest(series="mexico/gdp", vintages=True), "vintages"),
    ],
)
async def test_wrong_requests_are_refused_before_anything_is_sent(
    server: SourceServer, source: TradingEconomics, request_: SeriesRequest, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await source.fetch(request_)
    assert caught.value.field == field
    assert not server.requests

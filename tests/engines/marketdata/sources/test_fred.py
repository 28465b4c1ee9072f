"""FRED's bodies as tables: periods, vintages, missing values, pages and refusals."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceRefused
from nautilus.engines.marketdata.sources.fred import Fred
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import START_NS, SourceServer, close, recorded, source_of

SERIES, OBSERVATIONS = "/fred/series", "/fred/series/observations"


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def fred(server: SourceServer) -> AsyncIterator[Fred]:
    source = source_of(Fred, server, attempts=2)
    yield source
    await close(source)


def described(frequency: str = "Q") -> dict[str, Any]:
    return {
        "seriess": [
            {
                "id": "GDP",
                "title": "Gross Domestic Product",
                "observation_start": "1947-01-01",
                "observation_end": "2024-07-01",
                "frequency_short": frequency,
                "units": "Billions of Dollars",
                "last_updated": "2024-10-30 07:54:01-05",
                "popularity": 93,
            }
        ]
    }


def observed(*rows: tuple[str, str, str, str], count: int | None = None) -> dict[str, Any]:
    keys = ("realtime_start", "realtime_end", "date", "value")
    return {"count": len(rows) if count is None else count, "observations": [dict(zip(keys, row)) for row in rows]}  # noqa: B905


VINTAGES = (
    ("2014-04-30", "2014-05-28", "2014-01-01", "17149.6"),
    ("2014-05-29", "9999-12-31", "2014-01-01", "17101.3"),
    ("2014-07-30", "9999-12-31", "2014-04-01", "."),
)


async def test_a_quarter_is_dated_by_both_its_days_and_a_missing_value_is_null(
    server: SourceServer, fred: Fred
) -> None:
    server.play(SERIES, described())
    server.play(OBSERVATIONS, observed(*VINTAGES[1:]))
    table = await fred.fetch(SeriesRequest(series="GDP"))
    assert table.frame["period_start"].to_list() == [date(2014, 1, 1), date(2014, 4, 1)]
    assert table.frame["period_end"].to_list() == [date(2014, 3, 31), date(2014, 6, 30)]
    assert table.frame["value"].to_list() == [17101.3, None]
    assert set(table.frame["unit"]) == {"Billions of Dollars"}
    assert table.frame["valid_until"].null_count() == 2
    assert table.frame["source"].to_list() == ["fred", "fred"]
    assert table.frame["retrieved_at"].to_list() == [START_NS, START_NS]


@pytest.mark.parametrize(
    ("frequency", "day", "period"),
    [
        ("W", "2024-10-25", (date(2024, 10, 19), date(2024, 10, 25))),
        ("M", "2024-02-01", (date(2024, 2, 1), date(2024, 2, 29))),
        ("A", "2023-01-01", (date(2023, 1, 1), date(2023, 12, 31))),
        ("D", "2024-10-25", (date(2024, 10, 25), date(2024, 10, 25))),
    ],
)
async def test_each_frequency_has_its_own_period(
    server: SourceServer, fred: Fred, frequency: str, day: str, period: tuple[date, date]
) -> None:
    server.play(SERIES, described(frequency))
    server.play(OBSERVATIONS, observed(("2024-11-01", "2024-11-01", day, "1.5")))
    row = (await fred.fetch(SeriesRequest(series="GDP"))).frame.row(0, named=True)
    assert (row["period_start"], row["period_end"]) == period


async def test_the_key_is_sent_and_shown_nowhere(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described())
    server.play(OBSERVATIONS, observed(*VINTAGES))
    table = await fred.fetch(SeriesRequest(series="GDP", vintages=True))
    assert {one.params["api_key"] for one in server.requests} == {"test-key"}
    assert "test-key" not in table.provenance.url + repr(fred.settings)
    assert table.provenance.requests == 2


async def test_vintages_say_from_when_until_when_each_value_stood(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described())
    server.play(OBSERVATIONS, observed(*VINTAGES), params={"realtime_start": "1776-07-04"})
    frame = (await fred.fetch(SeriesRequest(series="GDP", vintages=True))).frame
    assert frame["valid_until"].to_list() == [date(2014, 5, 28), None, None]


async def test_as_of_a_day_only_what_stood_then_is_there(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described())
    clipped = [("2014-04-30", "2014-05-28", "2014-01-01", "17149.6"), ("2014-05-29", "2014-06-02", "2014-01-01", "1.0")]
    server.play(OBSERVATIONS, observed(*clipped), params={"realtime_end": "2014-06-02"})
    frame = (await fred.fetch(SeriesRequest(series="GDP", as_of=date(2014, 6, 2)))).frame
    assert frame.select("value", "available_at", "valid_until").rows() == [(1.0, date(2014, 5, 29), None)]


async def test_too_many_vintages_fall_back_to_the_values_of_the_day(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described("D"))
    refusal = {"error_code": 400, "error_message": "Bad Request. There are 6000 vintage dates, the maximum is 2000."}
    server.play(OBSERVATIONS, refusal, status=400, params={"realtime_start": "1776-07-04"})
    body = observed(("2014-06-02", "2014-06-02", "2014-05-30", "2.48"))
    server.play(OBSERVATIONS, body, params={"realtime_start": "2014-06-02", "realtime_end": "2014-06-02"})
    table = await fred.fetch(SeriesRequest(series="DGS10", as_of=date(2014, 6, 2)))
    assert table.frame["value"].to_list() == [2.48]
    assert "too many vintages" in table.provenance.note
    with pytest.raises(Invalid, match="6000 vintage dates"):
        await fred.fetch(SeriesRequest(series="DGS10", vintages=True))


async def test_pages_are_joined_and_a_missing_page_is_noticed(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described())
    server.play(OBSERVATIONS, observed(VINTAGES[2], count=3), params={"offset": "2"})
    server.play(OBSERVATIONS, observed(*VINTAGES[:2], count=3))
    assert (await fred.fetch(SeriesRequest(series="GDP", vintages=True))).frame.height == 3
    server.forget(OBSERVATIONS)
    server.play(OBSERVATIONS, observed(count=3), params={"offset": "2"})
    server.play(OBSERVATIONS, observed(*VINTAGES[:2], count=3))
    with pytest.raises(SourceGarbled, match="announces 3 rows and gives 2"):
        await fred.fetch(SeriesRequest(series="GDP", vintages=True, max_age_seconds=0))


async def test_of_more_rows_than_wanted_the_newest_are_given_and_said_so(server: SourceServer, fred: Fred) -> None:
    server.play(SERIES, described())
    server.play(OBSERVATIONS, observed(*VINTAGES[1:]))
    table = await fred.fetch(SeriesRequest(series="GDP", limit=1))
    assert table.frame["period_end"].to_list() == [date(2014, 6, 30)]
    assert table.provenance.note == "the newest 1 of 2 rows"


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Bad Request.  The series does not exist.", NotFound),
        ("Bad Request.  The value for variable api_key is not registered.", SourceRefused),
        ("Bad Request.  Value of observation_start is wrong.", Invalid),
    ],
)
async def test_an_error_body_is_an_error_whatever_its_status(
    server: SourceServer, fred: Fred, status: int, message: str, error: type[Exception]
) -> None:
    server.play(SERIES, {"error_code": 400, "error_message": message}, status=status)
    with pytest.raises(error):
        await fred.fetch(SeriesRequest(series="NOPE"))


@pytest.mark.parametrize(("field", "text"), [("date", "soon"), ("value", "many"), ("value", "inf"), ("value", "nan")])
async def test_a_single_wrong_cell_is_an_error(server: SourceServer, fred: Fred, field: str, text: str) -> None:
    server.play(SERIES, described())
    body = observed(*VINTAGES)
    body["observations"][1][field] = text
    server.play(OBSERVATIONS, body)
    with pytest.raises(SourceGarbled, match=text):
        await fred.fetch(SeriesRequest(series="GDP"))


async def test_search_lists_series_with_their_unit(server: SourceServer, fred: Fred) -> None:
    server.play("/fred/series/search", described(), params={"search_text": "gross product"})
    frame = (await fred.search("gross product")).frame
    assert frame.select("series", "unit", "popularity").rows() == [("GDP", "Billions of Dollars", 93)]
    assert frame["updated_at"][0].isoformat() == "2024-10-30T12:54:01+00:00"


async def test_recorded_vintages_of_gdp_are_read_whole(server: SourceServer, fred: Fred, shared_data: Path) -> None:
    folder = shared_data / "api_recordings" / "fred_bodies"
    server.play(SERIES, recorded(next(folder.glob("022_*"))))
    server.play(OBSERVATIONS, recorded(next(folder.glob("020_*"))), params={"realtime_end": "2019-01-01"})
    body = recorded(next(folder.glob("019_*")))
    server.play(OBSERVATIONS, body, params={"realtime_end": "9999-12-31"})
    everything = (await fred.fetch(SeriesRequest(series="GDP", vintages=True))).frame
    assert everything.height == json.loads(body)["count"] == 3199
    known = (await fred.fetch(SeriesRequest(series="GDP", as_of=date(2019, 1, 1)))).frame
    assert known.height == 291
    assert known.row(-1, named=True)["value"] == 20658.204
    assert known.row(-1, named=True)["available_at"] == date(2018, 12, 21)
    # what was known on the day is the same, whichever way it was asked for
    day = date(2019, 1, 1)
    stood = everything.filter(everything["available_at"] <= day).filter(
        (everything["valid_until"].is_null() | (everything["valid_until"] >= day)).filter(
            everything["available_at"] <= day
        )
    )
    assert stood["value"].to_list() == known["value"].to_list()

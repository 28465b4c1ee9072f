"""EDGAR's bodies as tables: which value stood when, filings over several documents, tickers, refusals."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nautilus.engines.marketdata.sources.edgar import Edgar
from nautilus.engines.marketdata.sources.errors import (
    SourceGarbled,
    SourceRefused,
    SourceThrottled,
    SourceUnconfigured,
)
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.settings import SourceSettings
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import HTML, SourceServer, close, recorded, source_of

TICKERS = "/files/company_tickers.json"
FACTS = "/api/xbrl/companyfacts/CIK0000320193.json"
CONCEPT = "/api/xbrl/companyconcept/CIK0000320193/us-gaap/Assets.json"
SUBMISSIONS = "/submissions/CIK0000320193.json"
COMPANIES = {
    "0": {"cik_str": 320193, "ticker": "AAPL", "title": "Apple Inc."},
    "1": {"cik_str": 1418121, "ticker": "APLE", "title": "Apple Hospitality REIT, Inc."},
    "2": {"cik_str": 1067983, "ticker": "BRK-B", "title": "BERKSHIRE HATHAWAY INC"},
}


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        running.play(TICKERS, COMPANIES)
        yield running


@pytest.fixture
async def edgar(server: SourceServer) -> AsyncIterator[Edgar]:
    source = source_of(Edgar, server, attempts=1, rate_limits=[RateLimit(1000, 1.0)])  # the clock stands still
    yield source
    await close(source)


def fact(value: float, filed: str, form: str = "10-K", end: str = "2009-09-26", **more: Any) -> dict[str, Any]:
    return {
        "end": end,
        "val": value,
        "accn": f"0-{filed}",
        "fy": 2009,
        "fp": "FY",
        "form": form,
        "filed": filed,
        **more,
    }


ASSETS = [
    fact(53851, "2009-10-27"),
    fact(47501, "2010-01-25", "10-K/A"),
    fact(47501, "2010-10-27"),
    fact(75183, "2010-10-27", end="2010-09-25"),
]


def facts() -> dict[str, Any]:
    revenue = [fact(10.5, "2010-01-25", end="2009-12-26", start="2009-09-27")]
    return {
        "facts": {
            "us-gaap": {"Assets": {"units": {"USD": ASSETS}}, "Revenues": {"units": {"USD": revenue}}},
            "dei": {},
        }
    }


def filings(*rows: tuple[str, str]) -> dict[str, list[Any]]:
    return {
        "accessionNumber": [f"0-{day}" for day, _ in rows],
        "filingDate": [day for day, _ in rows],
        "reportDate": ["" for _ in rows],
        "acceptanceDateTime": [f"{day}T21:11:04.000Z" for day, _ in rows],
        "form": [form for _, form in rows],
        "items": ["" for _ in rows],
        "size": [100 for _ in rows],
        "primaryDocument": ["a.htm" for _ in rows],
        "primaryDocDescription": [form for _, form in rows],
    }


async def test_a_value_is_available_from_when_it_was_first_filed_as_it_stands(
    server: SourceServer, edgar: Edgar
) -> None:
    server.play(CONCEPT, {"taxonomy": "us-gaap", "tag": "Assets", "units": {"USD": ASSETS}})
    frame = (await edgar.fetch(SeriesRequest(series="AAPL/us-gaap/Assets", kind="concept"))).frame
    assert frame.select("period_end", "value", "available_at", "form").rows() == [
        (date(2009, 9, 26), 47501.0, date(2010, 1, 25), "10-K/A"),
        (date(2010, 9, 25), 75183.0, date(2010, 10, 27), "10-K"),
    ]


@pytest.mark.parametrize(
    ("day", "value"), [(date(2009, 10, 26), None), (date(2009, 10, 27), 53851.0), (date(2010, 1, 25), 47501.0)]
)
async def test_nothing_filed_later_shows_as_of_a_day(
    server: SourceServer, edgar: Edgar, day: date, value: float | None
) -> None:
    server.play(FACTS, facts())
    frame = (await edgar.fetch(SeriesRequest(series="320193", as_of=day))).frame
    assert frame.filter(pl.col("concept") == "Assets")["value"].to_list() == ([] if value is None else [value])


async def test_vintages_are_all_filings_and_a_duration_has_both_its_days(server: SourceServer, edgar: Edgar) -> None:
    server.play(FACTS, facts())
    frame = (await edgar.fetch(SeriesRequest(series="CIK0000320193", vintages=True))).frame
    assert frame.height == 5
    revenue = frame.filter(pl.col("concept") == "Revenues").row(0, named=True)
    assert (revenue["period_start"], revenue["period_end"]) == (date(2009, 9, 27), date(2009, 12, 26))
    assert frame["period_start"].null_count() == 4


async def test_filings_come_from_as_many_documents_as_are_needed(server: SourceServer, edgar: Edgar) -> None:
    older = "CIK0000320193-submissions-001.json"
    files = [{"name": older, "filingCount": 2, "filingFrom": "2005-02-17", "filingTo": "2018-02-11"}]
    recent = filings(("2026-01-29", "10-K"), ("2026-01-28", "8-K"))
    server.play(SUBMISSIONS, {"filings": {"recent": recent, "files": files}})
    server.play(f"/submissions/{older}", filings(("2018-02-11", "10-K"), ("2005-02-17", "S-1")))
    wanted = SeriesRequest(series="AAPL", kind="filings", start=date(2019, 1, 1))
    assert (await edgar.fetch(wanted)).frame["form"].to_list() == ["8-K", "10-K"]
    assert not server.asked(f"/submissions/{older}")
    table = await edgar.fetch(SeriesRequest(series="AAPL", kind="filings"))
    assert table.frame["available_at"].to_list() == [
        date(2005, 2, 17), date(2018, 2, 11), date(2026, 1, 28), date(2026, 1, 29),
    ]  # fmt: skip
    assert table.frame["accepted_at"][-1].isoformat() == "2026-01-29T21:11:04+00:00"
    assert table.frame["period_end"].null_count() == 4


async def test_who_asks_is_said_in_every_request(server: SourceServer, edgar: Edgar) -> None:
    server.play(FACTS, facts())
    await edgar.fetch(SeriesRequest(series="aapl"))
    assert {one.headers["user-agent"] for one in server.requests} == {"Tests tests@example.org"}


@pytest.mark.parametrize("contact", ["", "Nautilus", "a@b", "Zoë zoe@example.org", "a@b.org\r\nx: y"])
async def test_without_an_address_nothing_is_asked(server: SourceServer, contact: str) -> None:
    edgar = source_of(Edgar, server, settings=SourceSettings(contact=contact))
    with pytest.raises(SourceUnconfigured, match="SEC_EDGAR_CONTACT"):
        await edgar.fetch(SeriesRequest(series="AAPL"))
    assert not server.requests


async def test_search_puts_the_ticker_first_and_then_names(edgar: Edgar) -> None:
    assert (await edgar.search("apple")).frame["series"].to_list() == ["AAPL", "APLE"]
    assert (await edgar.search("aple")).frame["series"].to_list() == ["APLE"]
    assert (await edgar.search("hospitality APPLE")).frame["cik"].to_list() == [1418121]
    assert (await edgar.search("nothing like it")).frame.is_empty()


@pytest.mark.parametrize("series", ["ZZZZ", "../../etc/passwd", "AAPL/us-gaap", "AAPL/../x"])
async def test_what_is_no_company_is_not_found_or_refused(server: SourceServer, edgar: Edgar, series: str) -> None:
    for kind in ("facts", "concept"):
        with pytest.raises((NotFound, Invalid)):
            await edgar.fetch(SeriesRequest(series=series, kind=kind))
    assert {one.path for one in server.requests} <= {TICKERS}


async def test_a_class_of_shares_is_written_with_a_hyphen_or_a_dot(edgar: Edgar) -> None:
    with pytest.raises(NotFound, match="CIK0001067983"):
        await edgar.fetch(SeriesRequest(series="brk.b"))


@pytest.mark.parametrize(
    ("body", "part", "error"),
    [
        (b"<Error><Code>NoSuchKey</Code></Error>", {"status": 404}, NotFound),
        (b"<h1>Request Rate Threshold Exceeded</h1>", {"status": 403}, SourceThrottled),
        (b"<h1>Undeclared Automated Tool</h1>", {"status": 403}, SourceRefused),
        (HTML, {}, SourceGarbled),
        (b'{"facts": {"us-gaap": {"Assets": {"units": {"USD": [{"end": "soon"', {}, SourceGarbled),
        (b'{"facts": {"us-gaap": {"Assets": []}}}', {}, SourceGarbled),
    ],
)
async def test_refusals_and_nonsense_are_told_apart(
    server: SourceServer, edgar: Edgar, body: bytes, part: dict[str, Any], error: type[Exception]
) -> None:
    server.play(FACTS, body, **part)
    with pytest.raises(error):
        await edgar.fetch(SeriesRequest(series="AAPL"))


async def test_columns_of_different_lengths_are_nonsense(server: SourceServer, edgar: Edgar) -> None:
    recent = filings(("2026-01-29", "10-K")) | {"form": []}
    server.play(SUBMISSIONS, {"filings": {"recent": recent, "files": []}})
    with pytest.raises(SourceGarbled, match="different lengths"):
        await edgar.fetch(SeriesRequest(series="AAPL", kind="filings"))


async def test_recorded_facts_and_filings_are_read_whole(server: SourceServer, edgar: Edgar, shared_data: Path) -> None:
    folder = shared_data / "api_recordings" / "sec_edgar"
    server.forget(TICKERS)
    server.play(TICKERS, recorded(folder / "data" / "company_tickers.json.gz"))
    server.play(FACTS, recorded(folder / "data.sec.gov_api_xbrl_companyfacts_CIK0000320193.json.gz"))
    everything = (await edgar.fetch(SeriesRequest(series="AAPL", vintages=True, limit=1_000_000))).frame
    assert everything.height == 24_579
    shares = everything.filter(pl.col("concept") == "EntityCommonStockSharesOutstanding").row(0, named=True)
    assert (shares["value"], shares["available_at"], shares["unit"]) == (895816758.0, date(2009, 7, 22), "shares")
    day = date(2015, 6, 30)
    known = (await edgar.fetch(SeriesRequest(series="AAPL", as_of=day, limit=1_000_000))).frame
    assert known["available_at"].max() <= day  # type: ignore[operator]
    key = ["taxonomy", "concept", "unit", "period_start", "period_end"]
    assert known.select(key).is_duplicated().sum() == 0

    name = "data.sec.gov_submissions_CIK0001318605"
    server.play("/submissions/CIK0001318605.json", recorded(folder / f"{name}.json.gz"))
    older = recorded(folder / f"{name}-submissions-001.json.gz")
    server.play("/submissions/CIK0001318605-submissions-001.json", older)
    tesla = await edgar.fetch(SeriesRequest(series="TSLA", kind="filings"))
    assert tesla.frame.height == 1720
    assert tesla.frame["available_at"].is_sorted()

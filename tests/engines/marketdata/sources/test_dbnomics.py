"""DBnomics' lists as tables: missing values, the ends of periods, pages, several series, what is not there."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.clock import TestClock
from nautilus.engines.marketdata.sources.dbnomics import DBnomics, SeriesDocument, observations_frame
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceUnavailable
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import Invalid, NotFound
from tests.fakes.source_server import HTML, START_NS, SourceServer, close, source_of


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def dbnomics(server: SourceServer) -> AsyncIterator[DBnomics]:
    source = source_of(DBnomics, server, attempts=1)
    yield source
    await close(source)


def document(code: str = "A", values: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "@frequency": "annual",
        "provider_code": "P",
        "dataset_code": "D",
        "series_code": code,
        "series_name": f"Series {code}",
        "indexed_at": "2020-05-07T08:46:14.858000Z",
        "dimensions": {"unit": "percent"},
        "period": ["1998", "1999"],
        "period_start_day": ["1998-01-01", "1999-01-01"],
        "value": [1.5, "NA"] if values is None else values,
        **changes,
    }


def page(docs: list[Any], found: int | None = None, offset: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "series": {"docs": docs, "num_found": len(docs) if found is None else found, "limit": 1000, "offset": offset},
        "errors": None,
        **more,
    }


def body_of_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Recorded observations, one a row, back in the lists in which DBnomics sends them."""
    documents: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = documents.setdefault(
            row["series_code"],
            {name: row[name] for name in ("@frequency", "provider_code", "dataset_code", "series_code", "series_name")}
            | {"indexed_at": row["indexed_at"], "dimensions": {"unit": row.get("unit")}}
            | {"period": [], "period_start_day": [], "value": []},
        )
        one["period"].append(row["original_period"])
        one["period_start_day"].append(row["period"])
        one["value"].append("NA" if row["value"] is None else row["value"])
    return page(list(documents.values()))


async def test_recorded_observations_come_back_as_they_were(server: SourceServer, shared_data: Path) -> None:
    clock = TestClock(START_NS)
    dbnomics = source_of(DBnomics, server, clock=clock, attempts=1)
    packed = shared_data / "api_recordings" / "dbnomics" / "rdbnomics_recorded_frames.json.gz"
    frames = json.loads(gzip.decompress(packed.read_bytes()))
    seen = set()
    for rows in frames.values():
        body = body_of_rows(rows)
        documents = body["series"]["docs"]
        names = [f"{one['provider_code']}/{one['dataset_code']}/{one['series_code']}" for one in documents]
        server.forget("/v22/series")
        server.play("/v22/series", body)
        request = SeriesRequest(series=",".join(dict.fromkeys(names)), max_age_seconds=0)
        frame = (await dbnomics.fetch(request)).frame
        clock.advance_time(1_000_000_000)  # for the rate limit
        assert sorted(zip(frame["period"], frame["value"].fill_null(-1e99), strict=True)) == sorted(
            (row["original_period"], -1e99 if row["value"] is None else row["value"]) for row in rows
        )
        assert frame["period_end"].null_count() == 0
        assert (frame["period_end"] > frame["period_start"]).all()
        seen |= set(frame["frequency"])
    await close(dbnomics)
    assert seen == {"annual", "bi-annual", "quarterly", "monthly"}


async def test_a_missing_value_is_null_and_a_year_ends_in_december(server: SourceServer, dbnomics: DBnomics) -> None:
    server.play("/v22/series", page([document()]), params={"series_ids": "P/D/A"})
    table = await dbnomics.fetch(SeriesRequest(series="P/D/A"))
    shown = table.frame.select("series", "period_start", "period_end", "available_at", "value", "unit")
    assert shown.rows() == [
        ("P/D/A", date(1998, 1, 1), date(1998, 12, 31), None, 1.5, "percent"),
        ("P/D/A", date(1999, 1, 1), date(1999, 12, 31), None, None, "percent"),
    ]
    assert table.frame["indexed_at"].dtype == pl.Datetime("ns", "UTC")
    assert table.frame["indexed_at"].null_count() == 0


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2023-S2", date(2023, 7, 1), date(2023, 12, 31)),
        ("2024-Q1", date(2024, 1, 1), date(2024, 3, 31)),
        ("2024-B1", date(2024, 1, 1), date(2024, 2, 29)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2020-W53", date(2020, 12, 28), date(2021, 1, 3)),
        ("2024-02-29", date(2024, 2, 29), date(2024, 2, 29)),
        ("winter", date(2024, 1, 1), None),
    ],
)
def test_the_end_of_a_period_follows_from_how_it_is_written(period: str, start: date, end: date | None) -> None:
    one = SeriesDocument("P", "D", "A", period=[period], period_start_day=[start.isoformat()], value=[1.0])
    assert observations_frame([one])["period_end"].to_list() == [end]


@given(st.integers(1900, 2100), st.integers(1, 12))
def test_months_follow_each_other_without_gaps(year: int, month: int) -> None:
    start = date(year, month, 1)
    one = SeriesDocument(
        "P", "D", "A", period=[f"{year}-{month:02d}"], period_start_day=[start.isoformat()], value=[1.0]
    )
    end = observations_frame([one])["period_end"][0]
    assert end + timedelta(days=1) == date(year + month // 12, month % 12 + 1, 1)


async def test_only_periods_that_touch_the_days_asked_for(server: SourceServer, dbnomics: DBnomics) -> None:
    server.play("/v22/series", page([document()]))
    request = SeriesRequest(series="P/D/A", start=date(1999, 6, 1), end=date(1999, 7, 1))
    assert (await dbnomics.fetch(request)).frame["period"].to_list() == ["1999"]


async def test_several_series_in_one_request(server: SourceServer, dbnomics: DBnomics) -> None:
    server.play("/v22/series", page([document("A"), document("B", [3, 4.0])]))
    frame = (await dbnomics.fetch(SeriesRequest(series="P/D/A,P/D/B"))).frame
    assert frame.filter(pl.col("series") == "P/D/B")["value"].to_list() == [3.0, 4.0]
    assert len(server.requests) == 1


async def test_a_dataset_is_listed_page_by_page_until_there_is_enough(server: SourceServer, dbnomics: DBnomics) -> None:
    bare = {"period": [], "period_start_day": [], "value": []}
    first = [document(f"A{number}", **({"values": []} | bare)) for number in range(1000)]
    second = [document(f"B{number}", **({"values": []} | bare)) for number in range(1000)]
    server.play("/v22/series/P/D", page(first, 2500), params={"offset": "0"})
    server.play("/v22/series/P/D", page(second, 2500, 1000), params={"offset": "1000"})
    table = await dbnomics.fetch(SeriesRequest(series="P/D", kind="dataset", limit=1500))
    assert table.frame.height == 1500
    assert table.frame["series"][1000] == "P/D/B0"
    assert table.provenance.requests == 2
    assert table.provenance.note == "the first 1500 of 2500"
    assert all(int(one.params["limit"]) <= 1000 for one in server.requests)


async def test_pages_that_stop_early_are_said(server: SourceServer, dbnomics: DBnomics) -> None:
    server.play("/v22/series/P/D", page([document()], 3), params={"offset": "0"})
    server.play("/v22/series/P/D", page([], 3, 1), params={"offset": "1"})
    table = await dbnomics.fetch(SeriesRequest(series="P/D", kind="dataset"))
    assert table.frame.height == 1
    assert table.provenance.note == "DBnomics gave 1 of 3"


async def test_providers_datasets_and_search(server: SourceServer, dbnomics: DBnomics) -> None:
    window = {"num_found": 1, "limit": 1000, "offset": 0}
    provider = {"code": "AMECO", "name": "Annual macro-economic database", "region": "EU", "slug": "ameco"}
    dataset = {"code": "ZUTN", "name": "Unemployment rate", "nb_series": 42, "provider_code": "AMECO"}
    server.play("/v22/providers", {"providers": {"docs": [provider], **window}})
    server.play("/v22/datasets/AMECO", {"datasets": {"docs": [dataset], **window}})
    server.play("/v22/search", {"results": {"docs": [dataset | {"nb_matching_series": 7}], **window}})
    providers = (await dbnomics.fetch(SeriesRequest(series="all", kind="providers"))).frame
    assert providers.select("series", "region").rows() == [("AMECO", "EU")]
    datasets = (await dbnomics.fetch(SeriesRequest(series="AMECO", kind="datasets"))).frame
    assert datasets.select("series", "title", "series_count").rows() == [("AMECO/ZUTN", "Unemployment rate", 42)]
    found = (await dbnomics.search("unemployment", limit=5)).frame
    assert found.select("series", "matching_series").rows() == [("AMECO/ZUTN", 7)]
    assert server.requests[-1].params == {"q": "unemployment", "limit": "5", "offset": "0"}


@pytest.mark.parametrize(
    ("series", "body"),
    [
        ("P/D/NONE", page([])),
        ("P/D/A,P/D/NONE", page([document()], errors=[{"message": "Series P/D/NONE not found"}])),
        ("P/D/A,P/D/NONE", page([document()])),
    ],
    ids=["nothing found", "said in errors", "less than asked for"],
)
async def test_a_series_that_is_not_there_is_not_found_though_the_status_is_200(
    server: SourceServer, dbnomics: DBnomics, series: str, body: Any
) -> None:
    server.play("/v22/series", body)
    with pytest.raises(NotFound, match="P/D/NONE"):
        await dbnomics.fetch(SeriesRequest(series=series))


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b'{"series": {"docs": [{',
        {"series": {}},
        page([document(values=[1.0])]),
        page([document(values=[1.0, "n/a"])]),
        page([document(period_start_day=["1998-01-01", "soon"])]),
        page([document()], offset=1000),
    ],
    ids=["html", "cut", "no documents", "lists of other lengths", "text for a number", "no date", "another page"],
)
async def test_answers_that_make_no_sense_are_refused(server: SourceServer, dbnomics: DBnomics, body: Any) -> None:
    server.play("/v22/series", body)
    with pytest.raises(SourceGarbled):
        await dbnomics.fetch(SeriesRequest(series="P/D/A"))


async def test_a_server_that_fails_is_unavailable(server: SourceServer, dbnomics: DBnomics) -> None:
    server.play("/v22/series", "oops", status=502)
    with pytest.raises(SourceUnavailable, match="502"):
        await dbnomics.fetch(SeriesRequest(series="P/D/A"))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SeriesRequest(series="P/D"), "series"),
        (SeriesRequest(series="P/../A"), "series"),
        (SeriesRequest(series=",".join(f"P/D/{number}" for number in range(30)) + ",P/D"), "series"),
        (SeriesRequest(series="P/D/A", kind="dataset"), "series"),
        (SeriesRequest(series="P", kind="providers"), "series"),
        (SeriesRequest(series="P", kind="datasets", start=date(2020, 1, 1)), "start"),
        (SeriesRequest(series="P/D/A", as_of=date(2020, 1, 1)), "as_of"),
        (SeriesRequest(series="P/D/A", vintages=True), "vintages"),
        (SeriesRequest(series="P/D/A", interval="monthly"), "interval"),
    ],
)
async def test_wrong_requests_are_refused_before_anything_is_sent(
    server: SourceServer, dbnomics: DBnomics, request_: SeriesRequest, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await dbnomics.fetch(request_)
    assert caught.value.field == field
    assert not server.requests

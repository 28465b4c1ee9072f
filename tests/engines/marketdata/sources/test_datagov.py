"""Data.gov's catalog as tables: datasets, their files, pages, dates that are no dates, refusals."""

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nautilus.engines.marketdata.sources.datagov import DataGov
from nautilus.engines.marketdata.sources.errors import SourceGarbled, SourceRefused, SourceThrottled
from nautilus.engines.marketdata.sources.source import SeriesRequest
from nautilus.errors import Invalid
from tests.fakes.source_server import SourceServer, close, recorded, source_of

SEARCH = "/technology/datagov/v4/search"


@pytest.fixture
async def server() -> AsyncIterator[SourceServer]:
    async with SourceServer() as running:
        yield running


@pytest.fixture
async def datagov(server: SourceServer) -> AsyncIterator[DataGov]:
    source = source_of(DataGov, server, attempts=1)
    yield source
    await close(source)


def dataset(slug: str, modified: str = "2023-06-22T20:25:39.652070", files: object = ()) -> dict[str, Any]:
    return {
        "title": slug.title(),
        "slug": slug,
        "keyword": ["water"],
        "last_harvested_date": "2025-08-02T21:17:47.154806",
        "organization": {"slug": "ed", "name": "Department"},
        "dcat": {"modified": modified, "distribution": files, "accessLevel": "public"},
        "spatial_centroid": None,
    }


async def test_dates_are_dates_and_what_is_none_is_null(server: SourceServer, datagov: DataGov) -> None:
    server.play(SEARCH, {"results": [dataset("a"), dataset("b", "R/P1D")]}, params={"q": "water"})
    table = await datagov.search("water")
    assert table.frame["modified"].to_list() == [date(2023, 6, 22), None]
    assert table.frame["harvested_at"][0].isoformat() == "2025-08-02T21:17:47.154806+00:00"
    assert table.frame["keywords"].to_list() == [["water"], ["water"]]
    assert server.requests[0].headers["x-api-key"] == "test-key"
    assert "test-key" not in table.provenance.url


async def test_pages_are_followed_until_there_is_enough(server: SourceServer, datagov: DataGov) -> None:
    server.play(SEARCH, {"results": [dataset("c")], "after": "Y"}, params={"after": "X"})
    server.play(SEARCH, {"results": [dataset("d")]}, params={"after": "Y"})
    server.play(SEARCH, {"results": [dataset("a"), dataset("b")], "after": "X"})
    table = await datagov.search("water", 3)
    assert table.frame["series"].to_list() == ["a", "b", "c"]
    assert table.provenance.note == "the first 3; there are more"
    everything = await datagov.fetch(SeriesRequest(series="water", limit=3, max_age_seconds=0))
    assert everything.frame.height == 3
    whole = await datagov.fetch(SeriesRequest(series="water", limit=50))
    assert (whole.frame["series"].to_list(), whole.provenance.note) == (["a", "b", "c", "d"], "")


async def test_a_page_that_leads_to_itself_is_noticed(server: SourceServer, datagov: DataGov) -> None:
    server.play(SEARCH, {"results": [], "after": "X"})
    with pytest.raises(SourceGarbled, match="same page"):
        await datagov.search("water")


async def test_files_are_rows_with_their_address(server: SourceServer, datagov: DataGov) -> None:
    files = [{"title": "CSV", "mediaType": "text/csv", "downloadURL": "https://x/y.csv"}, {"accessURL": "https://x"}, 7]
    server.play(SEARCH, {"results": [dataset("a", files=files), dataset("b", files=5)]})
    frame = (await datagov.fetch(SeriesRequest(series="water", kind="distributions"))).frame
    assert frame.select("series", "title", "media_type", "address").rows() == [
        ("a", "CSV", "text/csv", "https://x/y.csv"),
        ("a", None, None, "https://x"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"error": {"code": "API_KEY_INVALID", "message": "no"}}, 403, SourceRefused),
        ({"error": {"code": "OVER_RATE_LIMIT", "message": "no"}}, 429, SourceThrottled),
        ({"error": {"code": "OVER_RATE_LIMIT", "message": "no"}}, 200, SourceThrottled),
        ({"error": "test-key is odd"}, 200, SourceGarbled),
        ({"message": "Validation error"}, 422, Invalid),
        ({"results": "none"}, 200, SourceGarbled),
    ],
)
async def test_error_bodies_are_errors_without_the_key(
    server: SourceServer, datagov: DataGov, body: object, status: int, error: type[Exception]
) -> None:
    server.play(SEARCH, body, status=status)
    with pytest.raises(error) as caught:
        await datagov.search("water")
    assert "test-key" not in str(caught.value)


async def test_a_catalog_has_no_times(datagov: DataGov) -> None:
    with pytest.raises(Invalid, match="end"):
        await datagov.fetch(SeriesRequest(series="water", end=date(2024, 1, 1)))


async def test_recorded_datasets_are_read(server: SourceServer, datagov: DataGov, shared_data: Path) -> None:
    lines = recorded(shared_data / "api_recordings" / "datagov" / "opensearch.ndjson").decode().splitlines()
    documents = [row for row in map(json.loads, filter(None, lines)) if "index" not in row]
    server.play(SEARCH, {"results": documents, "sort": "relevance"})
    frame = (await datagov.search("fixture", 1000)).frame
    assert frame.height == len(documents) > 0
    assert frame.row(0, named=True)["modified"] == date(2024, 1, 15)
    files = (await datagov.fetch(SeriesRequest(series="fixture", kind="distributions", limit=1000))).frame
    assert files["address"][0] == "https://example.gov/data/dataset-1.csv"

"""EDGAR's documents as tables: facts, filings and the list of tickers; and which facts stood on a day."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from nautilus.engines.marketdata.sources.answers import date_of, json_of
from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.columns import days, instants
from nautilus.engines.marketdata.sources.errors import SourceGarbled
from nautilus.engines.marketdata.sources.source import SeriesRequest

if TYPE_CHECKING:
    import polars as pl

NAME = "edgar"
FACT_KEY = ("taxonomy", "concept", "unit", "period_start", "period_end")
"""What makes two numbers the same fact, filed twice."""


class _Fact(msgspec.Struct, gc=False):
    end: str
    val: float | None
    accn: str
    filed: str
    form: str
    start: str | None = None
    fy: int | None = None
    fp: str | None = None


class _Concept(msgspec.Struct):
    units: dict[str, list[_Fact]]


class _CompanyFacts(msgspec.Struct):
    facts: dict[str, dict[str, _Concept]]


class _CompanyConcept(msgspec.Struct):
    taxonomy: str
    tag: str
    units: dict[str, list[_Fact]]


class _Ticker(msgspec.Struct):
    cik_str: int
    ticker: str
    title: str


class _Page(msgspec.Struct, rename="camel"):
    accession_number: list[str]
    filing_date: list[str]
    report_date: list[str]
    acceptance_date_time: list[str]
    form: list[str]
    items: list[str]
    size: list[int]
    primary_document: list[str]
    primary_doc_description: list[str]


class _File(msgspec.Struct, rename="camel"):
    name: str
    filing_to: str


class _Filings(msgspec.Struct):
    recent: _Page
    files: list[_File] = []


class _Submissions(msgspec.Struct):
    filings: _Filings


class OlderFile(msgspec.Struct, frozen=True):
    """A further document of filings, and the last day on which one in it was filed."""

    name: str
    filing_to: date


class Submissions(msgspec.Struct, frozen=True):
    """The latest filings, and where older ones are, newest first."""

    frame: "pl.DataFrame"
    files: tuple[OlderFile, ...]


# -- documents ---------------------------------------------------------------------------------------------------


def facts_frame(answer: Answer) -> "pl.DataFrame":
    """Every fact of a company facts document. Raises SourceGarbled."""
    document = json_of(NAME, answer, _CompanyFacts)
    return _facts(
        (taxonomy, name, unit, facts)
        for taxonomy, concepts in document.facts.items()
        for name, concept in concepts.items()
        for unit, facts in concept.units.items()
    )


def concept_frame(answer: Answer) -> "pl.DataFrame":
    """Every fact of a company concept document. Raises SourceGarbled."""
    document = json_of(NAME, answer, _CompanyConcept)
    return _facts((document.taxonomy, document.tag, unit, facts) for unit, facts in document.units.items())


def _facts(groups: Iterable[tuple[str, str, str, list[_Fact]]]) -> "pl.DataFrame":
    import polars as pl

    rows = [(taxonomy, concept, unit, fact) for taxonomy, concept, unit, facts in groups for fact in facts]
    facts = [row[3] for row in rows]
    return pl.DataFrame(
        {
            "taxonomy": pl.Series([row[0] for row in rows], dtype=pl.String),
            "concept": pl.Series([row[1] for row in rows], dtype=pl.String),
            "period_start": days(NAME, [fact.start for fact in facts]),
            "period_end": days(NAME, [fact.end for fact in facts]),
            "value": pl.Series([fact.val for fact in facts], dtype=pl.Float64),
            "unit": pl.Series([row[2] for row in rows], dtype=pl.String),
            "available_at": days(NAME, [fact.filed for fact in facts]),
            "form": pl.Series([fact.form for fact in facts], dtype=pl.String),
            "fiscal_year": pl.Series([fact.fy for fact in facts], dtype=pl.Int64),
            "fiscal_period": pl.Series([fact.fp for fact in facts], dtype=pl.String),
            "accession": pl.Series([fact.accn for fact in facts], dtype=pl.String),
        }
    )


def tickers_frame(answer: Answer) -> "pl.DataFrame":
    """The list of tickers: `series` (the ticker), `title` and `cik`. Raises SourceGarbled."""
    import polars as pl

    rows = json_of(NAME, answer, dict[str, _Ticker]).values()
    return pl.DataFrame(
        {
            "series": pl.Series([row.ticker for row in rows], dtype=pl.String),
            "title": pl.Series([row.title for row in rows], dtype=pl.String),
            "cik": pl.Series([row.cik_str for row in rows], dtype=pl.Int64),
        }
    )


def submissions(answer: Answer) -> Submissions:
    """A company's latest filings and where the others are. Raises SourceGarbled."""
    filings = json_of(NAME, answer, _Submissions).filings
    files = tuple(OlderFile(file.name, date_of(NAME, file.filing_to)) for file in filings.files)
    if any("/" in file.name for file in files):
        raise SourceGarbled(NAME, "names a file that is elsewhere")
    return Submissions(_filings(filings.recent), files)


def filings_page(answer: Answer) -> "pl.DataFrame":
    """A page of older filings. Raises SourceGarbled."""
    return _filings(json_of(NAME, answer, _Page))


def _filings(page: _Page) -> "pl.DataFrame":
    import polars as pl

    columns = msgspec.structs.astuple(page)
    if len({len(column) for column in columns}) != 1:
        raise SourceGarbled(NAME, "answers with columns of different lengths")
    return pl.DataFrame(
        {
            "form": pl.Series(page.form, dtype=pl.String),
            "period_end": days(NAME, page.report_date),
            "available_at": days(NAME, page.filing_date),
            "accepted_at": instants(NAME, page.acceptance_date_time),
            "accession": pl.Series(page.accession_number, dtype=pl.String),
            "items": pl.Series(page.items, dtype=pl.String),
            "document": pl.Series(page.primary_document, dtype=pl.String),
            "description": pl.Series(page.primary_doc_description, dtype=pl.String),
            "size_bytes": pl.Series(page.size, dtype=pl.Int64),
        }
    )


# -- choosing ----------------------------------------------------------------------------------------------------


def cik_of(tickers: "pl.DataFrame", ticker: str) -> int | None:
    """The number of the company of a ticker, None where there is none."""
    import polars as pl

    # EDGAR writes classes of shares with a hyphen: BRK-B
    wanted = ticker.upper().replace(".", "-")
    found = tickers.filter(pl.col("series").str.to_uppercase() == wanted)
    return None if found.is_empty() else int(found["cik"][0])


def matching(tickers: "pl.DataFrame", query: str) -> "pl.DataFrame":
    """Companies with that ticker, then tickers that begin so, then names that hold every word."""
    import polars as pl

    ticker, title = pl.col("series").str.to_uppercase(), pl.col("title").str.to_uppercase()
    wanted = query.upper()
    in_title = pl.all_horizontal([title.str.contains(word, literal=True) for word in wanted.split()])
    rank = pl.when(ticker == wanted).then(0).when(ticker.str.starts_with(wanted)).then(1).when(in_title).then(2)
    return tickers.with_columns(rank.alias("rank")).drop_nulls("rank").sort("rank", maintain_order=True).drop("rank")


def select_facts(frame: "pl.DataFrame", request: SeriesRequest) -> "pl.DataFrame":
    """The facts that a request asks for, oldest period first.

    All filings of each with `vintages`; else one row for each fact, with the value that stood at `as_of` and the day
    on which that value was first filed, if it has not changed and changed back since.
    """
    import polars as pl

    frame = frame.sort("available_at", "accession", maintain_order=True)
    if request.as_of is not None:
        frame = frame.filter(pl.col("available_at") <= request.as_of)
    if request.start is not None:
        frame = frame.filter(pl.col("period_end") >= request.start)
    if request.end is not None:
        frame = frame.filter(pl.col("period_end") <= request.end)
    if not request.vintages:
        run = pl.col("value").ne_missing(pl.col("value").shift(1)).cum_sum().fill_null(0).over(FACT_KEY)
        frame = frame.with_columns(run.alias("run")).filter(pl.col("run") == pl.col("run").last().over(FACT_KEY))
        frame = frame.unique([*FACT_KEY], keep="first", maintain_order=True).drop("run")
    series = pl.lit(request.series, dtype=pl.String).alias("series")
    return frame.select(series, pl.all()).sort("period_end", "available_at", "taxonomy", "concept", maintain_order=True)


def select_filings(frames: "Sequence[pl.DataFrame]", cik: int, request: SeriesRequest) -> "pl.DataFrame":
    """The filings that a request asks for by the day of filing, oldest first."""
    import polars as pl

    frame = pl.concat(frames)
    filed = pl.col("available_at")
    if request.start is not None:
        frame = frame.filter(filed >= request.start)
    if request.end is not None:
        frame = frame.filter(filed <= request.end)
    if request.as_of is not None:
        frame = frame.filter(filed <= request.as_of)
    head = (pl.lit(request.series, dtype=pl.String).alias("series"), pl.lit(cik, dtype=pl.Int64).alias("cik"))
    return frame.select(*head, pl.all()).sort("available_at", "accepted_at", maintain_order=True)

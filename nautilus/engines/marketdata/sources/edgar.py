"""SEC EDGAR: what American companies filed, and every number in it with the day on which it was filed.

A company is named by its ticker or its CIK ("AAPL", "320193", "CIK0000320193"), a single number by company, taxonomy
and concept ("AAPL/us-gaap/Assets"). The same number is filed again and again, sometimes changed: without `vintages`
each period has one row, the value that stood at `as_of`, `available_at` the day on which that value was first filed.
"""

import re
from typing import TYPE_CHECKING, Any, ClassVar

from nautilus.engines.marketdata.sources import edgar_frames
from nautilus.engines.marketdata.sources.client import Reply
from nautilus.engines.marketdata.sources.errors import SourceRefused, SourceThrottled
from nautilus.engines.marketdata.sources.provenance import Fetched, SourceTable
from nautilus.engines.marketdata.sources.rate_limit import RateLimit
from nautilus.engines.marketdata.sources.source import Capabilities, SeriesRequest, Source
from nautilus.errors import Invalid, NautilusError, NotFound

if TYPE_CHECKING:
    import polars as pl

WWW = "https://www.sec.gov"
TICKERS_FRESH_SECONDS = 86_400.0
BLOCKED_SECONDS = 600.0
"""How long EDGAR answers nobody who went over its limit, by its own account."""
MOST_FILES = 50
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CIK = re.compile(r"(?:CIK)?0*([0-9]{1,10})", re.IGNORECASE)
_CONCEPT = re.compile(r"[A-Za-z0-9-]{1,40}/[A-Za-z0-9]{1,150}")


class Edgar(Source):
    """Facts, single concepts, and filings of companies."""

    name: ClassVar[str] = edgar_frames.NAME
    title: ClassVar[str] = "SEC EDGAR"
    host: ClassVar[str] = "https://data.sec.gov"
    capabilities: ClassVar[Capabilities] = Capabilities(
        kinds=("facts", "concept", "filings"), point_in_time=True, vintages=True
    )
    rate_limits: ClassVar[tuple[RateLimit, ...]] = (RateLimit(10, 1.0, burst=2),)
    fresh_seconds: ClassVar[float] = 3600.0
    contact_variable: ClassVar[str] = "SEC_EDGAR_CONTACT"

    def unconfigured(self) -> str:
        """EDGAR wants to know who asks."""
        contact = self.settings.contact
        if contact.isascii() and contact.isprintable() and _EMAIL.search(contact):
            return ""
        return f"no e-mail address: set {self.contact_variable} or engines.marketdata.sources.edgar.contact"

    async def find(self, query: str, limit: int) -> SourceTable:
        """Companies by ticker or by words of their name, the closest first."""
        tickers = await self._tickers()
        frame = await self.http.compute(edgar_frames.matching, tickers.value, query)
        return self.table(frame.head(limit), [tickers])

    async def load(self, request: SeriesRequest) -> SourceTable:
        """Facts, one concept, or filings."""
        company, slash, concept = request.series.partition("/")
        if (_CONCEPT.fullmatch(concept) is None) if request.kind == "concept" else slash:
            raise Invalid("series", "must be COMPANY/TAXONOMY/CONCEPT for the kind concept, and a company for others")
        cik, lookups = await self._cik(company)
        if request.kind == "filings":
            return await self._filings(request, cik, lookups)
        if request.kind == "concept":
            path, decode = f"/api/xbrl/companyconcept/CIK{cik:010}/{concept}.json", edgar_frames.concept_frame
        else:
            path, decode = f"/api/xbrl/companyfacts/CIK{cik:010}.json", edgar_frames.facts_frame
        fetched = await self._get(path, decode, request)
        frame = await self.http.compute(edgar_frames.select_facts, fetched.value, request)
        return self._cut(frame, [fetched], request, lookups)

    async def _filings(self, request: SeriesRequest, cik: int, lookups: list[Fetched[Any]]) -> SourceTable:
        first = await self._get(f"/submissions/CIK{cik:010}.json", edgar_frames.submissions, request)
        frames, fetched = [first.value.frame], [first]
        for file in first.value.files[:MOST_FILES]:
            if request.start is not None and file.filing_to < request.start:
                continue
            if request.start is None and sum(frame.height for frame in frames) >= request.limit:
                break
            older = await self._get(f"/submissions/{file.name}", edgar_frames.filings_page, request)
            frames.append(older.value)
            fetched.append(older)
        frame = await self.http.compute(edgar_frames.select_filings, frames, cik, request)
        return self._cut(frame, fetched, request, lookups)

    def _cut(
        self, frame: "pl.DataFrame", fetched: list[Fetched[Any]], request: SeriesRequest, lookups: list[Fetched[Any]]
    ) -> SourceTable:
        note = f"the newest {request.limit} of {frame.height} rows" if frame.height > request.limit else ""
        return self.table(frame.tail(request.limit), fetched, note, lookups)

    # -- asking --------------------------------------------------------------------------------------------------

    async def _cik(self, company: str) -> tuple[int, list[Fetched[Any]]]:
        if number := _CIK.fullmatch(company):
            return int(number[1]), []
        tickers = await self._tickers()
        cik = edgar_frames.cik_of(tickers.value, company)
        if cik is None:
            raise NotFound("company of edgar", company)
        return cik, [tickers]

    async def _tickers(self) -> "Fetched[pl.DataFrame]":
        # the list is on another host than everything else, unless all of EDGAR was moved
        host = WWW if self.http.host == self.host else ""
        return await self.http.get(
            "/files/company_tickers.json",
            decode=edgar_frames.tickers_frame,
            headers=self._headers(),
            explain=self._explain,
            fresh_seconds=TICKERS_FRESH_SECONDS,
            host=host,
        )

    async def _get(self, path: str, decode: Any, request: SeriesRequest) -> Fetched[Any]:
        return await self.http.get(
            path,
            decode=decode,
            headers=self._headers(),
            explain=self._explain,
            fresh_seconds=request.max_age_seconds,
        )

    def _headers(self) -> dict[str, str]:
        return {"user-agent": self.settings.contact}

    def _explain(self, reply: Reply) -> NautilusError | None:
        if reply.status == 403 and b"Rate Threshold" in reply.body:
            return SourceThrottled(self.name, "is asked too often and blocks us", BLOCKED_SECONDS)
        if reply.status == 403:
            return SourceRefused(self.name, "does not accept who asks; is the e-mail address right?")
        if reply.status == 404:
            return NotFound("such company or concept of edgar:", reply.path.rpartition("/")[2])
        return None

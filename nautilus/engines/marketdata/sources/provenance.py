"""Where a table is from: which source, which address, when it was retrieved, and how much it can be relied upon."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from nautilus.model.enums import Quality

if TYPE_CHECKING:
    import polars as pl


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of one table. `url` never holds a key; times are ns UTC of the node's clock.

    `retrieved_at` is when the oldest part left its source, `age_seconds` how long ago that was when the table was
    made. `cached`: nothing was asked of the source for at least a part. `stale`: older than wanted, because the source
    could not be reached.
    """

    source: str
    url: str
    retrieved_at: int
    age_seconds: float
    cached: bool
    stale: bool
    quality: Quality
    requests: int = 1
    """Answers that the table is made of: pages, and lookups before them."""
    note: str = ""
    """Why the table is stale, or not everything that there is."""


@dataclass(frozen=True, slots=True)
class Fetched[T]:
    """One decoded answer of a source and where it is from."""

    value: T
    url: str
    retrieved_at: int
    cached: bool = False
    stale: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """Rows of a source, typed, and where they are from.

    Every row repeats the two parts of its origin that matter when tables are joined: the columns `source` (String) and
    `retrieved_at` (Int64, ns UTC).
    """

    frame: "pl.DataFrame"
    provenance: Provenance


def combine(
    source: str,
    fetched: Iterable[Fetched[object]],
    now_ns: int,
    note: str = "",
    lookups: Iterable[Fetched[object]] = (),
) -> Provenance:
    """The provenance of a table made of several answers: as old as the oldest, stale if any is.

    `lookups` only helped to ask or to read, like a list of names: they are not the age of the values, but where they
    are stale so is the table. The address is that of the last answer. Raises ValueError without answers.
    """
    answers, all_answers = list(fetched), [*lookups]
    all_answers += answers
    if not answers:
        raise ValueError("a table is made of at least one answer")
    oldest = min(one.retrieved_at for one in answers)
    stale = any(one.stale for one in all_answers)
    notes = dict.fromkeys(one.note for one in all_answers if one.note)
    if note:
        notes[note] = None
    return Provenance(
        source=source,
        url=answers[-1].url,
        retrieved_at=oldest,
        age_seconds=max(0, now_ns - oldest) / 1e9,
        cached=any(one.cached for one in answers),
        stale=stale,
        quality=Quality.STALE if stale else Quality.LIVE,
        requests=len(all_answers),
        note="; ".join(notes),
    )

"""The tail of the journal gives every record once, in order, whatever the sizes and wherever it starts."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from nautilus.store import CorruptFile
from nautilus.store.journal import SegmentedJournal
from nautilus.store.postgres import segment_tail
from nautilus.store.postgres.segment_tail import Raw, SegmentTail
from nautilus.store.segments import DirectorySegments
from tests.store.records import RECORD_TYPES, Placed


def journal_in(directory: Path) -> tuple[DirectorySegments, SegmentedJournal]:
    segments = DirectorySegments(directory)
    journal = SegmentedJournal(segments, RECORD_TYPES, segment_bytes=300)
    journal.recover()
    return segments, journal


def everything(tail: SegmentTail, through: int) -> list[Raw]:
    found: list[Raw] = []
    while records := tail.read(through):
        found += records
    return found


@given(
    st.lists(st.integers(0, 2_000), max_size=30), st.integers(0, 30), st.integers(0, 30), st.sampled_from([64, 4096])
)
@example_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_every_record_after_the_start_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], after: int, pause_at: int, chunk: int
) -> None:
    after, pause_at = min(after, len(sizes)), min(pause_at, len(sizes))
    segments, journal = journal_in(tmp_path_factory.mktemp("journal"))
    records = [Placed(str(number), number, bytes(size)) for number, size in enumerate(sizes, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_tail, "CHUNK_BYTES", chunk)
        tail = SegmentTail(segments, after)
        for record in records[:pause_at]:
            journal.append(record)
        found = everything(tail, journal.last_sequence) if pause_at else []
        journal.prune(min(after, journal.last_sequence))
        for record in records[pause_at:]:
            journal.append(record)
        found += everything(tail, journal.last_sequence) if sizes else []
    expected = [Raw(number, msgspec.msgpack.encode(record)) for number, record in enumerate(records, 1)]
    assert found == expected[after:]
    asyncio.run(journal.stop())


def test_reading_stops_where_it_was_told_to(tmp_path: Path) -> None:
    segments, journal = journal_in(tmp_path)
    for number in range(20):
        journal.append(Placed(str(number), number))
    tail = SegmentTail(segments, 3)
    assert [sequence for sequence, _ in everything(tail, 5)] == [4, 5]
    assert [sequence for sequence, _ in everything(tail, 20)] == list(range(6, 21))
    assert tail.read(20) == []
    asyncio.run(journal.stop())


def test_damage_is_named_and_not_skipped(tmp_path: Path) -> None:
    segments, journal = journal_in(tmp_path)
    journal.append(Placed("a", 1))
    journal.append(Placed("b", 2))
    file = tmp_path / "00000001.log"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    tail = SegmentTail(segments, 0)
    with pytest.raises(CorruptFile, match=r"00000001\.log is damaged at byte \d+: record 2 cannot be read"):
        everything(tail, 2)
    asyncio.run(journal.stop())

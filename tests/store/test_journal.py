"""The journal's bytes: torn tails are cut and reported, damage elsewhere is an error that says where."""

import asyncio
import random
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nautilus.store import CorruptFile, DiskRefused, RecoveryReport, StoreError
from nautilus.store.framing import HEADER, frame, frames, next_frame
from nautilus.store.journal import SegmentedJournal
from nautilus.store.segments import DirectorySegments, MemorySegments
from tests.store.records import RECORD_TYPES, Done, Placed

RECORDS = st.one_of(
    st.builds(Placed, st.text(), st.integers(-(2**63), 2**63 - 1), st.binary()),
    st.builds(Done, st.text(), st.none() | st.floats(allow_nan=False)),
)


def memory(records: Sequence[msgspec.Struct], segment_bytes: int = 1 << 20) -> MemorySegments:
    segments = MemorySegments()
    journal = SegmentedJournal(segments, RECORD_TYPES, segment_bytes=segment_bytes)
    journal.recover()
    for record in records:
        journal.append(record)
    return segments


def damaged(segments: MemorySegments, number: int, data: bytes) -> MemorySegments:
    segments.open(number, 0)
    segments.write(data)
    segments.open(segments.numbers()[-1], segments.size(segments.numbers()[-1]))
    return segments


def reopened(segments: MemorySegments) -> tuple[SegmentedJournal, RecoveryReport]:
    journal = SegmentedJournal(segments, RECORD_TYPES)
    return journal, journal.recover()


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=30), st.integers(1, 500), st.integers(0, 35))
def test_what_goes_in_comes_out_over_any_segment_size(
    records: list[msgspec.Struct], segment_bytes: int, after: int
) -> None:
    journal, report = reopened(memory(records, segment_bytes))
    assert report.cut_bytes == 0
    assert list(journal.replay(after)) == list(enumerate(records, 1))[after:]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.data())
def test_one_changed_byte_never_passes_as_the_frames_written(payloads: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(frame(payload) for payload in payloads)
    position = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[position] ^= data.draw(st.integers(1, 255))
    read = [bytes(payload) for _, payload in frames(memoryview(bytes(changed)))]
    before = sum(1 for end, _ in frames(memoryview(whole)) if end <= position)
    assert read == payloads[:before]


@pytest.mark.parametrize("kind", ["cut", "zeros", "noise"])
def test_recovery_stops_at_the_last_whole_record_of_a_torn_tail(kind: str) -> None:
    rng = random.Random(20_240_101)
    records = [Placed(str(number), number, rng.randbytes(rng.randrange(60))) for number in range(60)]
    whole = memory(records).read(1)
    ends = [end for end, _ in frames(memoryview(whole))]
    for _ in range(100):
        cut = rng.randrange(len(whole) + 1)
        tail = {"cut": b"", "zeros": bytes(rng.randrange(1, 64)), "noise": rng.randbytes(rng.randrange(1, 64))}[kind]
        journal, report = reopened(damaged(MemorySegments(), 1, whole[:cut] + tail))
        kept = sum(1 for end in ends if end <= cut)
        last_end = max([0, *[end for end in ends if end <= cut]])
        assert report.last_sequence == max(0, kept - 1)
        assert (report.cut_bytes, report.cut_offset) == (cut + len(tail) - last_end, last_end)
        assert bool(report.cut_file) == (report.cut_bytes > 0)
        assert [record for _, record in journal.replay()] == records[: max(0, kept - 1)]
        assert journal.append(Done("next")) == report.last_sequence + 1
        assert list(journal.replay(report.last_sequence)) == [(report.last_sequence + 1, Done("next"))]


def test_a_torn_header_of_a_new_segment_continues_the_one_before() -> None:
    segments = memory([Done(str(number)) for number in range(20)], segment_bytes=200)
    last = segments.numbers()[-1]
    segments.open(last + 1, 0)
    segments.write(b"\xc1N\x10")
    journal, report = reopened(segments)
    assert (report.last_sequence, report.cut_bytes) == (20, 3)
    assert journal.append(Done("next")) == 21
    assert [sequence for sequence, _ in journal.replay()] == list(range(1, 22))


def test_damage_followed_by_sound_records_is_an_error_that_names_file_and_offset(tmp_path: Path) -> None:
    data = bytearray(memory([Done(str(number)) for number in range(5)]).read(1))
    ends = [end for end, _ in frames(memoryview(bytes(data)))]
    data[ends[2] + HEADER.size + 1] ^= 1
    (tmp_path / "00000001.log").write_bytes(data)
    journal = SegmentedJournal(DirectorySegments(tmp_path), RECORD_TYPES)
    with pytest.raises(CorruptFile, match=f"00000001.log is damaged at byte {ends[2]}") as caught:
        journal.recover()
    assert caught.value.offset == ends[2]
    assert (tmp_path / "00000001.log").read_bytes() == data


def test_damage_in_an_older_segment_shows_in_replay() -> None:
    segments = memory([Done(str(number)) for number in range(40)], segment_bytes=200)
    data = segments.read(2)
    journal, _ = reopened(damaged(segments, 2, data[:-3]))
    with pytest.raises(CorruptFile, match=r"segment 2 .* cannot be read"):
        list(journal.replay())


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "00000001.log").write_bytes(frame(msgspec.msgpack.encode({"type": "other"})))
    with pytest.raises(CorruptFile, match="not a segment"):
        SegmentedJournal(DirectorySegments(tmp_path), RECORD_TYPES).recover()


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    header = {"type": "nautilus.journal", "format": 2, "first_sequence": 1}
    (tmp_path / "00000001.log").write_bytes(frame(msgspec.msgpack.encode(header)))
    with pytest.raises(StoreError, match="format 2"):
        SegmentedJournal(DirectorySegments(tmp_path), RECORD_TYPES).recover()


def test_a_record_of_a_type_no_longer_known_is_named() -> None:
    segments = memory([Placed("a", 1)])
    journal = SegmentedJournal(segments, (Done,))
    journal.recover()
    with pytest.raises(StoreError, match="another version"):
        list(journal.replay())


def test_record_types_need_tags() -> None:
    class Untagged(msgspec.Struct):
        value: int

    with pytest.raises(TypeError, match="Untagged needs a tag"):
        SegmentedJournal(MemorySegments(), (Untagged,))


def test_the_next_frame_is_found_past_false_markers() -> None:
    data = b"\xc1N\xff\xff\xff\xff\xc1N" + frame(b"payload")
    assert next_frame(data, 0) == 8
    assert next_frame(data, 8) is None


class CountingDisk(MemorySegments):
    """Counts synchronisations, and fails them when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.syncs = 0
        self.synced = threading.Event()
        self.error: OSError | None = None

    def sync(self) -> None:
        self.syncs += 1
        self.synced.set()
        if self.error is not None:
            raise self.error


async def test_many_records_share_one_synchronisation() -> None:
    disk = CountingDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES, group_commit=True)
    journal.recover()
    journal.start()
    durable: list[int] = []
    for _ in range(1000):
        sequence = journal.append(Done("a"))
        journal.when_durable(sequence, lambda sequence=sequence: durable.append(sequence))
    assert durable == []
    await journal.flush()
    await asyncio.sleep(0)
    assert durable == list(range(1, 1001))
    assert disk.syncs == 1
    await journal.stop()


async def test_synchronisations_keep_their_distance() -> None:
    disk = CountingDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES, group_commit=True)
    journal.recover()
    journal.start()
    loop = asyncio.get_running_loop()
    started = loop.time()
    for _ in range(10):
        journal.append(Done("a"))
        await journal.flush()
    assert disk.syncs == 10
    assert loop.time() - started >= 9 * 0.005 * 0.9
    await journal.stop()


async def test_records_nobody_waits_for_are_synchronised_too() -> None:
    disk = CountingDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES, group_commit=True)
    journal.recover()
    journal.start()
    journal.append(Done("a"))
    assert await asyncio.to_thread(disk.synced.wait, 5)
    await journal.stop()


async def test_after_a_failed_synchronisation_nothing_is_called_durable() -> None:
    disk = CountingDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES, group_commit=True)
    journal.recover()
    journal.start()
    disk.error = OSError(5, "Input/output error")
    durable: list[int] = []
    failed: list[StoreError] = []
    journal.when_durable(journal.append(Done("a")), lambda: durable.append(1), failed.append)
    with pytest.raises(StoreError, match="Input/output error"):
        await journal.flush()
    await asyncio.sleep(0)
    assert durable == []
    assert len(failed) == 1
    assert len(journal.problems()) == 1
    disk.error = None
    with pytest.raises(StoreError, match="Input/output error"):
        await journal.flush()
    with pytest.raises(StoreError):
        await journal.stop()


class TornDisk(MemorySegments):
    """Takes part of a write and cannot undo it."""

    broken = False

    def write(self, data: bytes) -> None:
        if self.broken:
            raise StoreError("a partial write could not be undone")
        super().write(data)


def test_a_partial_write_that_cannot_be_undone_ends_the_journal() -> None:
    disk = TornDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES)
    journal.recover()
    journal.append(Done("a"))
    disk.broken = True
    with pytest.raises(StoreError, match="undone"):
        journal.append(Done("b"))
    disk.broken = False
    with pytest.raises(StoreError, match="undone"):
        journal.append(Done("c"))
    assert journal.problems() == ["a partial write could not be undone"]
    assert list(journal.replay()) == [(1, Done("a"))]


class ProtectedDisk(MemorySegments):
    """Does not let anything be removed."""

    def delete(self, number: int) -> None:
        raise OSError(30, "Read-only file system")


def test_segments_that_cannot_be_removed_are_named_and_stay() -> None:
    disk = ProtectedDisk()
    journal = SegmentedJournal(disk, RECORD_TYPES, segment_bytes=200)
    journal.recover()
    for number in range(40):
        journal.append(Done(str(number)))
    size = journal.size_bytes
    with pytest.raises(DiskRefused, match=r"segment 1 in memory could not be removed: Read-only file system \(EROFS\)"):
        journal.prune(30)
    assert journal.size_bytes == size == len(journal.bytes())
    assert len(list(journal.replay())) == 40


async def test_pruning_while_the_loop_appends_keeps_count(tmp_path: Path) -> None:
    journal = SegmentedJournal(DirectorySegments(tmp_path), RECORD_TYPES, segment_bytes=300)
    await asyncio.to_thread(journal.recover)
    for number in range(300):
        journal.append(Done(str(number)))
    pruning = asyncio.create_task(asyncio.to_thread(journal.prune, 100))
    for number in range(300):
        journal.append(Done(str(number)))
        await asyncio.sleep(0)
    assert await pruning > 0
    assert journal.size_bytes == len(await asyncio.to_thread(journal.bytes))
    await journal.stop()

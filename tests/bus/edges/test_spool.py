"""The spool: what was put in is sent in order, and once acknowledged not again, whatever happens to the process."""

import asyncio
import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nautilus.bus.edges import spool as spool_module
from nautilus.bus.edges.codec import Codec, Packet
from nautilus.bus.edges.outbox import Sender
from nautilus.bus.edges.spool import SpoolOutbox
from nautilus.errors import StoreError
from nautilus.store.errors import StoreInUse
from tests.bus.edges.edge_nodes import ALERTS, alert

CODEC = Codec()


def sender(instance: str = "i1", batch: int = 3) -> Sender:
    return Sender(codec=CODEC, instance=instance, timestamp_ns=lambda: 1_000_000_000, batch_max_events=batch)


async def opened(directory: Path | None, instance: str = "i1", **options: Any) -> SpoolOutbox:
    outbox = SpoolOutbox(sender(instance), directory=directory, **{"max_bytes": 1 << 20, **options})
    await asyncio.to_thread(outbox.open)
    return outbox


def said(packets: list[Packet]) -> list[tuple[str, int]]:
    """Id and number of each message of some packets."""
    found = []
    for packet in packets:
        fields = packet.fields("n")
        entry = CODEC.read({k: v if isinstance(v, bytes) else str(v).encode() for k, v in fields.items()})
        for event in entry.events:
            message = CODEC.decode_message(event.topic, event.payload)
            found.append((entry.header.message_id(event), message.ts_event))
    return found


async def drain(outbox: SpoolOutbox) -> list[tuple[str, int]]:
    found = []
    while len(outbox):
        found += said(await outbox.take())
        await outbox.settle()
    return found


async def test_what_was_not_acknowledged_is_sent_by_the_next_process_under_the_same_ids(tmp_path: Path) -> None:
    first = await opened(tmp_path, "i1")
    for number in range(200):
        first.put(ALERTS, alert(number))
    acknowledged = said(await first.take())
    await first.settle()
    taken = said(await first.take())  # sent, and the answer never came
    await first.close()
    second = await opened(tmp_path, "i2")
    second.put(ALERTS, alert(200))
    found = await drain(second)
    await second.close()
    assert found[: len(taken)] == taken
    assert [number for _, number in acknowledged + found] == list(range(201))
    assert [identity.split("-")[0] for identity, _ in found] == ["i1"] * (len(found) - 1) + ["i2"]
    assert second.own_instances == {"i1", "i2"}


async def test_another_process_may_not_share_the_folder(tmp_path: Path) -> None:
    first = await opened(tmp_path)
    with pytest.raises(StoreInUse):
        await opened(tmp_path)
    await first.close()
    await (await opened(tmp_path)).close()


async def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        await opened(tmp_path / "file" / "spool")


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_full_spool_refuses_counts_and_takes_again_when_there_is_room(tmp_path: Path, in_memory: bool) -> None:
    outbox = await opened(None if in_memory else tmp_path, max_bytes=65_536)
    number = 0
    while not outbox.counts.dropped.total:
        outbox.put(ALERTS, alert(number))
        number += 1
    assert any("full" in problem for problem in outbox.problems())
    assert outbox.waiting_bytes <= 65_536
    assert [one for _, one in await drain(outbox)] == list(range(number - 1))
    outbox.put(ALERTS, alert(number))
    assert len(outbox) == 1
    assert outbox.problems() == ["1 messages were refused and reach no other process"]
    await outbox.close()


def open_files() -> int:
    """How many files this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.log"))


async def test_files_of_what_was_acknowledged_are_deleted_and_closed(tmp_path: Path) -> None:
    outbox = await opened(tmp_path, max_bytes=131_072)
    files = open_files()
    for turn in range(20):
        for number in range(300):
            outbox.put(ALERTS, alert(turn * 300 + number))
        assert [number for _, number in await drain(outbox)] == [turn * 300 + number for number in range(300)]
    assert await asyncio.to_thread(size, tmp_path) < 3 * 131_072
    assert open_files() < files + 8
    await outbox.close()
    heir = await opened(tmp_path, "i2")
    assert not len(heir)
    assert heir.own_instances == {"i1", "i2"}
    await heir.close()


async def test_a_disk_that_refuses_is_a_problem_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = await opened(tmp_path)

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        outbox.put(ALERTS, alert(1))
    assert outbox.counts.dropped.by_topic() == {ALERTS: 1}
    assert any("No space left" in problem for problem in outbox.problems())
    outbox.put(ALERTS, alert(2))
    assert [number for _, number in await drain(outbox)] == [2]
    await outbox.close()


class SpoolMachine(RuleBasedStateMachine):
    """Any order of putting, taking, acknowledging, dying and starting again."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.window = spool_module.WINDOW_EVENTS
        spool_module.WINDOW_EVENTS = 10  # so that the disk is read back
        self.instance = 0
        self.number = 0
        self.waiting: list[int] = []
        self.taken: list[int] = []
        self.outbox = self.open()

    def open(self) -> SpoolOutbox:
        self.instance += 1
        outbox = SpoolOutbox(sender(f"i{self.instance}"), directory=Path(self.folder.name), max_bytes=1 << 20)
        outbox._segment_bytes = outbox._journal._segment_bytes = 2_000
        outbox.open()
        return outbox

    @rule(count=st.integers(1, 40))
    def put(self, count: int) -> None:
        for _ in range(count):
            self.outbox.put(ALERTS, alert(self.number))
            self.waiting.append(self.number)
            self.number += 1

    @precondition(lambda self: self.waiting and not self.taken)
    @rule()
    def take(self) -> None:
        self.taken = [number for _, number in said(self.loop.run_until_complete(self.outbox.take()))]
        assert self.taken
        assert self.taken == self.waiting[: len(self.taken)]

    @precondition(lambda self: self.taken)
    @rule()
    def settle(self) -> None:
        self.loop.run_until_complete(self.outbox.settle())
        del self.waiting[: len(self.taken)]
        self.taken = []

    @rule()
    def die_and_start_again(self) -> None:
        self.loop.run_until_complete(self.outbox.close())
        self.taken = []
        self.outbox = self.open()
        assert len(self.outbox.own_instances) == min(self.instance, spool_module.MOST_PREDECESSORS)

    @invariant()
    def as_many_wait_as_were_put_and_not_acknowledged(self) -> None:
        assert len(self.outbox) == len(self.waiting)

    def teardown(self) -> None:
        spool_module.WINDOW_EVENTS = self.window
        self.loop.run_until_complete(self.outbox.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)

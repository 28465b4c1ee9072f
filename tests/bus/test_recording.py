"""Recording a bus and playing it again: the same messages in the same order at the same times, or a stated reason."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nautilus.bus import Bus, Policy
from nautilus.bus.recording import Batch, Recording, channel_patterns
from nautilus.bus.replaying import ReplayReport, replay
from nautilus.clock import LiveClock, TestClock
from nautilus.errors import Conflict, Invalid, NotFound, StoreError
from nautilus.model import Channel, topics
from nautilus.model.messages import ComputeRequest, RiskAlert, SystemAlert, TradingControl
from nautilus.store.errors import CorruptFile
from nautilus.store.framing import frame, frames
from nautilus.testing import make_quote, make_trade

Stream = list[tuple[str, int, Any]]

prices = st.integers(-(2**40), 2**40)
quotes = st.builds(lambda price: ("quote.A.X", make_quote("A.X", price, price + 1)), prices)
trades = st.builds(lambda price: ("trade.B.X", make_trade("B.X", price)), prices)
alerts = st.builds(
    lambda text, value: (
        "risk_alert.global",
        RiskAlert(ts_event=1, scope="global", kind="x", severity="info", message=text, value=value),
    ),
    st.text(),
    st.none() | st.floats(allow_nan=False),
)
controls = st.builds(
    lambda kill: ("control.trading", TradingControl(ts_event=2, state="halted", kill_switch=kill)), st.booleans()
)
published = st.lists(st.tuples(st.integers(0, 10**12), quotes | trades | alerts | controls), max_size=30)


def publish(bus: Bus, topic: str, message: Any) -> None:
    bus.publish(topic, message)  # type: ignore[arg-type]


async def record(path: Path, stream: Stream, **options: Any) -> None:
    """Record a stream as it is published at its times."""
    bus, clock = Bus(), TestClock(stream[0][1] if stream else 0)
    async with await Recording.start(bus, clock, path, **options):
        for topic, ts, message in stream:
            clock.set_time(ts)
            publish(bus, topic, message)


async def played(path: Path, **options: Any) -> tuple[Stream, ReplayReport]:
    """What a replay publishes, and at which times of its clock."""
    bus, clock = Bus(), TestClock()
    seen: Stream = []
    bus.tap(">", lambda topic, message: seen.append((topic, clock.timestamp_ns(), message)))
    report = await replay(path, bus, clock, **options)
    return seen, report


def quote_stream(count: int) -> Stream:
    return [("quote.A.X", 1_000 + number, make_quote("A.X", number, number + 1)) for number in range(count)]


@given(published)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_played_is_what_was_recorded(tmp_path: Path, steps: list[tuple[int, tuple[str, Any]]]) -> None:
    now, stream = 0, []
    for wait, (topic, message) in steps:
        now += wait
        stream.append((topic, now, message))
    path = tmp_path / "bus.recording"
    path.unlink(missing_ok=True)
    asyncio.run(record(path, stream))
    seen, report = asyncio.run(played(path))
    assert seen == stream
    assert [type(message) for _, _, message in seen] == [type(message) for _, _, message in stream]
    assert (report.messages, report.missing, report.torn_bytes) == (len(stream), 0, 0)


async def test_a_channel_is_recorded_without_the_others(tmp_path: Path) -> None:
    bus = Bus()
    async with await Recording.start(bus, TestClock(5), tmp_path / "x", Channel.MARKETDATA) as recording:
        publish(bus, "quote.A.X", make_quote())
        publish(bus, "control.trading", TradingControl(ts_event=1, state="active", kill_switch=False))
    assert recording.report().messages == 1
    assert not recording.report().running
    assert {topics.message_type(pattern).channel for pattern in channel_patterns(Channel.MARKETDATA)} == {
        Channel.MARKETDATA
    }


async def test_a_message_under_several_patterns_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "x"
    await record(path, quote_stream(3), patterns=("quote.*.X", "quote.A.*", "quote.>"))
    seen, _ = await played(path)
    assert seen == quote_stream(3)


async def test_a_cause_is_recorded_before_what_follows_from_it(tmp_path: Path) -> None:
    bus, path = Bus(), tmp_path / "x"
    alert = SystemAlert(ts_event=1, source="s", severity="info", code="c", message="m")
    bus.subscribe(topics.ALL_QUOTES, lambda quote: bus.publish(topics.system_alert("s"), alert))
    async with await Recording.start(bus, TestClock(), path):
        publish(bus, "quote.A.X", make_quote())
    seen, _ = await played(path)
    assert [topic for topic, _, _ in seen] == ["quote.A.X", "system_alert.s"]


async def test_a_full_buffer_drops_counts_and_tells_the_one_who_plays(tmp_path: Path) -> None:
    bus, path = Bus(), tmp_path / "x"
    async with await Recording.start(bus, TestClock(), path, buffer_messages=3) as recording:
        for topic, _, message in quote_stream(10):
            publish(bus, topic, message)
    assert recording.report().dropped == 7
    seen, report = await played(path)
    assert [message for _, _, message in seen] == [message for _, _, message in quote_stream(3)]
    assert report.missing == 7


async def test_messages_without_a_form_on_disk_are_refused_and_counted(tmp_path: Path) -> None:
    bus, path = Bus(), tmp_path / "x"
    async with await Recording.start(bus, TestClock(), path) as recording:
        request = ComputeRequest(ts_event=1, request_id="1", kernel="k", arguments=(np.zeros(3),))
        bus.publish(topics.compute_request("k"), request)
        publish(bus, "backtest_start.x", {"no": "type"})
        publish(bus, "quote.A.X", make_quote())
    assert (recording.report().refused, recording.report().messages) == (2, 1)
    assert (await played(path))[1].messages == 1


async def test_a_recording_that_reaches_its_limit_says_so_and_is_good_up_to_there(tmp_path: Path) -> None:
    bus, path = Bus(), tmp_path / "x"
    recording = await Recording.start(bus, TestClock(), path, longest_file_bytes=400)
    for topic, _, message in quote_stream(2):
        publish(bus, topic, message)
    async with asyncio.timeout(5):
        while recording.report().messages < 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
    for topic, _, message in quote_stream(100):
        publish(bus, topic, message)
    with pytest.raises(StoreError, match="400 bytes"):
        await recording.stop()
    assert path.stat().st_size <= 400
    assert (await played(path))[1].messages == 2


async def test_a_torn_end_is_left_out_and_counted(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    await record(whole, quote_stream(1_200))  # three batches
    data = whole.read_bytes()
    ends = [end for end, _ in frames(memoryview(data))]
    for size in (ends[0], ends[0] + 1, ends[1] - 1, ends[1], ends[1] + 9, ends[1] + 11, ends[2] - 1):
        cut.write_bytes(data[:size])
        seen, report = await played(cut)
        last = max(end for end in ends if end <= size)
        assert report.torn_bytes == size - last
        assert seen == quote_stream(1_200)[: 512 * (ends.index(last))]


async def test_damage_that_sound_records_follow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    await record(path, quote_stream(1_200))
    data = bytearray(path.read_bytes())
    data[next(frames(memoryview(data)))[0] + 50] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match="sound records follow"):
        await played(path)


async def test_a_message_that_its_topics_type_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    await record(path, [])
    batch = Batch(0, [("quote.A.X", 1, msgspec.Raw(msgspec.msgpack.encode({"type": "trade"})))])
    with path.open("ab") as file:
        file.write(frame(msgspec.msgpack.encode(batch)))
    with pytest.raises(CorruptFile, match="cannot be decoded"):
        await played(path)


@pytest.mark.parametrize("content", [b"", b"hello, world", frame(b"\x80"), frame(msgspec.msgpack.encode({"a": 1}))])
async def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(Invalid, match="no recording"):
        await played(path)


async def test_a_recording_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    header = {"format": "nautilus bus recording", "version": 2, "started_ns": 0, "patterns": []}
    path.write_bytes(frame(msgspec.msgpack.encode(header)))
    with pytest.raises(Invalid, match="version 2"):
        await played(path)


async def test_impossible_recordings_and_replays_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "x"
    await record(path, [])
    with pytest.raises(Conflict, match="already"):
        await record(path, [])
    for options, field in (
        ({"patterns": ()}, "patterns"),
        ({"patterns": "quote.>"}, "patterns"),
        ({"patterns": ("quote.>", "nonsense.>")}, "topic"),
        ({"buffer_messages": 0}, "buffer_messages"),
    ):
        with pytest.raises(Invalid) as caught:
            await record(tmp_path / "new", [], **options)
        assert caught.value.field == field
    assert not (tmp_path / "new").exists()
    with pytest.raises(StoreError, match="cannot be made"):
        await record(tmp_path / "no folder" / "x", [])
    with pytest.raises(NotFound):
        await played(tmp_path / "nothing")
    for speed in (0, -1, float("nan"), 1e9):
        with pytest.raises(Invalid, match="speed"):
            await played(path, speed=speed)


async def test_timers_of_a_test_clock_fire_between_the_messages_as_they_did(tmp_path: Path) -> None:
    path, bus, clock = tmp_path / "x", Bus(), TestClock()
    await record(path, [("quote.A.X", ts, make_quote()) for ts in (100, 200, 300)])
    seen: list[Any] = []
    clock.set_time_alert_ns("a", 200, lambda event: seen.append("alert"))
    clock.set_time_alert_ns("b", 250, lambda event: seen.append("alert"))
    bus.subscribe(topics.ALL_QUOTES, lambda quote: seen.append(clock.timestamp_ns()))
    await replay(path, bus, clock)
    assert seen == [100, "alert", 200, "alert", 300]


async def test_a_replay_at_a_speed_takes_its_time(tmp_path: Path) -> None:
    path = tmp_path / "x"
    await record(path, [("quote.A.X", number * 50_000_000, make_quote()) for number in range(5)])
    loop = asyncio.get_running_loop()
    started = loop.time()
    report = await replay(path, Bus(), LiveClock(), speed=2)
    assert loop.time() - started >= 0.09
    assert (report.messages, report.first_ns, report.last_ns) == (5, 0, 200_000_000)


async def test_only_what_is_wanted_is_played_and_waiting_mailboxes_lose_nothing(tmp_path: Path) -> None:
    path, bus = tmp_path / "x", Bus()
    others: Stream = [("trade.A.X", 5_000, make_trade())]
    await record(path, quote_stream(700) + others)
    seen: list[Any] = []

    async def handle(message: Any) -> None:
        await asyncio.sleep(0)
        seen.append(message)

    _, box = bus.mailbox(topics.ALL_QUOTES, handle, policy=Policy.WAIT, capacity=2)
    task = asyncio.create_task(box.run())
    report = await replay(path, bus, TestClock(), patterns=["quote.>"])
    await box.drain()
    task.cancel()
    assert seen == [message for _, _, message in quote_stream(700)]
    assert report.messages == 700

"""The node: order of start and stop, failing engines, recovery, snapshots."""

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from nautilus.bus import Policy
from nautilus.config import load_config
from nautilus.engines import registry
from nautilus.engines.base import Engine, EngineConfig, StopStage
from nautilus.engines.registry import start_order
from nautilus.errors import Conflict, StoreError
from nautilus.model import EngineType, topics
from nautilus.model.messages import SystemAlert
from nautilus.node import Node
from nautilus.testing import Capture, make_node


class Noted(msgspec.Struct, frozen=True, tag="noted"):
    text: str


class RecorderConfig(EngineConfig, frozen=True, kw_only=True):
    greeting: Annotated[str, Meta(description="What is noted first.")] = "hello"


class Recorder(Engine[RecorderConfig]):
    """Notes texts in the journal."""

    name = "recorder"
    prefix = "/recorder"
    engine_type = EngineType.ANALYTICS
    config_type = RecorderConfig
    record_types = (Noted,)
    life: ClassVar[list[str]] = []

    async def setup(self) -> None:
        self.texts: list[str] = []
        self.life.append(f"{self.name} setup")
        self.defer(lambda: self.life.append(f"{self.name} undone"))

    async def activate(self) -> None:
        self.life.append(f"{self.name} activate")

    def note(self, text: str) -> None:
        self.store.journal.append(Noted(text))
        self.texts.append(text)

    def recover(self, record: msgspec.Struct) -> None:
        if isinstance(record, Noted):
            self.texts.append(record.text)

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self.texts)

    def restore(self, data: bytes) -> None:
        self.texts = msgspec.msgpack.decode(data)


class Follower(Recorder):
    name = "follower"
    depends_on = ("recorder", "absent")
    stop_stage = StopStage.STRATEGIES


class Broken(Recorder):
    name = "broken"

    async def setup(self) -> None:
        await super().setup()
        self.subscribe(topics.ALL_QUOTES, print)
        raise RuntimeError("no licence")


@pytest.fixture(autouse=True)
def engine_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    classes: dict[str, type[Engine[Any]]] = {kind.name: kind for kind in (Recorder, Follower, Broken, Failing)}
    monkeypatch.setattr(registry, "engine_type", classes.__getitem__)
    monkeypatch.setattr("nautilus.node.engine_type", classes.__getitem__)
    Recorder.life.clear()


async def test_engines_start_by_dependency_act_dependents_first_and_stop_in_stages() -> None:
    async with make_node(["follower", "recorder"]):
        pass
    assert Recorder.life == [
        "recorder setup",
        "follower setup",
        "follower activate",
        "recorder activate",
        "follower undone",
        "recorder undone",
    ]


async def test_a_failing_engine_is_disabled_undone_and_named_and_the_rest_come_up() -> None:
    async with make_node(["broken", "recorder"], {"log.level": "error"}) as node:
        assert node.ready
        assert node["recorder"].running
        health = node["broken"].health()
        assert health.status == "down"
        assert "no licence" in health.reasons[0]
        assert node.bus.subscriptions == ()


async def test_starting_and_stopping_twice_leaves_nothing_behind() -> None:
    for _ in range(2):
        node = make_node(["recorder"])
        async with node:
            node["recorder"].every(1_000, print)
        await node.stop()
        assert node.clock.timer_count == 0
        assert node.bus.subscriptions == ()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_the_journal_is_replayed_and_a_snapshot_shortens_it(tmp_path: Path) -> None:
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        node["recorder"].note("one")
        await node.snapshot()
        node["recorder"].note("two")
        # as after a crash: what comes after the snapshot stands in the journal only
        node["recorder"].snapshot = lambda: None
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        assert node["recorder"].texts == ["one", "two"]
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        assert node["recorder"].texts == ["one", "two"]


async def test_a_start_that_is_broken_off_before_recovery_leaves_the_snapshots_alone(tmp_path: Path) -> None:
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        node["recorder"].note("one")
    interrupted = make_node(["recorder", "follower"], directory=str(tmp_path))

    async def broken_off() -> None:
        raise asyncio.CancelledError

    interrupted["follower"].setup = broken_off
    with pytest.raises(asyncio.CancelledError):
        await interrupted.start()
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        assert node["recorder"].texts == ["one"]


async def test_a_handler_that_fails_is_counted_and_told_on_the_bus() -> None:
    async with make_node(["recorder"], {"log.level": "error"}) as node:
        alerts: Capture[Any] = Capture(node.bus, "error_alert.>")

        def fail(message: Any) -> None:
            raise ValueError("bad handler")

        node["recorder"].subscribe("system_alert.>", fail)
        node.log = node.log.bind()
        alert = SystemAlert(ts_event=0, source="test", severity="info", code="x", message="")
        node.bus.publish(topics.system_alert("test"), alert)
        assert node["recorder"].stats.errors == 1
        assert alerts.messages[0].error == "ValueError: bad handler"
        assert alerts.messages[0].source == "recorder"


async def test_nested_deliveries_are_charged_to_the_engine_that_did_the_work() -> None:
    async with make_node(["recorder", "follower"]) as node:
        outer, inner = node["recorder"], node["follower"]
        outer.subscribe("system_alert.a", lambda message: outer.publish("system_alert.b", message))
        inner.subscribe("system_alert.b", lambda message: sum(range(200_000)))
        node.bus.publish("system_alert.a", None)  # type: ignore[arg-type]
        assert inner.stats.busy_ns > 5 * outer.stats.busy_ns
        assert (outer.stats.inputs, outer.stats.outputs, inner.stats.inputs) == (1, 1, 1)


class Failing(Recorder):
    """Fails in the step that its class says."""

    name = "failing"
    step: ClassVar[str] = ""

    def _may_fail(self, step: str) -> None:
        if self.step == step:
            raise RuntimeError(f"{step} went wrong")

    async def prepare(self) -> None:
        self.defer(lambda: self.life.append("prepared undone"))
        self.every(1_000, print)
        self._may_fail("prepare")

    async def setup(self) -> None:
        await super().setup()
        self.subscribe(topics.ALL_QUOTES, print)
        self.spawn(asyncio.Event().wait())  # type: ignore[arg-type] # it never returns
        self._may_fail("start")

    async def activate(self) -> None:
        self._may_fail("activate")

    def restore(self, data: bytes) -> None:
        self._may_fail("restore")
        super().restore(data)

    def recover(self, record: msgspec.Struct) -> None:
        self._may_fail("recover")
        super().recover(record)

    def snapshot(self) -> bytes:
        self._may_fail("snapshot")
        return super().snapshot()


@pytest.mark.parametrize("step", ["prepare", "start", "restore", "recover", "activate"])
async def test_an_engine_that_fails_at_any_step_is_undone_and_the_others_come_up(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_node(["failing", "recorder"], directory=str(tmp_path)) as node:
        node["failing"].note("one")
        await node.snapshot()
        node["failing"].note("two")
        node["failing"].snapshot = lambda: None
    before = asyncio.all_tasks()
    monkeypatch.setattr(Failing, "step", step)
    async with make_node(["failing", "recorder"], {"log.level": "error"}, directory=str(tmp_path)) as node:
        assert node.ready
        assert node["recorder"].running
        health = node["failing"].health()
        assert (health.status, health.reasons) == ("down", (f"{step} failed: RuntimeError: {step} went wrong",))
        assert node.bus.subscriptions == ()
        assert node.clock.timer_count == 0
        assert Recorder.life.count("prepared undone") == 2
        assert asyncio.all_tasks() == before
    monkeypatch.setattr(Failing, "step", "")
    async with make_node(["failing"], directory=str(tmp_path)) as node:
        assert node["failing"].texts == ["one", "two"]


async def test_a_snapshot_that_fails_keeps_the_older_one_and_the_others_get_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_node(["failing", "recorder"], {"log.level": "error"}, directory=str(tmp_path)) as node:
        await node.snapshot()
        before = node.store.state.get("snapshots", "failing")
        node["recorder"].note("more")
        monkeypatch.setattr(Failing, "step", "snapshot")
        await node.snapshot()
        assert node.store.state.get("snapshots", "failing") == before
        saved = msgspec.msgpack.decode(node.store.state.get("snapshots", "recorder") or b"")
        assert msgspec.msgpack.decode(saved["data"]) == ["more"]
        monkeypatch.setattr(Failing, "step", "")


async def test_an_engine_whose_task_fails_at_once_is_degraded_and_acts_all_the_same() -> None:
    async def broken() -> None:
        raise ValueError("no feed")

    node = make_node(["recorder"], {"log.level": "error"})
    recorder, activate = node["recorder"], node["recorder"].activate

    async def setup_and_fail() -> None:
        await Recorder.setup(recorder)  # type: ignore[arg-type]
        recorder.spawn(broken())
        await asyncio.sleep(0)

    recorder.setup, recorder.activate = setup_and_fail, activate  # type: ignore[method-assign]
    async with node:
        health = recorder.health()
        assert (health.status, health.reasons) == ("degraded", ("ValueError: no feed",))
        assert "recorder activate" in Recorder.life


async def test_a_node_is_started_once_and_a_second_start_leaves_it_running() -> None:
    async with make_node(["recorder"]) as node:
        with pytest.raises(Conflict, match="started once"):
            await node.start()
        assert node.ready
        assert node["recorder"].running


async def test_stopping_at_the_same_time_twice_stops_once_and_both_wait_for_it() -> None:
    node = make_node(["recorder"])
    await node.start()
    order: list[str] = []

    async def teardown() -> None:
        order.append("begun")
        await asyncio.sleep(0.01)
        order.append("ended")

    node["recorder"].teardown = teardown  # type: ignore[method-assign]
    close = node.store.close

    async def closing() -> None:
        order.append("store")
        await close()

    node.store.close = closing  # type: ignore[method-assign]
    await asyncio.gather(node.stop(), node.stop())
    assert order == ["begun", "ended", "store", "store"]


async def test_an_engine_that_starts_again_has_its_alerts_undone_again() -> None:
    async with make_node(["recorder"]) as node:
        engine = node["recorder"]
        for _ in range(2):
            engine.alert(node.clock.timestamp_ns() + 1_000, print)
            await engine.stop()
            assert node.clock.timer_count == 0
            await engine.start()


async def test_a_task_that_is_cancelled_before_it_begins_leaves_nothing_behind() -> None:
    async with make_node(["recorder"]) as node:
        task = node["recorder"].spawn(asyncio.sleep(10))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_engine_whose_kernel_does_not_compile_is_named_and_the_rest_come_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Uncompilable:
        name = "some.kernel"

        def warm(self) -> float:
            raise TypeError("cannot determine the type")

    monkeypatch.setattr(Failing, "kernels", (Uncompilable(),))
    options = {"log.level": "error", "accel.compile_at_start": True}
    async with make_node(["failing", "recorder"], options) as node:
        assert node["recorder"].running
        (reason,) = node["failing"].health().reasons
        assert "some.kernel: TypeError: cannot determine the type" in reason


@pytest.mark.parametrize("damage", ["a file in its place", "garbage"])
async def test_a_store_that_does_not_open_is_one_error_and_leaves_nothing_behind(damage: str, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    if damage == "garbage":
        directory.mkdir()
        (directory / "state.sqlite").write_bytes(b"this is no database " * 100)
    else:
        directory.write_text("not a folder")
    before, threads = asyncio.all_tasks(), threading.active_count()
    node = make_node(["recorder"], directory=str(directory))
    with pytest.raises(StoreError, match="data"):
        await node.start()
    assert not node.ready
    assert asyncio.all_tasks() == before
    assert threading.active_count() <= threads + 2  # the loop's own
    assert node.clock.timer_count == 0


async def test_stopping_while_kernels_compile_waits_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Slow:
        name = "slow"

        def warm(self) -> float:
            begun.set()
            let_go.wait(20)
            return 0.0

    monkeypatch.setattr("nautilus.node.COMPUTATION_SECONDS", 0.05)
    monkeypatch.setattr(Recorder, "kernels", (Slow(),))
    node = make_node(["recorder"], {"log.level": "error", "accel.compile_at_start": True})
    starting = asyncio.create_task(node.start())
    assert await asyncio.to_thread(begun.wait, 5)
    starting.cancel()
    async with asyncio.timeout(2):
        await asyncio.gather(starting, return_exceptions=True)
    assert starting.cancelled()
    assert node.accel.busy == 1
    let_go.set()
    await node.accel.closed()


async def test_a_fast_engine_waits_for_a_slow_ones_mailbox() -> None:
    async with make_node(["recorder", "follower"]) as node:
        seen: list[int] = []

        async def slowly(message: Any) -> None:
            await asyncio.sleep(0)
            seen.append(message)

        box = node["follower"].mailbox("system_alert.x", slowly, policy=Policy.WAIT, capacity=2)  # type: ignore[arg-type]
        for number in range(20):
            await node["recorder"].publish_waiting("system_alert.x", number)  # type: ignore[arg-type]
        await box.drain()
        assert seen == list(range(20))
        assert (box.dropped, node["recorder"].stats.outputs) == (0, 20)


async def test_who_listens_to_errors_and_fails_is_counted_and_not_told_of_itself_for_ever() -> None:
    async with make_node(["recorder"], {"log.level": "error"}) as node:
        calls: list[Any] = []

        def fail(message: Any) -> None:
            calls.append(message)
            raise ValueError("no")

        node["recorder"].subscribe("error_alert.>", fail)  # type: ignore[arg-type]
        node["recorder"].subscribe("system_alert.>", fail)  # type: ignore[arg-type]
        node.bus.publish("system_alert.x", None)  # type: ignore[arg-type]
        assert len(calls) == 2
        assert node["recorder"].stats.errors == 2


def test_a_circle_of_dependencies_is_refused() -> None:
    class One(Recorder):
        name = "one"
        depends_on = ("two",)

    class Two(Recorder):
        name = "two"
        depends_on = ("one",)

    with pytest.raises(Conflict, match="circle"):
        start_order({"one": One, "two": Two})


async def test_jobs_run_fail_cancel_and_are_remembered(tmp_path: Path) -> None:
    config = load_config(
        overrides={"store.directory": str(tmp_path), "log.level": "error", "accel.compile_at_start": False},
        environment={},
    )

    async def good(progress: Any) -> dict[str, int]:
        progress.report(0.5, "half")
        return {"answer": 42}

    async def bad(progress: Any) -> None:
        raise ValueError("no data")

    async def endless(progress: Any) -> None:
        await asyncio.Event().wait()

    async with Node(config, engines=[]) as node:
        done = await node.jobs.wait(node.jobs.start("good", good).id)
        assert (done.status, done.fraction, bytes(done.result)) == ("succeeded", 1.0, b'{"answer":42}')
        failed = await node.jobs.wait(node.jobs.start("bad", bad).id)
        assert (failed.status, failed.error) == ("failed", "ValueError: no data")
        stuck = node.jobs.start("endless", endless)
        await asyncio.sleep(0)
        node.jobs.cancel(stuck.id)
        assert (await node.jobs.wait(stuck.id)).status == "cancelled"
        with pytest.raises(Conflict):
            node.jobs.cancel(stuck.id)
    async with Node(config, engines=[]) as node:
        assert [job.status for job in node.jobs.all()] == ["succeeded", "failed", "cancelled"]
        assert node.jobs.start("good", good).id == "good-4"


async def test_records_that_every_snapshot_holds_are_pruned_where_nobody_wants_them_kept(tmp_path: Path) -> None:
    options = {"store.journal_retention": "recovery"}
    async with make_node(["recorder", "follower"], options, directory=str(tmp_path)) as node:
        pruned: list[int] = []
        node.store.journal.prune = lambda through: pruned.append(through) or 0
        prune = node._snapshots.prune
        node["recorder"].note("one")
        await prune(node.engines.values())
        assert pruned == []  # nothing is in a snapshot yet
        await node.snapshot()
        node["recorder"].note("two")
        await prune(node.engines.values())
        node["follower"].snapshot = lambda: None
        await node.snapshot()
        await prune(node.engines.values())
        assert pruned == [1, 1]  # the follower's snapshot still ends at the first
    async with make_node(["recorder"], directory=str(tmp_path)) as node:
        node.store.journal.prune = pruned.append
        await node._snapshots.prune(node.engines.values())
        assert len(pruned) == 2


async def test_old_days_of_the_catalog_are_pruned_once_a_day(tmp_path: Path) -> None:
    async with make_node(["recorder"], {"store.catalog_days": 7}, directory=str(tmp_path)) as node:
        asked: list[int] = []

        async def note(before_ns: int) -> int:
            asked.append(before_ns)
            return 0

        node.store.catalog.prune = note
        day_ns = 86_400 * 10**9
        for _ in range(3):
            await node._snapshots.prune(node.engines.values())
        node.clock.advance_time(day_ns)
        await node._snapshots.prune(node.engines.values())
        today = node.clock.timestamp_ns() // day_ns
        assert asked == [(today - 8) * day_ns, (today - 7) * day_ns]

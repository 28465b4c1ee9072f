"""The node: order of start and stop, failing engines, recovery, snapshots."""

import asyncio
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from msgspec import Meta

from nautilus.config import load_config
from nautilus.engines import registry
from nautilus.engines.base import Engine, EngineConfig, StopStage
from nautilus.engines.registry import start_order
from nautilus.errors import Conflict
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
    classes: dict[str, type[Engine[Any]]] = {kind.name: kind for kind in (Recorder, Follower, Broken)}
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

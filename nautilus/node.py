"""The running system: builds clock, bus, store, accelerator and engines; starts and stops them in order.

Start: open the store, compile the kernels, set up the engines by dependency, take back their snapshots, replay the
journal, then let them act, dependents first. An engine that fails in any of these is disabled and named; the rest
come up.
Stop, in stages, each with a time-out: strategies, then a last snapshot, the other engines, sockets, jobs, store.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

import msgspec

from nautilus.accel import Accelerator, Compilation
from nautilus.bus import Bus
from nautilus.clock import Clock, LiveClock, TestClock
from nautilus.config import NodeConfig, derive_config, load_config
from nautilus.engines.base import Engine, EngineConfig, StopStage
from nautilus.engines.context import Context
from nautilus.engines.registry import engine_entry_points, engine_type, start_order
from nautilus.errors import Conflict, NautilusError, NotFound, StoreError
from nautilus.jobs import Jobs
from nautilus.log import make_logger
from nautilus.loop_lag import LoopLag
from nautilus.model import Deposit, InstrumentRegistry, OrderEvent, topics
from nautilus.model.messages import ErrorAlert

if TYPE_CHECKING:
    from nautilus.store.base import Store

SLOW_START_SECONDS = 5.0
STOP_SECONDS = 3.0
COMPUTATION_SECONDS = 1.0
"""How long stopping waits for a computation, or a compilation, that nobody can interrupt and nobody waits for."""
_SNAPSHOTS = "snapshots"


class Snapshot(msgspec.Struct, frozen=True):
    """An engine's state after the journal's record number `sequence`."""

    sequence: int
    data: bytes


class Node:
    """One running platform. Use it as an async context manager; nothing touches the disk before it is entered.

    A node is started once.

    `engines` limits which engines are loaded (default: all that the configuration enables).
    """

    def __init__(
        self,
        config: NodeConfig | None = None,
        *,
        clock: Clock | None = None,
        store: "Store | None" = None,
        engines: Iterable[str] | None = None,
        progress: Callable[[Compilation], None] | None = None,
    ) -> None:
        self.config = config or load_config(environment={})
        types = self._select(engines)
        self.log = make_logger(self.config.log, self.config.name)
        self.bus = Bus(on_error=self._handler_failed)
        self.clock = clock or LiveClock(on_error=self._timer_failed)
        self.store = store or self._make_store(types)
        self.accel = Accelerator(self.config.accel.threads)
        self.jobs = Jobs(self.clock, self.store)
        self.loop_lag = LoopLag()
        self.instruments = InstrumentRegistry()
        self.ready = False
        self.became_ready = asyncio.Event()
        self.started_ns = 0
        self.context = Context(
            node_id=self.config.name,
            clock=self.clock,
            bus=self.bus,
            instruments=self.instruments,
            store=self.store,
            accel=self.accel,
            jobs=self.jobs,
            log=self.log,
            loaded=frozenset(types),
            private_node=self._private_node,
        )
        self.engines: dict[str, Engine[Any]] = {
            name: types[name](self._section(name, types[name]), self.context) for name in start_order(types)
        }
        self._progress = progress
        self._snapshot_task: asyncio.Task[None] | None = None
        self._was_started = False
        self._recovered = False
        self._is_alerting = False
        self._stopping = asyncio.Lock()

    def _private_node(self, overrides: Mapping[str, Any], *, clock: Clock, engines: Iterable[str]) -> "Node":
        """A node of its own that keeps nothing, configured like this one but for `overrides` (dotted keys)."""
        settings = {"store.directory": ":memory:", "accel.compile_at_start": False, **overrides}
        return Node(derive_config(self.config, settings), clock=clock, engines=engines)

    def _select(self, names: Iterable[str] | None) -> dict[str, type[Engine[Any]]]:
        if names is not None:
            return {name: engine_type(name) for name in names}
        types = {name: engine_type(name) for name in engine_entry_points()}
        return {name: kind for name, kind in types.items() if self._section(name, kind).enabled}

    def _section(self, name: str, kind: type[Engine[Any]]) -> EngineConfig:
        section: EngineConfig = self.config.engines.get(name) or kind.config_type()
        return section

    def _make_store(self, types: dict[str, type[Engine[Any]]]) -> "Store":
        from nautilus.store.embedded import EmbeddedStore

        records = (*get_args(OrderEvent), Deposit, *(record for kind in types.values() for record in kind.record_types))
        if self.config.store.directory == ":memory:":
            return EmbeddedStore.in_memory(record_types=records)
        directory = Path(self.config.store.directory).expanduser()
        return EmbeddedStore(directory, record_types=records, sync=self.config.store.sync)

    def __getitem__(self, name: str) -> Engine[Any]:
        try:
            return self.engines[name]
        except KeyError:
            raise NotFound("engine", name) from None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- start ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; returns when the node is ready. Raises StoreError where the store does not open."""
        if self._was_started:
            raise Conflict("a node is started once; make a new one")
        self._was_started = True
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        await self._open_store()
        self.jobs.recover()
        self.loop_lag.start()
        if isinstance(self.clock, LiveClock):
            self.clock.attach()
        await self._compile()
        for engine in self._healthy():
            await self._guard(engine, engine.prepare(), "prepare")
        for engine in self._healthy():
            await self._set_up(engine)
        await self._recover()
        self._recovered = True
        for engine in reversed(self._running()):
            await self._guard(engine, engine.activate(), "activate")
        self.started_ns = self.clock.timestamp_ns()
        if not isinstance(self.clock, TestClock):
            self._snapshot_task = asyncio.get_running_loop().create_task(self._snapshot_regularly())
        self.ready = True
        self.became_ready.set()
        self.log.info("node.ready", engines=[name for name, engine in self.engines.items() if engine.running])

    async def _open_store(self) -> None:
        try:
            report = await self.store.open()
        except NautilusError:
            raise
        except Exception as error:
            raise StoreError(
                f"the store in {self.config.store.directory} does not open: {type(error).__name__}: {error}"
            ) from error
        if report.cut_bytes:
            self.log.warning(
                "journal.torn_tail_cut", file=report.cut_file, offset=report.cut_offset, bytes=report.cut_bytes
            )

    async def _compile(self) -> None:
        for engine in self.engines.values():
            self.accel.register(engine.kernels)
        if not self.config.accel.compile_at_start:
            return
        failures = (await self.accel.compile(self._progress)).failures
        for engine in self.engines.values():
            broken = [f"{kernel.name}: {failures[kernel.name]}" for kernel in engine.kernels if kernel.name in failures]
            if broken:
                engine.failure = f"kernels do not compile: {'; '.join(broken)}"
                self.log.error("engine.disabled", engine=engine.name, reason=engine.failure)

    def _healthy(self) -> list[Engine[Any]]:
        return [engine for engine in self.engines.values() if engine.failure is None]

    def _running(self) -> list[Engine[Any]]:
        return [engine for engine in self.engines.values() if engine.running]

    async def _set_up(self, engine: Engine[Any]) -> None:
        started = time.perf_counter()
        await self._guard(engine, engine.start(), "start")
        seconds = time.perf_counter() - started
        if seconds > SLOW_START_SECONDS:
            self.log.warning("engine.slow_start", engine=engine.name, seconds=round(seconds, 1))

    async def _guard(self, engine: Engine[Any], step: Awaitable[None], name: str) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001 - whatever it is, the others come up
            await self._disable(engine, error, name)

    async def _disable(self, engine: Engine[Any], error: Exception, step: str) -> None:
        engine.failure = f"{step} failed: {type(error).__name__}: {error}"
        expected = isinstance(error, NautilusError)  # it says all there is to say
        self.log.error(
            "engine.disabled", engine=engine.name, reason=engine.failure, exc_info=None if expected else error
        )
        await self._within(engine.stop(), engine.name)

    async def _recover(self) -> None:
        """Give each engine its snapshot, then every later record of the journal; what cannot take them is disabled."""
        known: dict[str, int] = {}
        for engine in self._running():
            try:
                known[engine.name] = self._restore(engine)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others come up
                await self._disable(engine, error, "restore")
        listeners = [engine for engine in self._running() if type(engine).recover is not Engine.recover]
        if not listeners:
            return
        for sequence, record in self.store.journal.replay(min(known[engine.name] for engine in listeners)):
            for engine in listeners:
                if sequence <= known[engine.name]:
                    continue
                try:
                    engine.recover(record)
                except Exception as error:  # noqa: BLE001 - whatever it is, the others come up
                    listeners = [other for other in listeners if other is not engine]
                    await self._disable(engine, error, "recover")

    def _restore(self, engine: Engine[Any]) -> int:
        """Hand the engine its snapshot; returns the number of the last record that is in it."""
        data = self.store.state.get(_SNAPSHOTS, engine.name)
        if data is None:
            return 0
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
        engine.restore(snapshot.data)
        return snapshot.sequence

    # -- stop ----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Take everything down; a second call does nothing, and returns when the first is done."""
        self.ready = False
        async with self._stopping:
            await self._stop()

    async def _stop(self) -> None:
        if self._snapshot_task is not None:
            self._snapshot_task.cancel()
            await asyncio.gather(self._snapshot_task, return_exceptions=True)
            self._snapshot_task = None
        for stage in StopStage:
            if stage is not StopStage.SOCKETS and self._recovered:  # else it would hide what has not been read back
                await self._within(self.snapshot(), "snapshot")
            for engine in reversed(self.engines.values()):
                if engine.stop_stage is stage:
                    await self._within(engine.stop(), engine.name)
        await self._within(self.jobs.close(), "jobs")
        self.loop_lag.stop()
        self.clock.cancel_timers()
        self.accel.close()
        await self._within(self.store.close(), "store")
        await self._within(self.accel.closed(), "accel", COMPUTATION_SECONDS)

    async def _within(self, step: Awaitable[None], name: str, seconds: float = STOP_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except TimeoutError:
            self.log.warning("stop.timed_out", part=name, seconds=seconds)
        except Exception:
            self.log.exception("stop.failed", part=name)

    # -- snapshots -----------------------------------------------------------------------------------------------

    async def snapshot(self) -> None:
        """Save the state of every engine that keeps one, so that recovery starts there."""
        taken: dict[str, Snapshot] = {}
        for engine in self.engines.values():
            data = self._taken(engine)
            if data is not None:
                taken[engine.name] = Snapshot(self.store.journal.last_sequence, data)
                await asyncio.sleep(0)  # each engine's work is a stall of its own, not one of them all
        if not taken:
            return
        await self.store.journal.flush()
        for name, snapshot in taken.items():
            self.store.state.put(_SNAPSHOTS, name, msgspec.msgpack.encode(snapshot))
        await self.store.state.flush()

    def _taken(self, engine: Engine[Any]) -> bytes | None:
        """The engine's snapshot; one that fails keeps its older one, and the others get theirs."""
        try:
            return engine.snapshot() if engine.running else None
        except Exception:
            self.log.exception("snapshot.failed", engine=engine.name)
            return None

    async def _snapshot_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.config.store.snapshot_seconds)
            try:
                await self.snapshot()
            except Exception:
                self.log.exception("snapshot.failed")

    # -- failures ------------------------------------------------------------------------------------------------

    def _handler_failed(self, source: str, error: Exception, count: int) -> None:
        if count & (count - 1) == 0:
            self.log.error("handler.failed", source=source, count=count, exc_info=error)
        if self._is_alerting:  # who listens to the alerts has failed: counted and logged, but not told again
            return
        alert = ErrorAlert(
            ts_event=self.clock.timestamp_ns(), source=source, error=f"{type(error).__name__}: {error}", count=count
        )
        self._is_alerting = True
        try:
            self.bus.publish(topics.error_alert(source.split(".", maxsplit=1)[0] or "unknown"), alert)
        finally:
            self._is_alerting = False

    def _timer_failed(self, name: str, error: Exception) -> None:
        self.log.error("timer.failed", timer=name, exc_info=error)

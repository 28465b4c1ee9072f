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

from nautilus.accel import Accelerator, Compilation
from nautilus.bus import Bus
from nautilus.clock import Clock, ClockStep, LiveClock, TestClock
from nautilus.compute import ComputeService
from nautilus.config import NodeConfig, derive_config, load_config
from nautilus.engines.base import Engine, EngineConfig, StopStage
from nautilus.engines.context import Context
from nautilus.engines.registry import engine_entry_points, engine_type, start_order
from nautilus.errors import ConfigError, Conflict, NautilusError, NotFound, StoreError
from nautilus.jobs import Jobs
from nautilus.log import make_logger
from nautilus.loop_lag import LoopLag
from nautilus.model import Deposit, InstrumentRegistry, OrderEvent, topics
from nautilus.model.messages import ErrorAlert, SystemAlert
from nautilus.snapshots import Snapshots
from nautilus.store.errors import StoreInUse
from nautilus.store.lock import DirectoryLock

if TYPE_CHECKING:
    from nautilus.cluster import Cluster
    from nautilus.ownership import Ownership
    from nautilus.store.base import Store

SLOW_START_SECONDS = 5.0
STOP_SECONDS = 3.0
STORE_SECONDS = 15.0
"""A store on another machine is given longer: what is not there yet stays here, and is sent at the next start."""
EDGES_SECONDS = 8.0
"""Servers that are frozen are given their time each way; what could not be sent must still be closed on the disk."""
DIRECTORY_SECONDS = 0.5
"""How often a node looks whether the former owner of its accounts has let go of the folder."""
COMPUTATION_SECONDS = 1.0
"""How long stopping waits for a computation, or a compilation, that nobody can interrupt and nobody waits for."""


class Node:
    """One running platform. Use it as an async context manager; nothing touches the disk before it is entered.

    A node is started once.

    `engines` limits which engines are loaded (default: all that the configuration enables); `address` ("host:port") is
    where the node answers, for others to know.
    """

    def __init__(
        self,
        config: NodeConfig | None = None,
        *,
        clock: Clock | None = None,
        store: "Store | None" = None,
        engines: Iterable[str] | None = None,
        progress: Callable[[Compilation], None] | None = None,
        address: str = "",
    ) -> None:
        self.config = config or load_config(environment={})
        types = self._select(engines)
        self.log = make_logger(self.config.log, self.config.name)
        self.bus = Bus(on_error=self._handler_failed)
        self.clock = clock or LiveClock(on_error=self._timer_failed, on_step=self._clock_stepped)
        self.store = store or self._make_store(types)
        accel = self.config.accel
        self.accel = Accelerator(accel.threads, cache_bytes=accel.cache_bytes, memory_bytes=accel.memory_bytes)
        self.compute = ComputeService(self.bus, self.accel, self.clock)
        self.jobs = Jobs(self.clock, self.store)
        self.loop_lag = LoopLag()
        self.instruments = InstrumentRegistry()
        self.ready = False
        self.became_ready = asyncio.Event()
        self.cluster: Cluster | None = None
        self.superseded = ""
        """Why this node must end: another has taken its accounts over. Empty while none has."""
        self.was_superseded = asyncio.Event()
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
        self.address = address
        self._progress = progress
        self._snapshots = Snapshots(self.config.store, self.store, self.clock, self.log)
        self._snapshot_task: asyncio.Task[None] | None = None
        self._was_started = False
        self._recovered = False
        self._is_alerting = False
        self._stopping = asyncio.Lock()

    def _private_node(self, overrides: Mapping[str, Any], *, clock: Clock, engines: Iterable[str]) -> "Node":
        """A node of its own that keeps nothing, configured like this one but for `overrides` (dotted keys)."""
        settings = {
            "store.directory": ":memory:",
            "store.backend": "embedded",
            "accel.compile_at_start": False,
            "accel.calibration": "none",
            "accel.serve_requests": False,
            "edges.enabled": False,
            "ownership.accounts": [],
            **overrides,
        }
        return Node(derive_config(self.config, settings), clock=clock, engines=engines)

    def _select(self, names: Iterable[str] | None) -> dict[str, type[Engine[Any]]]:
        if names is not None:
            return {name: engine_type(name) for name in names}
        types = {name: engine_type(name) for name in self.config.load or engine_entry_points()}
        return {name: kind for name, kind in types.items() if self._section(name, kind).enabled}

    def _section(self, name: str, kind: type[Engine[Any]]) -> EngineConfig:
        section: EngineConfig = self.config.engines.get(name) or kind.config_type()
        return section

    def _make_store(self, types: dict[str, type[Engine[Any]]]) -> "Store":
        from nautilus.store.embedded import EmbeddedStore

        records = (*get_args(OrderEvent), Deposit, *(record for kind in types.values() for record in kind.record_types))
        store = self.config.store
        if store.backend == "postgres":
            if store.directory == ":memory:":
                raise ConfigError("store", "store.directory", 'must be a folder where store.backend is "postgres"')
            from nautilus.store.postgres import PostgresStore

            return PostgresStore(
                store.postgres, Path(store.directory).expanduser(), record_types=records, sync=store.sync
            )
        if store.directory == ":memory:":
            return EmbeddedStore.in_memory(record_types=records)
        return EmbeddedStore(Path(store.directory).expanduser(), record_types=records, sync=store.sync)

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
        if self.config.edges.enabled:
            await self._compile()  # before it stands by: taking over must be quick
            await self._take_over()
        await self._open_store()
        self.jobs.recover()
        self.loop_lag.start()
        if isinstance(self.clock, LiveClock):
            self.clock.attach()
        if self.cluster is None:
            await self._compile()
        for engine in self._healthy():
            await self._guard(engine, engine.prepare(), "prepare")
        if self.cluster is not None:
            await self.cluster.begin()
            await self.cluster.learn()
        for engine in self._healthy():
            await self._set_up(engine)
        await self._recover()
        self._recovered = True
        if self.config.accel.serve_requests:
            self.compute.start()
        if self.cluster is not None:
            await self.cluster.tell()
        for engine in reversed(self._running()):
            await self._guard(engine, engine.activate(), "activate")
        if self.cluster is not None:
            await self.cluster.join()
        if self.superseded:
            raise Conflict(self.superseded)
        self.started_ns = self.clock.timestamp_ns()
        if not isinstance(self.clock, TestClock):
            self._snapshot_task = asyncio.get_running_loop().create_task(self._snapshot_regularly())
        self.ready = True
        self.became_ready.set()
        self.log.info("node.ready", engines=[name for name, engine in self.engines.items() if engine.running])

    async def _take_over(self) -> None:
        """Find the others, and wait until this node owns the accounts that it is to trade."""
        from nautilus.cluster import Cluster

        cluster = self.cluster = await Cluster.make(
            self.config, self.context, engines=tuple(self.engines), on_superseded=self._supersede
        )
        cluster.http = self.address
        if cluster.ownership is not None:
            self.context.why_not_owner = cluster.ownership.why_not_owner
        await cluster.take_over()
        if cluster.ownership is not None:
            await self._wait_for_directory(cluster, cluster.ownership)

    async def _wait_for_directory(self, cluster: "Cluster", ownership: "Ownership") -> None:
        """A former owner that is frozen still has the folder open; the lease is ours, so it ends once it goes on."""
        while reason := await asyncio.to_thread(_in_use, self.config.store.directory):
            if reason != cluster.waits_for_store:
                self.log.warning("node.waits_for_store", reason=reason)
            cluster.waits_for_store = reason
            await asyncio.sleep(DIRECTORY_SECONDS)
            await ownership.take()  # a lease may have been lost meanwhile
        cluster.waits_for_store = ""

    def _supersede(self, reason: str) -> None:
        """Another node trades these accounts: what this one holds is old, and none of it may be written any more."""
        self.superseded = reason
        self.ready = False
        self.log.critical("node.superseded", reason=reason)
        self.was_superseded.set()

    async def _open_store(self) -> None:
        owner = self.cluster.ownership if self.cluster is not None else None
        try:
            report = await self.store.open(await owner.take() if owner is not None else None)
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
        await self.accel.run(self._register_routed)
        await self._load_calibration()
        if not self.config.accel.compile_at_start:
            return
        failures = (await self.accel.compile(self._progress)).failures
        for engine in self.engines.values():
            broken = [f"{kernel.name}: {failures[kernel.name]}" for kernel in engine.kernels if kernel.name in failures]
            if broken:
                engine.failure = f"kernels do not compile: {'; '.join(broken)}"
                self.log.error("engine.disabled", engine=engine.name, reason=engine.failure)

    async def _load_calibration(self) -> None:
        if self.config.accel.calibration == "none":
            return
        absent = self.accel.calibrated.reason
        path = await self.accel.run(_calibration_path, self.config.accel.calibration)
        found = await self.accel.load_calibration(path)
        if found.reason not in ("", absent):
            self.log.warning("accel.calibration_not_used", path=found.path, reason=found.reason)

    def _register_routed(self) -> None:
        from nautilus.accel.kernels import all_kernels

        self.accel.register_routed(all_kernels())

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
                known[engine.name] = self._snapshots.restore(engine)
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
        if self.cluster is not None:
            await self._within(self.cluster.leave(), "edges", EDGES_SECONDS)
        await self._within(self.compute.stop(), "compute")
        await self._within(self.jobs.close(), "jobs")
        self.loop_lag.stop()
        self.clock.cancel_timers()
        self.accel.close()
        await self._within(self.store.close(), "store", STORE_SECONDS)
        if self.cluster is not None:
            await self._within(self.cluster.release(), "cluster")
        await self._within(self.accel.closed(), "accel", COMPUTATION_SECONDS)

    async def _within(self, step: Awaitable[None], name: str, seconds: float = STOP_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except TimeoutError:
            self.log.warning("stop.timed_out", part=name, seconds=seconds)
        except NautilusError as error:  # it says all there is to say
            self.log.error("stop.failed", part=name, reason=str(error))
        except Exception:
            self.log.exception("stop.failed", part=name)

    async def snapshot(self) -> None:
        """Save the state of every engine that keeps one, so that recovery starts there."""
        if not self.superseded:
            await self._snapshots.take(self.engines.values(), lambda: not self.superseded)

    async def _snapshot_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.config.store.snapshot_seconds)
            try:
                await self.snapshot()
                if not self.superseded:
                    await self._snapshots.prune(self.engines.values())
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

    def _clock_stepped(self, step: ClockStep) -> None:
        """Somebody set the machine's clock: whoever measures time by it should know."""
        self.log.warning("clock.stepped", size_ns=step.size_ns)
        alert = SystemAlert(
            ts_event=step.ts,
            source="clock",
            severity="warning",
            code="clock_stepped",
            message=f"the machine's clock was set by {step.size_ns / 1e9:+.6f} s",
        )
        self.bus.publish(topics.system_alert("clock"), alert)

    def _timer_failed(self, name: str, error: Exception) -> None:
        self.log.error("timer.failed", timer=name, exc_info=error)


def _calibration_path(configured: str) -> Path:
    from nautilus.accel.measurements import default_path

    return Path(configured).expanduser() if configured else default_path()


def _in_use(directory: str) -> str:
    """Who has the folder of an embedded store open; nothing where nobody has, or there is no such folder yet."""
    lock = DirectoryLock()
    try:
        lock.acquire(Path(directory).expanduser())
    except StoreInUse as error:
        return str(error)
    except OSError:
        return ""  # opening it says what is wrong
    lock.release()
    return ""

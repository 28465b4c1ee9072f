"""The one shape of every engine: registrations undo themselves, deliveries are counted, health is computed."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextlib import AsyncExitStack
from enum import IntEnum
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from nautilus.bus import Mailbox, Policy
from nautilus.clock import Clock, TimeEvent
from nautilus.engines.context import Context
from nautilus.engines.operation import Operation, Socket
from nautilus.model.enums import EngineType, Quality
from nautilus.model.instruments import InstrumentRegistry

if TYPE_CHECKING:
    from nautilus.accel.kernel import Kernel
    from nautilus.model.topics import Topic


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every engine's section of the configuration has."""

    enabled: Annotated[bool, Meta(description="Load this engine.")] = True


class StopStage(IntEnum):
    """When an engine stops: what acts first, what others still need last."""

    STRATEGIES = 0
    ENGINES = 1
    SOCKETS = 2


class EngineStatistics:
    """Counts of one engine. `histogram[k]` counts deliveries that took from 2**(k-1) up to 2**k nanoseconds."""

    __slots__ = ("busy_ns", "errors", "histogram", "inputs", "last_input_ns", "outputs", "timers_ns")

    def __init__(self) -> None:
        self.inputs = 0
        self.outputs = 0
        self.errors = 0
        self.busy_ns = 0
        self.timers_ns = 0
        """The part of `busy_ns` that went into timers, not into deliveries."""
        self.last_input_ns = 0
        self.histogram = [0] * 64

    def quantile_ns(self, probability: float) -> int | None:
        """Upper bound of the bin that holds the quantile of the time a delivery took, or None without deliveries."""
        total = sum(self.histogram)
        if not total:
            return None
        seen = 0
        for exponent, count in enumerate(self.histogram):
            seen += count
            if seen >= probability * total:
                return 1 << exponent
        return 1 << 63


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's health, computed when asked: live, degraded with the reasons, or down."""

    engine: str
    status: Literal["live", "degraded", "down"]
    reasons: tuple[str, ...]
    inputs: int
    outputs: int
    errors: int
    busy_seconds: float
    last_input_age_seconds: float | None
    delivery_p50_ns: int | None
    delivery_p99_ns: int | None


class Engine[C: EngineConfig](ABC):
    """A plugin of the node. Subclasses name themselves and say in `setup` what they listen to."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    engine_type: ClassVar[EngineType]
    config_type: ClassVar[type[EngineConfig]]
    depends_on: ClassVar[tuple[str, ...]] = ()
    """Engines that are set up before this one, where they are loaded."""
    kernels: "ClassVar[tuple[Kernel[..., Any], ...]]" = ()
    """Kernels to compile at start."""
    record_types: ClassVar[tuple[type[msgspec.Struct], ...]] = ()
    """Tagged Structs that this engine appends to the journal, beside order events and deposits."""
    stop_stage: ClassVar[StopStage] = StopStage.ENGINES
    stale_after_seconds: ClassVar[float | None] = 30.0
    """Without an input for so long the engine is degraded; None where silence is normal."""

    def __init__(self, config: C, context: Context) -> None:
        self.config = config
        self.context = context
        self.clock: Clock = context.clock
        self.instruments: InstrumentRegistry = context.instruments
        self.store = context.store
        self.accel = context.accel
        self.jobs = context.jobs
        self.log = context.log.bind(engine=self.name)
        self.stats = EngineStatistics()
        self.running = False
        self.failure: str | None = None
        self._exit = AsyncExitStack()
        self._timers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life ----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Read what must be known before any engine is set up, such as when recorded data begin.

        What it registers is undone like what `setup` registers.
        """

    @abstractmethod
    async def setup(self) -> None:
        """Register everything; the journal is replayed after all engines are set up."""

    async def activate(self) -> None:
        """Begin to act: everything is set up and recovered. Called for dependents before what they depend on."""

    async def teardown(self) -> None:
        """Finish what the exit stack cannot undo; called before it unwinds."""

    async def start(self) -> None:
        """Set up; what was registered before a failure is undone."""
        self.failure = None
        try:
            await self.setup()
        except BaseException:
            await self._undo()
            raise
        self.running = True

    async def stop(self) -> None:
        """Stop and undo everything registered; a second call does nothing."""
        was_running, self.running = self.running, False
        try:
            if was_running:
                await self.teardown()
        finally:
            await self._undo()

    async def _undo(self) -> None:
        try:
            await self._exit.aclose()
        finally:
            self._cancel_alerts()
            await self._cancel_tasks()

    def recover(self, record: msgspec.Struct) -> None:
        """Take in one record of the journal after a restart; called for each, in order, before `activate`."""

    def snapshot(self) -> bytes | None:
        """Everything that `recover` has built so far, so that older records need not be replayed; None for nothing."""
        return None

    def restore(self, data: bytes) -> None:
        """Take back what `snapshot` gave."""

    def routes(self) -> "list[Operation | Socket] | list[Operation]":
        """HTTP operations below the engine's prefix."""
        return []

    # -- health --------------------------------------------------------------------------------------------------

    def degraded(self) -> list[str]:
        """Reasons why the engine is not what it should be; empty when it is."""
        return []

    def quality(self) -> Quality:
        """What the engine's answers rest on: stale where the market should be moving and nothing has come in."""
        quality = self.context.source.quality
        silence, last = self.stale_after_seconds, self.stats.last_input_ns
        moving = quality in (Quality.LIVE, Quality.SIMULATED)
        if moving and silence is not None and last and perf_counter_ns() - last > silence * 1e9:
            return Quality.STALE
        return quality

    def health(self) -> Health:
        """The engine's health now."""
        stats = self.stats
        age = (perf_counter_ns() - stats.last_input_ns) / 1e9 if stats.last_input_ns else None
        reasons = [self.failure] if self.failure else []
        if self.running:
            reasons += self._degraded()
            if self.stale_after_seconds is not None and age is not None and age > self.stale_after_seconds:
                reasons.append(f"no input for {age:.0f} s")
        elif not reasons:
            reasons.append("not running")
        return Health(
            engine=self.name,
            status="down" if not self.running else "degraded" if reasons else "live",
            reasons=tuple(reasons),
            inputs=stats.inputs,
            outputs=stats.outputs,
            errors=stats.errors,
            busy_seconds=stats.busy_ns / 1e9,
            last_input_age_seconds=age,
            delivery_p50_ns=stats.quantile_ns(0.5),
            delivery_p99_ns=stats.quantile_ns(0.99),
        )

    def _degraded(self) -> list[str]:
        """A check that fails is a reason of its own; it must not hide the health of the others."""
        try:
            return self.degraded()
        except Exception as error:
            self.log.exception("engine.health_check_failed")
            return [f"the health check failed: {type(error).__name__}: {error}"]

    # -- what an engine registers --------------------------------------------------------------------------------

    def publish[M](self, topic: "Topic[M]", message: M) -> None:
        """Publish on the node's bus."""
        self.stats.outputs += 1
        self.context.bus.publish(topic, message)

    async def publish_waiting[M](self, topic: "Topic[M]", message: M) -> None:
        """Publish once every mailbox with the policy `wait` has room."""
        self.stats.outputs += 1
        await self.context.bus.publish_waiting(topic, message)

    def subscribe[M](self, pattern: "Topic[M]", handler: Callable[[M], object]) -> Callable[[], None]:
        """Call `handler` inline with every message under the pattern; returns the undoing, done at stop in any case."""
        subscription = self.context.bus.subscribe(pattern, self._metered(handler), owner=self.name)
        self._exit.callback(subscription.cancel)
        return subscription.cancel

    def mailbox[M](
        self,
        pattern: "Topic[M]",
        handler: Callable[[M], Awaitable[None]],
        *,
        policy: Policy = Policy.DROP_OLDEST,
        capacity: int = 1024,
        key: Callable[[M], Hashable] | None = None,
        priority: Callable[[M], int] | None = None,
    ) -> Mailbox[M]:
        """Queue every message under the pattern for an async handler that runs as a task of this engine.

        What is more urgent overtakes; `priority` says how urgent a message is (default: its topic's family says).
        """

        async def counted(message: M) -> None:
            self.stats.inputs += 1
            self.stats.last_input_ns = perf_counter_ns()
            try:
                await handler(message)
            except Exception:
                self.stats.errors += 1
                raise

        subscription, box = self.context.bus.mailbox(
            pattern, counted, policy=policy, capacity=capacity, key=key, priority=priority, owner=self.name
        )
        self._exit.callback(subscription.cancel)
        self.spawn(box.run())
        return box

    def endpoint(self, name: str, handler: Callable[[Any], Any]) -> None:
        """Answer an endpoint of the bus."""
        self._exit.callback(self.context.bus.register(name, self._metered(handler)))

    def serve(self, name: str, handler: Callable[[Any], Awaitable[Any]]) -> None:
        """Answer requests of the bus."""
        self._exit.callback(self.context.bus.serve(name, handler))

    def every(self, interval_ns: int, callback: Callable[[TimeEvent], object]) -> str:
        """Call back at every interval of the node's clock; returns the timer's name."""
        name = self._timer_name()
        self.clock.set_timer_ns(name, interval_ns, self._guarded(callback))
        self._exit.callback(self.clock.cancel_timer, name)
        return name

    def alert(self, at_ns: int, callback: Callable[[TimeEvent], object]) -> str:
        """Call back once; returns the alert's name, for `clock.cancel_timer`. Still unset alerts are undone at stop."""
        name = self._timer_name()
        self.clock.set_time_alert_ns(name, at_ns, self._guarded(callback))
        return name

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a task until it ends or the engine stops. A failure makes the engine degraded and is logged."""

        async def guarded() -> None:
            try:
                await coroutine
            except Exception as error:
                self.stats.errors += 1
                self.failure = f"{type(error).__name__}: {error}"
                self.log.exception("engine.task_failed")

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            coroutine.close()  # a task that was cancelled before its first step never began it

        task = asyncio.get_running_loop().create_task(guarded(), name=f"{self.name}:{coroutine!r}"[:120])
        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    async def _cancel_tasks(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def defer(self, undo: Callable[[], object]) -> None:
        """Call `undo` when the engine stops."""
        self._exit.callback(undo)

    def _timer_name(self) -> str:
        self._timers += 1
        return f"{self.name}:{self._timers}"

    def _cancel_alerts(self) -> None:
        self.clock.cancel_timers(f"{self.name}:")

    def _metered[M](self, handler: Callable[[M], object]) -> Callable[[M], Any]:
        stats, meter = self.stats, self.context.meter

        def deliver(message: M) -> object:
            outer = meter.nested_ns
            meter.nested_ns = 0
            started = perf_counter_ns()
            stats.inputs += 1
            stats.last_input_ns = started
            try:
                return handler(message)
            except Exception:
                stats.errors += 1
                raise
            finally:
                elapsed = perf_counter_ns() - started
                own = elapsed - meter.nested_ns
                stats.busy_ns += own
                stats.histogram[own.bit_length()] += 1
                meter.nested_ns = outer + elapsed

        return deliver

    def _guarded(self, callback: Callable[[TimeEvent], object]) -> Callable[[TimeEvent], None]:
        """A timer's failure is counted and reported; it stops neither the clock nor the other timers."""

        def call(event: TimeEvent) -> None:
            started = perf_counter_ns()
            outer, self.context.meter.nested_ns = self.context.meter.nested_ns, 0
            try:
                callback(event)
            except Exception:
                self.stats.errors += 1
                self.log.exception("engine.timer_failed", timer=event.name)
            finally:
                elapsed = perf_counter_ns() - started
                own = elapsed - self.context.meter.nested_ns
                self.stats.busy_ns += own
                self.stats.timers_ns += own
                self.context.meter.nested_ns = outer + elapsed

        return call

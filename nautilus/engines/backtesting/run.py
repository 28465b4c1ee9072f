"""One backtest: a private node under a clock that the data move, watched from its bus, told as a report."""

import asyncio
import hashlib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from nautilus import __version__
from nautilus.clock import NANOSECONDS_IN_SECOND, TestClock, TimeEvent
from nautilus.engines.analytics import (
    RoundTripMatcher,
    TradeStatistics,
    drawdown_table,
    performance,
    trade_statistics,
)
from nautilus.engines.backtesting.models import (
    BacktestData,
    BacktestFill,
    BacktestReport,
    BacktestRequest,
    EquityPoint,
    OrderCounts,
)
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.jobs import Progress
from nautilus.model import topics
from nautilus.model.accounts import AccountState
from nautilus.model.market import Quote, Trade
from nautilus.model.messages import PortfolioUpdate, SystemAlert
from nautilus.model.orders import (
    OrderCanceled,
    OrderDenied,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderInitialized,
    OrderModified,
    OrderRejected,
    OrderSubmitted,
)

if TYPE_CHECKING:
    from nautilus.engines.context import Context

SIMULATION_START_NS = 1_704_205_800_000_000_000
"""Simulated backtests begin at 2024-01-02 14:30 UTC."""
TRADING_ENGINES = ("marketdata", "strategy", "risk", "portfolio")
SECONDS_PER_YEAR = 252 * 6.5 * 3600
SLICE_NS = 50_000_000
MOST_FILLS = 10_000
MOST_PROBLEMS = 100
MOST_EQUITY_POINTS = 100_000
_COUNTED = {
    OrderSubmitted: "submitted",
    OrderDenied: "denied",
    OrderRejected: "rejected",
    OrderCanceled: "canceled",
    OrderExpired: "expired",
}


class Observer:
    """What the report needs of a run, taken from the private node's bus."""

    def __init__(self, node: Any, equity_interval_ns: int) -> None:
        self.node = node
        self.market_events = 0
        self.ts_start: int | None = None
        self.account: AccountState | None = None
        self.counts = dict.fromkeys(("submitted", "denied", "rejected", "filled", "canceled", "expired"), 0)
        self.equity: list[EquityPoint] = []
        self.fills: list[BacktestFill] = []
        self.fills_total = 0
        self.matcher = RoundTripMatcher()
        self.trips: list[Any] = []
        self.problems: list[str] = []
        self._working: dict[str, list[int]] = {}
        """Lots ordered and lots filled of the orders that have not ended."""
        self._interval_ns = equity_interval_ns
        bus = node.bus
        bus.subscribe(topics.ALL_QUOTES, self.on_market, owner="backtest")
        bus.subscribe(topics.ALL_TRADES, self.on_market, owner="backtest")
        bus.subscribe(topics.ALL_ORDERS, self.on_order, owner="backtest")
        bus.subscribe(topics.ALL_PORTFOLIOS, self.on_portfolio, owner="backtest")
        bus.subscribe(topics.ALL_SYSTEM_ALERTS, self.on_alert, owner="backtest")

    def on_market(self, event: Quote | Trade) -> None:
        """Count, and note when the data begin."""
        self.market_events += 1
        if self.ts_start is None:
            self.ts_start = event.ts_event
            self.node.clock.set_timer_ns("backtest:equity", self._interval_ns, self.on_interval)
        if isinstance(event, Quote) and event.bid_lots and event.ask_lots:
            self.matcher.mark(event.instrument_id, event.bid_ticks + event.ask_ticks)

    def on_portfolio(self, update: PortfolioUpdate) -> None:
        """Remember the account."""
        self.account = update.account

    def on_alert(self, alert: SystemAlert) -> None:
        """Keep what went wrong, such as a strategy that raised."""
        if alert.severity in ("critical", "emergency") and len(self.problems) < MOST_PROBLEMS:
            self.problems.append(alert.message)

    def on_interval(self, event: TimeEvent) -> None:
        """One point of the equity curve; when they grow too many, every other is dropped and the interval doubled."""
        if self.account is None:
            return
        self.equity.append(EquityPoint(event.ts_event, float(self.account.equity)))
        if len(self.equity) >= MOST_EQUITY_POINTS:
            del self.equity[::2]
            self._interval_ns *= 2
            self.node.clock.set_timer_ns("backtest:equity", self._interval_ns, self.on_interval)

    def on_order(self, event: OrderEvent) -> None:
        """Count, and keep the fills."""
        if isinstance(event, OrderFilled):
            self._fill(event)
        elif isinstance(event, OrderInitialized):
            self._working[event.client_order_id] = [event.order.quantity_lots, 0]
        elif isinstance(event, OrderModified):
            self._working[event.client_order_id][0] = event.quantity_lots
        elif name := _COUNTED.get(type(event)):
            self.counts[name] += 1
            if name != "submitted":
                self._working.pop(event.client_order_id, None)

    def _fill(self, event: OrderFilled) -> None:
        instrument = self.node.instruments[event.instrument_id]
        self.fills_total += 1
        lots = self._working[event.client_order_id]
        lots[1] += event.quantity_lots
        if lots[1] >= lots[0]:
            self.counts["filled"] += 1
            del self._working[event.client_order_id]
        if self.fills_total <= MOST_FILLS:
            self.fills.append(
                BacktestFill(
                    ts=event.ts_event,
                    strategy_id=event.strategy_id,
                    client_order_id=event.client_order_id,
                    instrument_id=event.instrument_id,
                    side=event.side.name.lower(),
                    quantity=instrument.size(event.quantity_lots),
                    price=instrument.price(event.price_ticks),
                    fee=event.fee,
                    liquidity=event.liquidity,
                    rule=event.rule,
                )
            )
        fee = Decimal(event.fee)
        self.trips += self.matcher.fill(
            instrument, event.side, event.quantity_lots, event.price_ticks, fee, event.ts_event
        )

    def statistics(self) -> tuple[dict[str, float | None], tuple[Any, ...]]:
        """Performance statistics and the five deepest drawdowns of the equity curve."""
        values = np.array([point.equity for point in self.equity])
        if len(values) < 2 or not np.all(values > 0):
            return {}, ()
        returns = values[1:] / values[:-1] - 1
        periods = SECONDS_PER_YEAR * NANOSECONDS_IN_SECOND / self._interval_ns
        with np.errstate(all="ignore"):
            found = performance(returns, periods_per_year=periods)
        numbers = {name: float(value) for name, value in found.items()}
        finite = {name: number if np.isfinite(number) else None for name, number in numbers.items()}
        return finite, tuple(drawdown_table(returns, top=5))

    def trades(self) -> TradeStatistics:
        """Statistics of the round trips."""
        return trade_statistics(self.trips)


def check(request: BacktestRequest) -> None:
    """Refuse what cannot run before a job is made of it; raises Invalid or NotFound. Touches the disk."""
    if request.initial_cash <= 0 or not request.initial_cash.is_finite():
        raise Invalid("initial_cash", "must be positive")
    ids = [choice.strategy_id for choice in request.strategies]
    if len(set(ids)) < len(ids):
        raise Invalid("strategies", "each strategy needs a strategy_id of its own")
    if request.data.kind == "recorded":
        if not request.data.path or "\x00" in request.data.path:
            raise Invalid("data.path", "recorded data need a path")
        if not Path(request.data.path).exists():
            raise NotFound("recording", request.data.path)


def overrides(request: BacktestRequest) -> dict[str, Any]:
    """How the private node's configuration differs from its parent's."""
    data = request.data
    market: dict[str, Any] = (
        {"source": "simulated", "seed": data.seed}
        if data.kind == "simulated"
        else {"source": "replay", "replay_path": data.path, "replay_speed": "max"}
    )
    strategies = [
        {"name": choice.strategy_id, "strategy": choice.strategy, "config": choice.parameters}
        for choice in request.strategies
    ]
    return {
        **{f"engines.marketdata.{name}": value for name, value in market.items()},
        "engines.marketdata.record": "never",
        "engines.factor.synchronous": True,
        "engines.strategy.deployments": strategies,
        "engines.portfolio.initial_cash": str(request.initial_cash),
        "log.level": "warning",
    }


def hash_data(data: BacktestData) -> str:
    """SHA-256 of the recording's bytes, or of what determines the simulated market. Touches the disk."""
    digest = hashlib.sha256()
    if data.kind == "simulated":
        digest.update(msgspec.json.encode({"seed": data.seed, "version": __version__}))
        return digest.hexdigest()
    root = Path(data.path)
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if path.is_file():
            digest.update(path.relative_to(root.parent).as_posix().encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


async def run(context: "Context", run_id: str, request: BacktestRequest, progress: Progress) -> BacktestReport:
    """Run a backtest to its end. The loop is given back after every slice of work."""
    data_sha256 = await asyncio.to_thread(hash_data, request.data)
    simulated = request.data.kind == "simulated"
    clock = TestClock(SIMULATION_START_NS if simulated else 0)
    assert context.private_node is not None
    engines = (*TRADING_ENGINES, *request.engines)
    node = context.private_node(overrides(request), clock=clock, engines=engines)
    observer = Observer(node, round(request.equity_interval_seconds * NANOSECONDS_IN_SECOND))
    async with node:
        _check_started(node, observer)
        if simulated:
            await _simulate(clock, request.data.duration_seconds, progress)
        else:
            await _replay(node, progress)
        return _report(run_id, request, node, observer, data_sha256)


def _check_started(node: Any, observer: Observer) -> None:
    failures = [f"{name}: {engine.failure}" for name, engine in node.engines.items() if engine.failure]
    failures += observer.problems
    if failures:
        raise Conflict("; ".join(failures))


async def _simulate(clock: TestClock, seconds: float, progress: Progress) -> None:
    start, end = clock.timestamp_ns(), clock.timestamp_ns() + round(seconds * NANOSECONDS_IN_SECOND)
    while clock.timestamp_ns() < end:
        clock.advance_to(min(end, clock.timestamp_ns() + SLICE_NS))
        progress.report((clock.timestamp_ns() - start) / (end - start))
        await asyncio.sleep(0)


async def _replay(node: Any, progress: Progress) -> None:
    engine = node["marketdata"]
    while not engine.finished.is_set():
        if engine.failure:
            raise Conflict(f"marketdata: {engine.failure}")
        progress.report(engine.messages_done / max(1, engine.replay.messages) if engine.replay else 0.0)
        try:
            async with asyncio.timeout(0.2):
                await engine.finished.wait()
        except TimeoutError:
            continue


def _report(run_id: str, request: BacktestRequest, node: Any, observer: Observer, data_sha256: str) -> BacktestReport:
    if observer.account is None:
        raise Conflict("the data held nothing that the portfolio could be marked with")
    statistics, drawdowns = observer.statistics()
    return BacktestReport(
        run_id=run_id,
        request=request,
        data_description=node["marketdata"].describe_source(),
        data_sha256=data_sha256,
        code_version=__version__,
        ts_start=observer.ts_start or 0,
        ts_end=node.clock.timestamp_ns(),
        market_events=observer.market_events,
        account=observer.account,
        orders=OrderCounts(**observer.counts),
        statistics=statistics,
        trades=observer.trades(),
        drawdowns=drawdowns,
        equity=tuple(observer.equity),
        fills=tuple(observer.fills),
        fills_total=observer.fills_total,
        problems=tuple(observer.problems),
        journal_sha256=hashlib.sha256(node.store.journal.bytes()).hexdigest(),
    )

"""The risk engine: the gate that every order passes, limits that act, and measures of what may be lost.

Nothing here runs by the clock alone: exposures are measured when quotes come, at most every `measure_seconds` of their
time, so that a market without quotes costs nothing, live or in a backtest.
"""

from collections import Counter

import msgspec

from nautilus.clock import TimeEvent
from nautilus.engines.base import Engine
from nautilus.engines.operation import Operation
from nautilus.engines.risk.breaches import UNATTENDED, Breach, BreachStatus
from nautilus.engines.risk.clearances import Clearances
from nautilus.engines.risk.controls import Controls, ManualState
from nautilus.engines.risk.currency_rates import CurrencyRates
from nautilus.engines.risk.equity_watch import EquityWatch
from nautilus.engines.risk.exposures import INFINITE
from nautilus.engines.risk.gate import Gate
from nautilus.engines.risk.holdings import Holdings, HoldingsState
from nautilus.engines.risk.limits import Limit
from nautilus.engines.risk.measures import Measures
from nautilus.engines.risk.models import RiskConfig
from nautilus.engines.risk.pre_trade_caps import set_caps
from nautilus.engines.risk.reports import breach_report, metric_reports, warning_report
from nautilus.engines.risk.return_history import ReturnHistory
from nautilus.engines.risk.risk_store import load_controls, load_monitor, save_controls, save_monitor
from nautilus.engines.risk.routes import risk_routes
from nautilus.engines.risk.volatility import variance_recursion
from nautilus.errors import Conflict, Invalid, NotFound, NotReady
from nautilus.model import topics
from nautilus.model.enums import EngineType
from nautilus.model.instruments import Instrument
from nautilus.model.market import Bar, Quote, Trade
from nautilus.model.messages import (
    Clearance,
    GateDecision,
    MarginUpdate,
    OrderCommand,
    PortfolioUpdate,
    RiskAlert,
    Severity,
    TradingControl,
)
from nautilus.model.orders import CancelOrder, ModifyOrder, OrderEvent, SubmitOrder

GATE = "risk.gate"
REDEEM = "risk.redeem"
UNCHANGED = "risk.unchanged"


class Snapshot(msgspec.Struct, frozen=True):
    """What a restart needs beside the controls and limits, which are stored as they change."""

    holdings: HoldingsState
    watches: dict[str, EquityWatch]


class RiskEngine(Engine[RiskConfig]):
    """Answers at "risk.gate" with a GateDecision, and at "risk.redeem" whether a clearance is good.

    At "risk.unchanged" it hears of an order whose change, once passed, was not carried out.
    """

    name = "risk"
    prefix = "/risk"
    engine_type = EngineType.RISK
    config_type = RiskConfig
    depends_on = ("marketdata",)
    kernels = (variance_recursion,)

    async def setup(self) -> None:
        """Take back controls, limits and breaches, and open the gate."""
        config = self.config
        self.quotes: dict[str, Quote] = {}
        self.last_ticks: dict[str, int] = {}
        self.watches: dict[str, EquityWatch] = {}
        self.denials: Counter[str] = Counter()
        self.passed = 0
        self.rates = CurrencyRates(config.base_currency, config.currency_rates, self.instruments)
        self.holdings = Holdings(self.instruments, config.rules.initial_rate, self.rates.get)
        self.gate = Gate(
            config.rules,
            self.instruments,
            self.holdings,
            self.quotes,
            self.last_ticks,
            needs_equity="portfolio" in self.context.loaded,
            why_not_owner=self.context.why_not_owner,
        )
        self.clearances = Clearances()
        self.history = ReturnHistory(config.return_count + 1, int(config.return_seconds * 1e9))
        self.measures = Measures(config, self.holdings, self.watches, self.history)
        self._measure_ns = int(config.measure_seconds * 1e9)
        self._metric_ns = int(config.metric_seconds * 1e9)
        self._next_measure_ns = self._next_metric_ns = 0
        self._escalation: str | None = None
        self.controls = Controls(self.gate, self.instruments, load_controls(self.store.state))
        self.monitor = load_monitor(self.store.state, config.limits)
        self.gate.killed = self.controls.state.kill.engaged
        self._begun = False
        self.subscribe(topics.ALL_INSTRUMENTS, self.on_instrument)
        self.subscribe(topics.ALL_QUOTES, self.on_quote)
        self.subscribe(topics.ALL_TRADES, self.on_trade)
        self.subscribe(topics.ALL_BARS, self.on_bar)
        self.subscribe(topics.ALL_ORDERS, self.on_order_event)
        self.subscribe(topics.ALL_PORTFOLIOS, self.on_portfolio)
        self.subscribe(topics.ALL_MARGINS, self.on_margin)
        self.subscribe(topics.CONTROL, self.on_control)
        self.endpoint(GATE, self.decide)
        self.endpoint(REDEEM, self.redeem)
        self.endpoint(UNCHANGED, self.holdings.unchanged)

    async def activate(self) -> None:
        """Begin, unless a strategy that acts earlier has asked already."""
        self._begin()

    def _begin(self) -> None:
        """Value what was recovered, enforce what is in force and tell the strategies, before the first decision."""
        if not self._begun:
            self._begun = True
            self.holdings.adopt()
            self.holdings.revalue(self.gate.mark)
            self._set_caps()
            self._apply_controls()
            self._plan_escalation()

    def routes(self) -> list[Operation]:
        """HTTP operations below /risk."""
        return risk_routes(self)

    def degraded(self) -> list[str]:
        """The kill switch, and positions that cannot be valued."""
        reasons = ["the kill switch is engaged"] if self.controls.state.kill.engaged else []
        unpriced = sorted({held.instrument_id for _, held in self.holdings.positions() if held.mark == 0.0})
        return reasons + ([f"no price for positions in {', '.join(unpriced[:10])}"] if unpriced else [])

    def recover(self, record: msgspec.Struct) -> None:
        """Follow the order events of the journal."""
        if isinstance(record, OrderEvent):
            self.holdings.apply(record)

    def snapshot(self) -> bytes:
        """Positions, open orders and equity marks."""
        return msgspec.msgpack.encode(Snapshot(self.holdings.state(), self.watches))

    def restore(self, data: bytes) -> None:
        """Take back what `snapshot` gave."""
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
        self.holdings.restore(snapshot.holdings)
        self.watches.update(snapshot.watches)

    # -- the gate ------------------------------------------------------------------------------------------------

    def decide(self, command: OrderCommand) -> GateDecision:
        """The endpoint "risk.gate". A cancel always passes: it can only make risk smaller."""
        self._begin()
        now = self.clock.timestamp_ns()
        match command:
            case SubmitOrder():
                refusal = self.gate.admit(command, now)
            case ModifyOrder():
                refusal = self.gate.admit_change(command, now)
            case CancelOrder():
                refusal = None
            case _:
                raise Invalid("command", f"is no order command but {type(command).__name__}")
        if refusal is None:
            self.passed += 1
            return GateDecision(clearance=self.clearances.give(command))
        code, reason = refusal
        self.denials[code] += 1
        return GateDecision(code=code, reason=reason)

    def redeem(self, clearance: Clearance) -> bool:
        """The endpoint "risk.redeem": True once for each clearance, and for no order that the kill switch stops."""
        command = clearance.command
        return self.clearances.redeem(clearance) and (
            isinstance(command, CancelOrder) or self.gate.lets_through(command)
        )

    # -- what comes in -------------------------------------------------------------------------------------------

    def on_quote(self, quote: Quote) -> None:
        """Keep the quote; measure when it is time."""
        self.quotes[quote.instrument_id] = quote
        if quote.ts_init >= self._next_measure_ns:
            self._measure()

    def on_trade(self, trade: Trade) -> None:
        """Keep the price of an instrument that has no quotes."""
        if trade.instrument_id not in self.quotes:
            self.last_ticks[trade.instrument_id] = trade.price_ticks
            if trade.ts_init >= self._next_measure_ns:
                self._measure()

    def on_bar(self, bar: Bar) -> None:
        """Keep the close of an instrument that has no quotes."""
        if bar.instrument_id not in self.quotes:
            self.last_ticks[bar.instrument_id] = bar.close_ticks
            if bar.ts_init >= self._next_measure_ns:
                self._measure()

    def on_instrument(self, instrument: Instrument) -> None:
        """Count what is held of an instrument that becomes known."""
        self.holdings.adopt()
        self._set_caps()
        self._apply_controls()

    def on_order_event(self, event: OrderEvent) -> None:
        """Follow orders and fills."""
        self.holdings.apply(event)

    def on_portfolio(self, update: PortfolioUpdate) -> None:
        """Take an account's equity."""
        account = update.account
        rate = self.rates.get(account.currency)
        if rate is None:
            return
        equity, deposits = float(account.equity) * rate, float(account.deposits) * rate
        now = update.ts_event
        watch = self.watches.get(account.account_id)
        if watch is None:
            self.watches[account.account_id] = EquityWatch.begin(equity, deposits, now)
        else:
            watch.update(equity, deposits, now)
        known = account.account_id in self.holdings.accounts
        self.holdings.account(account.account_id).equity = equity
        self.holdings.everything.equity = sum(item.equity for item in self.watches.values())
        if not known:
            self._set_caps()

    def on_margin(self, update: MarginUpdate) -> None:
        """Take an account's margin utilisation; None says that nothing covers the requirement."""
        account = self.holdings.accounts.get(update.account_id)
        if account is not None:
            used = update.utilization
            account.margin_utilization = INFINITE if used is None else used

    def on_control(self, control: TradingControl) -> None:
        """Obey a kill switch thrown by another part of the platform; what was published here is known already."""
        if control.kill_switch and not self.controls.state.kill.engaged:
            self.kill(control.reason or "by message", control.actor or "bus")

    # -- controls ------------------------------------------------------------------------------------------------

    def kill(self, reason: str, actor: str, *, liquidate: bool = False) -> None:
        """Refuse every new order from now on and have all open ones cancelled; the same again changes nothing.

        With `liquidate` the positions are closed too: then reduce-only market orders pass, and nothing else.
        """
        now = self.clock.timestamp_ns()
        if self.controls.kill(now, actor, reason, liquidate=liquidate):
            save_controls(self.store.state, self.controls.state)
            self._apply_controls()
            self._alert_kill("emergency", f"kill switch engaged by {actor}: {reason}")

    def lift_kill(self, reason: str, actor: str) -> None:
        """Let orders through again; raises Conflict where the switch is not engaged."""
        if not self.controls.lift(self.clock.timestamp_ns(), actor, reason):
            raise Conflict("the kill switch is not engaged")
        save_controls(self.store.state, self.controls.state)
        self._apply_controls()
        self._alert_kill("warning", f"kill switch lifted by {actor}: {reason}")

    def set_state(self, manual: ManualState) -> None:
        """Set the trading state of everything or of one strategy; limits may still ask for a stricter one."""
        self.controls.set_manual(manual)
        save_controls(self.store.state, self.controls.state)
        self._apply_controls()

    def restrict(self, instrument_id: str, restricted: bool) -> None:
        """Put an instrument on the restricted list or take it off; raises NotFound, Conflict for a configured one."""
        if restricted:
            self.instruments[instrument_id]
        elif instrument_id in self.config.rules.restricted:
            raise Conflict(f"{instrument_id} is restricted by the configuration")
        elif instrument_id not in self.controls.state.restricted:
            raise NotFound("restricted instrument", instrument_id)
        self.controls.restrict(instrument_id, restricted)
        save_controls(self.store.state, self.controls.state)
        self._apply_controls()

    # -- limits --------------------------------------------------------------------------------------------------

    def put_limit(self, limit: Limit) -> Limit:
        """Set a limit while running; raises Conflict for one that the configuration names."""
        if any(item.limit_id == limit.limit_id for item in self.config.limits):
            raise Conflict(f"limit {limit.limit_id} is set by the configuration")
        self.monitor.put(limit)
        self._limits_changed()
        return limit

    def remove_limit(self, limit_id: str) -> Limit:
        """Take away a limit made while running; raises NotFound, or Conflict for a configured one or an open breach."""
        if any(item.limit_id == limit_id for item in self.config.limits):
            raise Conflict(f"limit {limit_id} is set by the configuration")
        limit = self.monitor.remove(limit_id)
        self._limits_changed()
        return limit

    def move_breach(self, breach_id: str, status: BreachStatus, actor: str, note: str) -> Breach:
        """Change a breach's status; resolving one lifts what it had put in force."""
        breach = self.monitor.move(breach_id, status, self.clock.timestamp_ns(), actor, note)
        self._breaches_changed([breach])
        return breach

    def _limits_changed(self) -> None:
        self._set_caps()
        save_monitor(self.store.state, self.monitor, self.config.limits)
        self._measure()

    def _set_caps(self) -> None:
        set_caps(self.monitor.limits, self.holdings, self.gate)

    # -- measuring -----------------------------------------------------------------------------------------------

    def _measure(self) -> None:
        now = self.clock.timestamp_ns()
        self._next_measure_ns = now + self._measure_ns
        self.rates.update(self.gate.mark)
        self.holdings.revalue(self.gate.mark)
        if self.history.due(now):
            marks = {name: mark for name in (*self.quotes, *self.last_ticks) if (mark := self.gate.mark(name))}
            self.history.add(now, marks)
        self._watch_limits()
        if now >= self._next_metric_ns:
            self._next_metric_ns = now + self._metric_ns
            self._publish_metrics(now)

    def _watch_limits(self, _: TimeEvent | None = None) -> None:
        if not self.monitor.limits:
            return
        now = self.clock.timestamp_ns()
        findings = self.monitor.observe(self.measures.measure, now)
        for use in findings.warned:
            alert = warning_report(use, now)
            self.publish(topics.risk_alert(alert.scope), alert)
        if findings.changed:
            self._breaches_changed(findings.changed)

    def _breaches_changed(self, breaches: list[Breach]) -> None:
        now = self.clock.timestamp_ns()
        for breach in breaches:
            self.publish(topics.risk_breach(breach.limit_id), breach_report(breach, now))
            self.log.warning("risk.breach", breach=breach.breach_id, status=breach.status.value, ratio=breach.ratio)
        save_monitor(self.store.state, self.monitor, self.config.limits)
        self._apply_controls()
        self._plan_escalation()

    def _plan_escalation(self) -> None:
        """Wake up for the next breach that nobody attends to, also when no quotes come."""
        if self._escalation is not None:
            self.clock.cancel_timer(self._escalation)
            self._escalation = None
        limits = {limit.limit_id: limit for limit in self.monitor.limits}
        due = [
            breach.ts_unattended + limits[breach.limit_id].escalate_after_seconds * 1_000_000_000
            for breach in self.monitor.breaches
            if breach.over and breach.status in UNATTENDED and not breach.is_at_the_top and breach.limit_id in limits
        ]
        if due:
            self._escalation = self.alert(min(due), self._watch_limits)

    def _publish_metrics(self, now: int) -> None:
        for account_id in [None, *self.watches]:
            try:
                risk = self.measures.risk(
                    account_id, self.config.method, self.config.confidence, self.config.horizon_seconds
                )
            except (NotReady, Invalid):
                continue
            scope, horizon = account_id or "global", f"{self.config.horizon_seconds:g} s"
            for metric in metric_reports(risk, scope, horizon, now):
                self.publish(topics.risk_metric(metric.name), metric)

    # -- inner ---------------------------------------------------------------------------------------------------

    def _alert_kill(self, severity: Severity, message: str) -> None:
        now = self.clock.timestamp_ns()
        alert = RiskAlert(ts_event=now, scope="global", kind="kill_switch", severity=severity, message=message)
        self.publish(topics.risk_alert(alert.scope), alert)

    def _apply_controls(self) -> None:
        for message in self.controls.apply(self.monitor.breaches, self.clock.timestamp_ns()):
            self.publish(topics.CONTROL, message)

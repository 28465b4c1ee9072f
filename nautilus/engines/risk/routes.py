"""HTTP operations of the risk engine."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from nautilus.engines.operation import Operation, delete, get, post, put
from nautilus.engines.risk.breaches import Breach, BreachStatus
from nautilus.engines.risk.controls import ManualState
from nautilus.engines.risk.limit_monitor import LimitUse
from nautilus.engines.risk.limits import Limit
from nautilus.engines.risk.models import (
    BacktestRequest,
    CheckAnswer,
    CheckEntry,
    CheckRequest,
    ExposureReport,
    KillRequest,
    LiftRequest,
    RestrictedList,
    RiskState,
    StateRequest,
    StepRequest,
    TailRiskRequest,
)
from nautilus.engines.risk.option_routes import option_routes
from nautilus.engines.risk.portfolio_risk import PortfolioRisk
from nautilus.engines.risk.tail_risk import TailMethod, TailRisk, tail_risk
from nautilus.engines.risk.var_backtest import VarBacktest, backtest_value_at_risk
from nautilus.engines.risk.views import check_entries, exposure_report, risk_state
from nautilus.errors import Invalid, NotFound

if TYPE_CHECKING:
    from nautilus.engines.risk.engine import RiskEngine

type Id = Annotated[str, Meta(max_length=64)]


def risk_routes(engine: "RiskEngine") -> list[Operation]:
    """The operations, static paths first."""
    return [*_gate_routes(engine), *_limit_routes(engine), *_measure_routes(engine), *option_routes(engine)]


def _gate_routes(engine: "RiskEngine") -> list[Operation]:
    async def state() -> RiskState:
        """Kill switch, trading states and counts of the gate."""
        return risk_state(engine)

    async def checks() -> list[CheckEntry]:
        """Every check of the gate, and how often it has refused."""
        return check_entries(engine)

    async def check(body: CheckRequest) -> CheckAnswer:
        """Ask what the gate would say to an order, without sending it."""
        engine.instruments[body.instrument_id]
        now = engine.clock.timestamp_ns()
        refusal = engine.gate.check(body.order(now), now)
        code, reason = refusal or ("", "")
        return CheckAnswer(allowed=refusal is None, code=code, reason=reason)

    async def kill(body: KillRequest) -> RiskState:
        """Engage the kill switch: every new order is refused, every open one cancelled, positions closed if asked."""
        engine.kill(body.reason, body.actor, liquidate=body.liquidate)
        return risk_state(engine)

    async def lift(body: LiftRequest) -> RiskState:
        """Release the kill switch."""
        engine.lift_kill(body.reason, body.actor)
        return risk_state(engine)

    async def set_state(body: StateRequest) -> RiskState:
        """Halt, reduce or release trading by hand: everything ("global") or one strategy."""
        engine.set_state(ManualState(scope=body.scope, state=body.state, actor=body.actor, reason=body.reason))
        return risk_state(engine)

    async def restricted() -> RestrictedList:
        """Instruments that may not be traded."""
        return RestrictedList(instrument_ids=tuple(sorted(engine.gate.restricted)))

    async def restrict(instrument_id: Id) -> RestrictedList:
        """Put an instrument on the restricted list."""
        engine.restrict(instrument_id, True)
        return await restricted()

    async def unrestrict(instrument_id: Id) -> RestrictedList:
        """Take an instrument off the restricted list."""
        engine.restrict(instrument_id, False)
        return await restricted()

    async def exposures() -> ExposureReport:
        """Worst-case exposure by account, strategy, sector and currency, and the positions."""
        return exposure_report(engine)

    return [
        get("/state", state),
        put("/state", set_state),
        get("/checks", checks),
        post("/check", check, scope="read"),
        post("/kill", kill, scope="kill"),
        post("/kill/lift", lift, scope="kill"),
        get("/restricted", restricted),
        put("/restricted/{instrument_id}", restrict),
        delete("/restricted/{instrument_id}", unrestrict),
        get("/exposures", exposures),
    ]


def _limit_routes(engine: "RiskEngine") -> list[Operation]:
    async def limits() -> list[LimitUse]:
        """Every limit and how much of it is in use."""
        return engine.monitor.uses

    async def put_limit(body: Limit) -> Limit:
        """Set a limit, new or changed; it is enforced from the next order on."""
        return engine.put_limit(body)

    async def limit(limit_id: Id) -> Limit:
        """One limit."""
        return engine.monitor.limit(limit_id)

    async def remove_limit(limit_id: Id) -> Limit:
        """Take a limit away."""
        return engine.remove_limit(limit_id)

    async def breaches(open_only: bool = False) -> list[Breach]:
        """Breaches of limits, oldest first."""
        return [item for item in engine.monitor.breaches if item.is_open or not open_only]

    async def breach(breach_id: Id) -> Breach:
        """One breach with its history."""
        return engine.monitor.breach(breach_id)

    async def acknowledge(breach_id: Id, body: StepRequest) -> Breach:
        """Take a breach up: it escalates no more by itself."""
        return engine.move_breach(breach_id, BreachStatus.ACKNOWLEDGED, body.actor, body.note)

    async def investigate(breach_id: Id, body: StepRequest) -> Breach:
        """Say that a breach is being looked into."""
        return engine.move_breach(breach_id, BreachStatus.INVESTIGATING, body.actor, body.note)

    async def mitigate(breach_id: Id, body: StepRequest) -> Breach:
        """Say that something is being done about a breach."""
        return engine.move_breach(breach_id, BreachStatus.MITIGATING, body.actor, body.note)

    async def resolve(breach_id: Id, body: StepRequest) -> Breach:
        """Close a breach whose value is back within the limit, and lift what it had put in force."""
        return engine.move_breach(breach_id, BreachStatus.RESOLVED, body.actor, body.note)

    return [
        get("/limits", limits),
        post("/limits", put_limit),
        get("/limits/{limit_id}", limit),
        delete("/limits/{limit_id}", remove_limit),
        get("/breaches", breaches),
        get("/breaches/{breach_id}", breach),
        post("/breaches/{breach_id}/acknowledge", acknowledge),
        post("/breaches/{breach_id}/investigate", investigate),
        post("/breaches/{breach_id}/mitigate", mitigate),
        post("/breaches/{breach_id}/resolve", resolve),
    ]


def _measure_routes(engine: "RiskEngine") -> list[Operation]:
    async def current(
        method: TailMethod = "historical",
        confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.99,
        horizon_seconds: Annotated[float, Meta(gt=0, le=31_536_000)] = 3_600.0,
        account_id: Id = "",
    ) -> PortfolioRisk:
        """Value at risk and expected shortfall of what is held now, in all or of one account."""
        if account_id and account_id not in engine.holdings.accounts:
            raise NotFound("account", account_id)
        held = engine.measures.gather(account_id or None)
        return await engine.accel.run(held.risk, method, confidence, horizon_seconds / engine.config.return_seconds)

    async def compute(body: TailRiskRequest) -> TailRisk:
        """Value at risk and expected shortfall of the returns given."""
        return await engine.accel.run(
            lambda: tail_risk(
                body.returns,
                body.method,
                body.confidence,
                horizon=body.horizon,
                decay=body.decay,
                paths=body.paths,
                seed=body.seed,
            )
        )

    async def backtest(body: BacktestRequest) -> VarBacktest:
        """Test forecasts of value at risk against the returns that came."""
        if len(body.returns) != len(body.value_at_risk):
            raise Invalid("body.value_at_risk", "must have one value for each return")
        return await engine.accel.run(backtest_value_at_risk, body.returns, body.value_at_risk, body.confidence)

    return [
        get("/var", current),
        post("/var", compute, scope="read"),
        post("/var/backtest", backtest, scope="read"),
    ]

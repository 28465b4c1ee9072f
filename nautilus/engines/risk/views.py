"""The risk engine's state as its answers show it."""

from typing import TYPE_CHECKING

from nautilus.engines.risk.denial import MEANINGS
from nautilus.engines.risk.exposures import Exposure
from nautilus.engines.risk.models import CheckEntry, ExposureReport, ExposureView, PositionView, RiskState

if TYPE_CHECKING:
    from nautilus.engines.risk.engine import RiskEngine


def risk_state(engine: "RiskEngine") -> RiskState:
    """What is in force now."""
    gate, kill = engine.gate, engine.controls.state.kill
    return RiskState(
        trading_state="halted" if kill.engaged else gate.holdings.everything.state,
        kill_switch=kill,
        states=engine.controls.halted,
        restricted=tuple(sorted(gate.restricted)),
        base_currency=engine.config.base_currency,
        open_orders=len(gate.holdings.orders),
        passed=engine.passed,
        denied=engine.denials.total(),
        open_breaches=sum(breach.is_open for breach in engine.monitor.breaches),
    )


def check_entries(engine: "RiskEngine") -> list[CheckEntry]:
    """Every check in order, with its count of refusals."""
    return [CheckEntry(code=code, meaning=text, denied=engine.denials[code]) for code, text in MEANINGS.items()]


def exposure_report(engine: "RiskEngine") -> ExposureReport:
    """Sums and positions at the newest marks."""
    holdings = engine.holdings
    holdings.revalue(engine.gate.mark)
    scopes = (
        ("account", holdings.accounts),
        ("strategy", holdings.strategies),
        ("sector", holdings.sectors),
        ("currency", holdings.currencies),
    )
    views = [_view("global", holdings.everything)]
    views += [_view(scope, group) for scope, groups in scopes for group in groups.values()]
    positions = [
        PositionView(
            account_id=account_id,
            instrument_id=held.instrument_id,
            position_lots=held.position,
            open_buy_lots=held.open_buy,
            open_sell_lots=held.open_sell,
            mark_ticks=held.mark,
            value=held.value,
        )
        for account_id, held in holdings.working()
    ]
    return ExposureReport(exposures=views, positions=positions)


def _view(scope: str, group: Exposure) -> ExposureView:
    equity = group.equity
    return ExposureView(
        scope=scope,
        name=group.name,
        gross=group.gross,
        net=group.net,
        long_if_bought=group.net_high,
        short_if_sold=group.net_low,
        largest_position=group.largest,
        initial_margin=group.initial,
        equity=equity,
        leverage=group.gross / equity if equity is not None and equity > 0.0 else None,
    )

"""The risk engine's messages to the rest of the platform."""

from nautilus.engines.risk.breaches import Breach
from nautilus.engines.risk.limit_monitor import LimitUse
from nautilus.engines.risk.portfolio_risk import PortfolioRisk
from nautilus.model.messages import RiskAlert, RiskLimitBreach, RiskMetric


def breach_report(breach: Breach, now_ns: int) -> RiskLimitBreach:
    """A breach as it stands."""
    return RiskLimitBreach(
        ts_event=now_ns,
        breach_id=breach.breach_id,
        limit_id=breach.limit_id,
        kind=breach.kind,
        scope=breach.target or breach.scope,
        value=breach.value,
        limit=breach.limit,
        severity=breach.severity,
        status=breach.status,
        action=breach.action,
    )


def warning_report(use: LimitUse, now_ns: int) -> RiskAlert:
    """A limit that has entered its warning zone."""
    limit, value = use.limit, use.value or 0.0
    return RiskAlert(
        ts_event=now_ns,
        scope=limit.target or limit.scope,
        kind="limit_warning",
        severity="warning",
        message=f"limit {limit.limit_id}: {limit.kind} is {value:.6g}, {value / limit.value:.1%} of {limit.value:.6g}",
        value=value,
        threshold=limit.value,
    )


def metric_reports(risk: PortfolioRisk, scope: str, horizon: str, now_ns: int) -> tuple[RiskMetric, RiskMetric]:
    """Value at risk and expected shortfall of an account, or of everything ("global")."""

    def metric(name: str, value: float) -> RiskMetric:
        return RiskMetric(
            ts_event=now_ns,
            name=name,
            scope=scope,
            value=value,
            confidence=risk.confidence,
            horizon=horizon,
            observations=risk.observations,
        )

    return metric("value_at_risk", risk.value_at_risk), metric("expected_shortfall", risk.expected_shortfall)

"""Limits: what may be measured, where, how much of it, and what happens when it is more."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.errors import Invalid

WARNING_RATIO = 0.8
"""Share of a limit from which it warns, where the limit does not say otherwise."""


class LimitKind(StrEnum):
    """What a limit measures. Money is in the node's base currency; fractions are of equity unless said otherwise."""

    POSITION_SIZE = "position_size"
    """Money: the largest absolute value of one position, its open orders of the worse side filled."""
    GROSS_EXPOSURE = "gross_exposure"
    """Money: the sum of the absolute values of positions, open orders of the worse side filled."""
    NET_EXPOSURE = "net_exposure"
    """Money: the absolute value of long less short, all open orders of the worse side filled."""
    PORTFOLIO_VALUE = "portfolio_value"
    """Money: equity (the capacity of a mandate)."""
    DAILY_LOSS = "daily_loss"
    """Money: equity at the start of the UTC day, less equity now."""
    DRAWDOWN = "drawdown"
    """Fraction: fall of equity from its highest since the engine first saw the account."""
    CONCENTRATION = "concentration"
    """Fraction: the largest position's share of equity."""
    LEVERAGE = "leverage"
    """Multiple: gross exposure over equity."""
    VALUE_AT_RISK = "value_at_risk"
    """Money: value at risk by the configured method, confidence and horizon."""
    EXPECTED_SHORTFALL = "expected_shortfall"
    """Money: expected shortfall by the same."""
    VOLATILITY = "volatility"
    """Fraction a year: exponentially weighted volatility of the portfolio's value."""
    CORRELATION = "correlation"
    """Number up to 1: the largest correlation of two instruments held."""


class LimitScope(StrEnum):
    """What a limit applies to; `target` names which one, and is empty for the global scope."""

    GLOBAL = "global"
    ACCOUNT = "account"
    STRATEGY = "strategy"
    INSTRUMENT = "instrument"
    SECTOR = "sector"
    CURRENCY = "currency"


_EXPOSURES = frozenset({LimitKind.GROSS_EXPOSURE, LimitKind.NET_EXPOSURE})
_OF_AN_ACCOUNT = frozenset(LimitKind)
KINDS_BY_SCOPE: dict[LimitScope, frozenset[LimitKind]] = {
    LimitScope.GLOBAL: _OF_AN_ACCOUNT,
    LimitScope.ACCOUNT: _OF_AN_ACCOUNT,
    LimitScope.STRATEGY: _EXPOSURES | {LimitKind.POSITION_SIZE},
    LimitScope.INSTRUMENT: frozenset({LimitKind.POSITION_SIZE}),
    LimitScope.SECTOR: _EXPOSURES,
    LimitScope.CURRENCY: _EXPOSURES,
}
"""What can be measured in each scope."""

CLOSING_ACTIONS = frozenset({"freeze", "liquidate"})
CLOSABLE_SCOPES = frozenset({LimitScope.GLOBAL, LimitScope.ACCOUNT, LimitScope.STRATEGY})
"""Scopes whose orders can be cancelled and whose positions can be closed as a whole."""

PRE_TRADE_KINDS = _EXPOSURES | {LimitKind.POSITION_SIZE, LimitKind.CONCENTRATION, LimitKind.LEVERAGE}
"""Kinds that the gate also enforces on every order, before it leaves."""

LimitAction = Literal["alert", "reduce_only", "halt", "freeze", "liquidate"]
"""What a breach does, each including the ones before: tell; let through only what makes positions smaller; refuse every
new order; also cancel every open order; also close the positions."""

Severity = Literal["minor", "major", "critical", "emergency"]
LimitId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}$", examples=["desk-gross"])]


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit. Raises Invalid for a kind that its scope cannot measure, or a target that its scope does not take.

    `action` is taken at the breach, `escalated_action` when nobody has acknowledged it for `escalate_after_seconds`.
    """

    limit_id: LimitId
    kind: LimitKind
    value: Annotated[float, Meta(ge=1e-9, le=1e15, description="In the unit of the kind.")]
    scope: LimitScope = LimitScope.GLOBAL
    target: Annotated[str, Meta(max_length=64)] = ""
    warning_ratio: Annotated[float, Meta(ge=0.01, le=1)] = WARNING_RATIO
    action: LimitAction = "alert"
    escalated_action: LimitAction = "halt"
    escalate_after_seconds: Annotated[int, Meta(ge=1, le=604_800)] = 600
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS_BY_SCOPE[self.scope]:
            allowed = ", ".join(sorted(KINDS_BY_SCOPE[self.scope]))
            raise Invalid("kind", f"{self.kind} cannot be measured by {self.scope}; there it may be {allowed}")
        if (self.scope is LimitScope.GLOBAL) != (not self.target):
            raise Invalid("target", "must be empty for the global scope and named for every other")
        for field in ("action", "escalated_action"):
            if getattr(self, field) in CLOSING_ACTIONS and self.scope not in CLOSABLE_SCOPES:
                raise Invalid(field, f"{getattr(self, field)} needs the scope global, account or strategy")


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """How a value stands against a limit: `ratio` = value / limit; `severity` is None up to and at the limit."""

    ratio: float
    warning: bool
    severity: Severity | None


def assess(limit: Limit, value: float) -> Assessment:
    """Stand of a value against a limit.

    A breach is more than the limit; it is minor up to 125% of it, major up to 150%, critical up to 200%, then an
    emergency.

    >>> limit = Limit(limit_id="gross", kind=LimitKind.GROSS_EXPOSURE, value=100.0)
    >>> [assess(limit, value).severity for value in (100.0, 101.0, 125.0, 150.0, 200.0)]
    [None, 'minor', 'major', 'critical', 'emergency']
    >>> assess(limit, 80.0).warning, assess(limit, 79.9).warning
    (True, False)
    """
    ratio = value / limit.value
    return Assessment(ratio=ratio, warning=ratio >= limit.warning_ratio, severity=_severity(ratio))


def _severity(ratio: float) -> Severity | None:
    if ratio <= 1.0:
        return None
    if ratio < 1.25:
        return "minor"
    if ratio < 1.5:
        return "major"
    return "critical" if ratio < 2.0 else "emergency"


ACTION_RANK: dict[str, int] = {"alert": 0, "reduce_only": 1, "halt": 2, "freeze": 3, "liquidate": 4}
"""Order of the actions, from telling to closing positions."""

"""Limits as the gate enforces them before an order leaves: the tightest of each kind, set on the sums it looks at."""

from collections.abc import Iterable

from nautilus.engines.risk.exposures import INFINITE, Exposure
from nautilus.engines.risk.gate import Gate
from nautilus.engines.risk.holdings import Holdings
from nautilus.engines.risk.limits import PRE_TRADE_KINDS, Limit, LimitKind, LimitScope

_CAP_OF_KIND = {
    LimitKind.POSITION_SIZE: "position_cap",
    LimitKind.GROSS_EXPOSURE: "gross_cap",
    LimitKind.NET_EXPOSURE: "net_cap",
    LimitKind.LEVERAGE: "leverage_cap",
    LimitKind.CONCENTRATION: "concentration_cap",
}


def set_caps(limits: Iterable[Limit], holdings: Holdings, gate: Gate) -> None:
    """Put every enabled limit of a pre-trade kind in force at the gate, and lift the caps of limits that are gone.

    Sums that a limit names are made where they do not exist yet, so that the first order already meets its cap.
    """
    groups = [holdings.everything, *holdings.accounts.values(), *holdings.strategies.values()]
    for group in [*groups, *holdings.sectors.values(), *holdings.currencies.values()]:
        group.lift_caps()
    gate.instrument_caps = {}
    for limit in limits:
        if not limit.enabled or limit.kind not in PRE_TRADE_KINDS:
            continue
        if limit.scope is LimitScope.INSTRUMENT:
            known = gate.instrument_caps.get(limit.target, INFINITE)
            gate.instrument_caps[limit.target] = min(known, limit.value)
        else:
            group, cap = _group(limit, holdings), _CAP_OF_KIND[limit.kind]
            setattr(group, cap, min(getattr(group, cap), limit.value))


def _group(limit: Limit, holdings: Holdings) -> Exposure:
    match limit.scope:
        case LimitScope.GLOBAL:
            return holdings.everything
        case LimitScope.ACCOUNT:
            return holdings.account(limit.target)
        case LimitScope.STRATEGY:
            return holdings.strategy(limit.target)
        case LimitScope.SECTOR:
            return holdings.sectors.setdefault(limit.target, Exposure(limit.target))
        case _:
            return holdings.currencies.setdefault(limit.target, Exposure(limit.target))

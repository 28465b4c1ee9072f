"""What the risk engine keeps over a restart as soon as it changes: controls, limits made while running, breaches."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from nautilus.engines.risk.controls import ControlState
from nautilus.engines.risk.limit_monitor import LimitMonitor
from nautilus.engines.risk.limits import Limit
from nautilus.engines.risk.models import StoredRisk

if TYPE_CHECKING:
    from nautilus.store.base import State

_NAMESPACE = "risk"


def load_controls(state: "State") -> ControlState:
    """Kill switch, manual states and restricted list as they were."""
    data = state.get(_NAMESPACE, "controls")
    return msgspec.json.decode(data, type=ControlState) if data else ControlState()


def save_controls(state: "State", controls: ControlState) -> None:
    """Store the controls."""
    state.put(_NAMESPACE, "controls", msgspec.json.encode(controls))


def load_monitor(state: "State", configured: Iterable[Limit]) -> LimitMonitor:
    """The configured limits, those made while running under other names, and the breaches of all."""
    data = state.get(_NAMESPACE, "limits")
    kept = msgspec.json.decode(data, type=StoredRisk) if data else StoredRisk(limits=[], breaches=[])
    limits = {limit.limit_id: limit for limit in (*kept.limits, *configured)}
    monitor = LimitMonitor(limits.values())
    monitor.restore(kept.breaches)
    return monitor


def save_monitor(state: "State", monitor: LimitMonitor, configured: Iterable[Limit]) -> None:
    """Store the limits that the configuration does not name, and every breach."""
    named = {limit.limit_id for limit in configured}
    made = [limit for limit in monitor.limits if limit.limit_id not in named]
    state.put(_NAMESPACE, "limits", msgspec.json.encode(StoredRisk(limits=made, breaches=monitor.breaches)))

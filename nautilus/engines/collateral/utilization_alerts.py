"""Alerts on margin utilisation: levels that are entered at once and left with hysteresis, repeated after a cooldown."""

from typing import Literal

import msgspec

from nautilus.errors import Invalid

type AlertLevel = Literal["info", "warning", "critical", "emergency"]

LEVELS: tuple[AlertLevel, ...] = ("info", "warning", "critical", "emergency")
ACTIONS: dict[AlertLevel, str] = {
    "info": "monitor_closely",
    "warning": "reduce_positions",
    "critical": "add_collateral",
    "emergency": "liquidate_positions",
}
"""What each level asks for."""


class UtilizationAlert(msgspec.Struct, frozen=True, kw_only=True):
    """A change of level (`active`: upwards), or a reminder after the cooldown.

    `level` is the one entered; when `active` is false, the one that was left.
    """

    level: AlertLevel
    active: bool
    utilization: float
    ts_event: int


class UtilizationAlarm:
    """The alert level of one account. Thresholds are warning, critical and emergency, e.g. 80%, 90% and 95%.

    A level is left when utilisation is more than `hysteresis` below its threshold. A level that stays is repeated every
    `cooldown_ns`; a higher one is told at once.

    >>> alarm = UtilizationAlarm()
    >>> alerts = [alarm.update(used, 0) for used in (0.79, 0.85, 0.79, 0.96, 0.70)]
    >>> [(alert.level, alert.active) if alert else None for alert in alerts]
    [None, ('warning', True), None, ('emergency', True), ('emergency', False)]
    """

    __slots__ = ("_hysteresis", "_last_ns", "_rank", "_thresholds", "cooldown_ns")

    def __init__(
        self,
        thresholds: tuple[float, float, float] = (0.80, 0.90, 0.95),
        hysteresis: float = 0.02,
        cooldown_ns: int = 300_000_000_000,
    ) -> None:
        if not 0.0 < thresholds[0] < thresholds[1] < thresholds[2]:
            raise Invalid("thresholds", f"must be positive and rise, not {thresholds}")
        if not 0.0 <= hysteresis < thresholds[0]:
            raise Invalid("hysteresis", f"must lie between 0 and the first threshold, not {hysteresis}")
        self._thresholds = thresholds
        self._hysteresis = hysteresis
        self.cooldown_ns = cooldown_ns
        self._rank = 0
        self._last_ns = 0

    @property
    def level(self) -> AlertLevel:
        """The level in force; "info" is none."""
        return LEVELS[self._rank]

    def update(self, utilization: float | None, now_ns: int) -> UtilizationAlert | None:
        """Take in a new utilisation (None: nothing covers the requirement) and answer what is to be told."""
        used = max(self._thresholds[2], 1.0) if utilization is None else utilization
        entered = sum(used >= threshold for threshold in self._thresholds)
        kept = sum(used >= threshold - self._hysteresis for threshold in self._thresholds)
        rank = max(entered, min(self._rank, kept))
        before, self._rank = self._rank, rank
        if rank == before and (rank == 0 or now_ns - self._last_ns < self.cooldown_ns):
            return None
        self._last_ns = now_ns
        active = rank >= before
        return UtilizationAlert(
            level=LEVELS[rank if active else before], active=active, utilization=used, ts_event=now_ns
        )

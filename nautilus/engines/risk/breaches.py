"""The life of a breach: from detected to resolved, with legal transitions, and escalation when nobody takes it up."""

from enum import StrEnum

import msgspec

from nautilus.engines.risk.limits import ACTION_RANK, Assessment, Limit, LimitAction, Severity
from nautilus.errors import Conflict


class BreachStatus(StrEnum):
    """Where a breach stands; `TRANSITIONS` says what may follow."""

    DETECTED = "detected"
    ACKNOWLEDGED = "acknowledged"
    INVESTIGATING = "investigating"
    MITIGATING = "mitigating"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    RECURRING = "recurring"


_HANDLED = frozenset(
    {BreachStatus.INVESTIGATING, BreachStatus.MITIGATING, BreachStatus.ESCALATED, BreachStatus.RESOLVED}
)
TRANSITIONS: dict[BreachStatus, frozenset[BreachStatus]] = {
    BreachStatus.DETECTED: frozenset({BreachStatus.ACKNOWLEDGED, BreachStatus.ESCALATED, BreachStatus.RESOLVED}),
    BreachStatus.RECURRING: frozenset({BreachStatus.ACKNOWLEDGED, BreachStatus.ESCALATED, BreachStatus.RESOLVED}),
    BreachStatus.ACKNOWLEDGED: _HANDLED,
    BreachStatus.INVESTIGATING: _HANDLED - {BreachStatus.INVESTIGATING},
    BreachStatus.MITIGATING: frozenset({BreachStatus.ESCALATED, BreachStatus.RESOLVED}),
    BreachStatus.ESCALATED: frozenset(
        {
            BreachStatus.ACKNOWLEDGED,
            BreachStatus.INVESTIGATING,
            BreachStatus.MITIGATING,
            BreachStatus.ESCALATED,
            BreachStatus.RESOLVED,
        }
    ),
    BreachStatus.RESOLVED: frozenset({BreachStatus.RECURRING}),
}
"""The statuses that may follow each."""

ESCALATION_CHAIN = ("trader", "risk_manager", "head_of_risk", "cro", "executive")
"""Who must look, from the first to the last."""

UNATTENDED = frozenset({BreachStatus.DETECTED, BreachStatus.RECURRING, BreachStatus.ESCALATED})
"""Statuses in which nobody has taken the breach up, so that time escalates it."""

HISTORY_LENGTH = 64


class BreachStep(msgspec.Struct, frozen=True, kw_only=True):
    """One change of status: when, to what, by whom and why."""

    ts_event: int
    status: BreachStatus
    actor: str
    note: str = ""


class Breach(msgspec.Struct, kw_only=True):
    """A limit broken. `value` is the latest, `peak_ratio` the worst share of the limit; `history` the latest 64 steps.

    `action` is what is in force for as long as the breach is not resolved. `over` says whether the value is still
    beyond the limit.
    """

    breach_id: str
    limit_id: str
    kind: str
    scope: str
    target: str
    limit: float
    value: float
    ratio: float
    peak_ratio: float
    severity: Severity
    status: BreachStatus
    action: LimitAction
    level: str
    over: bool
    ts_detected: int
    ts_unattended: int
    occurrences: int = 1
    history: list[BreachStep] = msgspec.field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether the breach is still somebody's business."""
        return self.status is not BreachStatus.RESOLVED

    @property
    def is_at_the_top(self) -> bool:
        """Whether there is nobody left to pass the breach to."""
        return self.level == ESCALATION_CHAIN[-1]

    def move(self, status: BreachStatus, now_ns: int, actor: str, note: str = "") -> None:
        """Change the status; raises Conflict for a transition that is not legal and changes nothing then."""
        if status not in TRANSITIONS[self.status]:
            allowed = ", ".join(sorted(TRANSITIONS[self.status]))
            raise Conflict(f"breach {self.breach_id} is {self.status}: it can become {allowed}, not {status}")
        self.status = status
        self.history = [
            *self.history[1 - HISTORY_LENGTH :],
            BreachStep(ts_event=now_ns, status=status, actor=actor, note=note),
        ]

    def observe(self, value: float, assessment: Assessment) -> bool:
        """Take in a new value; returns whether the severity rose or the value came back within the limit."""
        was_over, was = self.over, self.severity
        self.value, self.ratio, self.over = value, assessment.ratio, assessment.severity is not None
        self.peak_ratio = max(self.peak_ratio, assessment.ratio)
        if assessment.severity is not None and assessment.ratio >= self.peak_ratio:
            self.severity = assessment.severity
        return was != self.severity or was_over != self.over

    def recur(self, value: float, assessment: Assessment, limit: Limit, now_ns: int) -> None:
        """Open a resolved breach again, because its limit is broken again."""
        self.move(BreachStatus.RECURRING, now_ns, "limits", f"{value:.6g} against {limit.value:.6g}")
        self.occurrences += 1
        self.ts_unattended = now_ns
        self.level = ESCALATION_CHAIN[0]
        self.action = limit.action
        self.limit = limit.value
        self.peak_ratio = 0.0
        self.observe(value, assessment)

    def escalate(self, limit: Limit, now_ns: int) -> bool:
        """Pass the breach up the chain if its time has come: True when it went up, with the limit's stronger action.

        Attended breaches, and those whose value is back within the limit, wait for their people.
        """
        due = now_ns - self.ts_unattended >= limit.escalate_after_seconds * 1_000_000_000
        rank = ESCALATION_CHAIN.index(self.level)
        if not due or not self.over or self.status not in UNATTENDED or rank + 1 == len(ESCALATION_CHAIN):
            return False
        self.level = ESCALATION_CHAIN[rank + 1]
        self.ts_unattended = now_ns
        if ACTION_RANK[limit.escalated_action] > ACTION_RANK[self.action]:
            self.action = limit.escalated_action
        self.move(BreachStatus.ESCALATED, now_ns, "escalation", f"to {self.level}, action {self.action}")
        return True


def detected(breach_id: str, limit: Limit, value: float, assessment: Assessment, now_ns: int) -> Breach:
    """A new breach of `limit`; the assessment must have a severity."""
    if assessment.severity is None:
        raise Conflict(f"limit {limit.limit_id} is not broken")
    note = f"{value:.6g} against {limit.value:.6g}"
    return Breach(
        breach_id=breach_id,
        limit_id=limit.limit_id,
        kind=limit.kind,
        scope=limit.scope,
        target=limit.target,
        limit=limit.value,
        value=value,
        ratio=assessment.ratio,
        peak_ratio=assessment.ratio,
        severity=assessment.severity,
        status=BreachStatus.DETECTED,
        action=limit.action,
        level=ESCALATION_CHAIN[0],
        over=True,
        ts_detected=now_ns,
        ts_unattended=now_ns,
        history=[BreachStep(ts_event=now_ns, status=BreachStatus.DETECTED, actor="limits", note=note)],
    )

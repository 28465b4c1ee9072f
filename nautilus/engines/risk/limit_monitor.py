"""Holds the limits against what is measured, and keeps the breaches that come of it. Decides; does not act."""

from collections.abc import Callable, Iterable

import msgspec

from nautilus.engines.risk.breaches import Breach, BreachStatus, detected
from nautilus.engines.risk.limits import ACTION_RANK, Limit, LimitAction, assess
from nautilus.errors import Conflict, NotFound

MAX_LIMITS = 1000
MAX_BREACHES = 1000


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is in use; `value` and `ratio` are None while it cannot be measured."""

    limit: Limit
    value: float | None
    ratio: float | None
    warning: bool


class Findings(msgspec.Struct, kw_only=True):
    """What one round of measuring brought: breaches that changed, and limits newly in their warning zone."""

    changed: list[Breach] = msgspec.field(default_factory=list)
    warned: list[LimitUse] = msgspec.field(default_factory=list)


class LimitMonitor:
    """Limits by id and their breaches; one breach for each limit, which recurs rather than multiplies."""

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self._limits: dict[str, Limit] = {limit.limit_id: limit for limit in limits}
        self._breaches: dict[str, Breach] = {}
        self._uses: dict[str, LimitUse] = {}
        self._warned: set[str] = set()

    @property
    def limits(self) -> list[Limit]:
        """Every limit, in the order in which they were made."""
        return list(self._limits.values())

    @property
    def breaches(self) -> list[Breach]:
        """Every breach kept, oldest first."""
        return list(self._breaches.values())

    @property
    def uses(self) -> list[LimitUse]:
        """The use of every limit at the last measuring."""
        unmeasured = (LimitUse(limit=limit, value=None, ratio=None, warning=False) for limit in self.limits)
        return [self._uses.get(use.limit.limit_id, use) for use in unmeasured]

    def limit(self, limit_id: str) -> Limit:
        """The limit; raises NotFound."""
        try:
            return self._limits[limit_id]
        except KeyError:
            raise NotFound("limit", limit_id) from None

    def breach(self, breach_id: str) -> Breach:
        """The breach; raises NotFound."""
        try:
            return self._breaches[breach_id]
        except KeyError:
            raise NotFound("breach", breach_id) from None

    def put(self, limit: Limit) -> None:
        """Set a limit, new or changed; raises Conflict for too many, or another subject while a breach is open."""
        if limit.limit_id not in self._limits and len(self._limits) >= MAX_LIMITS:
            raise Conflict(f"there are {MAX_LIMITS} limits already")
        breach = self._breaches.get(limit.limit_id)
        if breach is not None and breach.is_open:
            if (breach.kind, breach.scope, breach.target) != (limit.kind, limit.scope, limit.target):
                raise Conflict(f"limit {limit.limit_id} has an open breach: its kind, scope and target must stay")
            breach.limit = limit.value
            breach.over = breach.over and limit.enabled
        self._limits[limit.limit_id] = limit
        self._forget(limit.limit_id)

    def remove(self, limit_id: str) -> Limit:
        """Take a limit away; raises NotFound, or Conflict while a breach of it is open."""
        limit = self.limit(limit_id)
        if any(breach.is_open and breach.limit_id == limit_id for breach in self._breaches.values()):
            raise Conflict(f"limit {limit_id} has an open breach: resolve it first")
        del self._limits[limit_id]
        self._forget(limit_id)
        return limit

    def restore(self, breaches: Iterable[Breach]) -> None:
        """Take back breaches of an earlier run."""
        self._breaches = {breach.breach_id: breach for breach in breaches}

    def observe(self, measure: Callable[[Limit], float | None], now_ns: int) -> Findings:
        """Measure every enabled limit; where `measure` answers None, for it cannot say, all stays as it was."""
        findings = Findings()
        for limit in self._limits.values():
            value = measure(limit) if limit.enabled else None
            if value is not None:
                self._observe_one(limit, value, now_ns, findings)
        for breach in self._breaches.values():
            owner = self._limits.get(breach.limit_id)
            if owner is not None and breach.escalate(owner, now_ns) and breach not in findings.changed:
                findings.changed.append(breach)
        return findings

    def move(self, breach_id: str, status: BreachStatus, now_ns: int, actor: str, note: str) -> Breach:
        """Change a breach's status by hand; raises Conflict for what is not legal, as resolving what is still over."""
        breach = self.breach(breach_id)
        if status is BreachStatus.RESOLVED and breach.over:
            raise Conflict(f"breach {breach_id}: {breach.value:.6g} is still beyond the limit {breach.limit:.6g}")
        if status is BreachStatus.RECURRING:
            raise Conflict("only a broken limit can make a breach recur")
        breach.move(status, now_ns, actor, note)
        return breach

    def action_in_force(self, scope: str, target: str) -> LimitAction:
        """The strongest action of the open breaches of one scope."""
        actions = [
            breach.action
            for breach in self._breaches.values()
            if breach.is_open and (breach.scope, breach.target) == (scope, target)
        ]
        return max(actions, key=ACTION_RANK.__getitem__, default="alert")

    def _observe_one(self, limit: Limit, value: float, now_ns: int, findings: Findings) -> None:
        assessment = assess(limit, value)
        use = LimitUse(limit=limit, value=value, ratio=assessment.ratio, warning=assessment.warning)
        self._uses[limit.limit_id] = use
        if assessment.warning and limit.limit_id not in self._warned:
            self._warned.add(limit.limit_id)
            findings.warned.append(use)
        elif assessment.ratio < 0.95 * limit.warning_ratio:
            self._warned.discard(limit.limit_id)
        breach = self._breaches.get(limit.limit_id)
        if breach is None:
            if assessment.severity is not None:
                self._add(detected(limit.limit_id, limit, value, assessment, now_ns), findings)
        elif breach.is_open:
            if breach.observe(value, assessment):
                findings.changed.append(breach)
            if not breach.over and breach.action == "alert":
                breach.move(BreachStatus.RESOLVED, now_ns, "limits", "back within the limit")
        elif assessment.severity is not None:
            breach.recur(value, assessment, limit, now_ns)
            findings.changed.append(breach)

    def _add(self, breach: Breach, findings: Findings) -> None:
        closed = [item.breach_id for item in self._breaches.values() if not item.is_open]
        for breach_id in closed[: max(0, len(self._breaches) + 1 - MAX_BREACHES)]:
            del self._breaches[breach_id]
        self._breaches[breach.breach_id] = breach
        findings.changed.append(breach)

    def _forget(self, limit_id: str) -> None:
        self._uses.pop(limit_id, None)
        self._warned.discard(limit_id)

"""Limits, the life of a breach, and what the monitor finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.risk import BreachStatus, Limit, LimitKind, LimitMonitor, LimitScope, assess
from nautilus.engines.risk.breaches import ESCALATION_CHAIN, HISTORY_LENGTH, TRANSITIONS, detected
from nautilus.engines.risk.limits import KINDS_BY_SCOPE
from nautilus.errors import Conflict, Invalid, NotFound

SECOND = 1_000_000_000


def limit(**changes):
    return Limit(**({"limit_id": "l", "kind": LimitKind.GROSS_EXPOSURE, "value": 100.0} | changes))


def breach_of(value=130.0, **changes):
    subject = limit(**changes)
    return detected("b", subject, value, assess(subject, value), 0)


@pytest.mark.parametrize(
    ("value", "severity", "warning"),
    [
        (79.9, None, False),
        (80.0, None, True),
        (100.0, None, True),
        (100.1, "minor", True),
        (125.0, "major", True),
        (150.0, "critical", True),
        (200.0, "emergency", True),
        (1e9, "emergency", True),
    ],
)
def test_bands(value, severity, warning):
    found = assess(limit(), value)
    assert (found.severity, found.warning) == (severity, warning)


def test_every_scope_measures_something_and_refuses_the_rest():
    for scope in LimitScope:
        target = "" if scope is LimitScope.GLOBAL else "x"
        for kind in LimitKind:
            if kind in KINDS_BY_SCOPE[scope]:
                limit(kind=kind, scope=scope, target=target)
            else:
                with pytest.raises(Invalid, match="kind"):
                    limit(kind=kind, scope=scope, target=target)


@given(st.lists(st.sampled_from(list(BreachStatus)), max_size=80))
def test_only_legal_transitions_happen_and_history_is_bounded(path):
    breach = breach_of()
    for status in path:
        before = breach.status
        if status in TRANSITIONS[before]:
            breach.move(status, 1, "me")
            assert breach.status is status
        else:
            with pytest.raises(Conflict):
                breach.move(status, 1, "me")
            assert breach.status is before
    assert len(breach.history) <= HISTORY_LENGTH


def test_every_open_status_can_be_resolved():
    for status in BreachStatus:
        if status is not BreachStatus.RESOLVED:
            assert BreachStatus.RESOLVED in TRANSITIONS[status]


def test_escalation_climbs_the_chain_and_strengthens_the_action():
    subject = limit(escalate_after_seconds=10)
    breach = breach_of(escalate_after_seconds=10)
    assert not breach.escalate(subject, 9 * SECOND)
    assert breach.escalate(subject, 10 * SECOND)
    assert (breach.level, breach.action, breach.status) == ("risk_manager", "halt", BreachStatus.ESCALATED)
    assert not breach.escalate(subject, 11 * SECOND)
    for step in range(2, 10):
        breach.escalate(subject, step * 10 * SECOND)
    assert breach.level == ESCALATION_CHAIN[-1]
    assert not breach.escalate(subject, 1_000 * SECOND)


def test_an_acknowledged_breach_does_not_escalate():
    subject = limit(escalate_after_seconds=10)
    breach = breach_of(escalate_after_seconds=10)
    breach.move(BreachStatus.ACKNOWLEDGED, 1, "me")
    assert not breach.escalate(subject, 10**12)


def test_the_monitor_follows_a_breach_through_its_life():
    monitor = LimitMonitor([limit(action="halt")])
    value = 50.0

    def measure(_):
        return value

    assert not monitor.observe(measure, 0).changed
    value = 85.0
    assert len(monitor.observe(measure, 1).warned) == 1
    assert not monitor.observe(measure, 2).warned
    value = 110.0
    assert [item.status for item in monitor.observe(measure, 3).changed] == ["detected"]
    assert not monitor.observe(measure, 4).changed
    value = 160.0
    assert [item.severity for item in monitor.observe(measure, 5).changed] == ["critical"]
    with pytest.raises(Conflict, match="still beyond"):
        monitor.move("l", BreachStatus.RESOLVED, 6, "me", "")
    value = 90.0
    assert len(monitor.observe(measure, 7).changed) == 1
    assert monitor.breach("l").is_open, "a halt waits for a person"
    monitor.move("l", BreachStatus.RESOLVED, 8, "me", "")
    value = 130.0
    assert [item.status for item in monitor.observe(measure, 9).changed] == ["recurring"]
    breach = monitor.breach("l")
    assert (breach.occurrences, breach.severity, breach.peak_ratio) == (2, "major", 1.3)
    with pytest.raises(Conflict):
        monitor.move("l", BreachStatus.RECURRING, 10, "me", "")


def test_an_alert_resolves_itself_when_the_value_is_back():
    monitor = LimitMonitor([limit()])
    monitor.observe(lambda _: 110.0, 0)
    changed = monitor.observe(lambda _: 90.0, 1).changed
    assert [item.status for item in changed] == [BreachStatus.RESOLVED]


def test_what_cannot_be_measured_changes_nothing():
    monitor = LimitMonitor([limit()])
    monitor.observe(lambda _: 110.0, 0)
    assert not monitor.observe(lambda _: None, 1).changed
    assert monitor.breach("l").is_open
    assert monitor.uses[0].value == 110.0


def test_limits_with_an_open_breach_keep_their_subject():
    monitor = LimitMonitor([limit()])
    monitor.observe(lambda _: 110.0, 0)
    with pytest.raises(Conflict):
        monitor.put(limit(kind=LimitKind.LEVERAGE))
    with pytest.raises(Conflict):
        monitor.remove("l")
    monitor.put(limit(enabled=False))
    monitor.move("l", BreachStatus.RESOLVED, 1, "me", "")
    monitor.remove("l")
    with pytest.raises(NotFound):
        monitor.limit("l")
    with pytest.raises(NotFound):
        monitor.breach("nobody")

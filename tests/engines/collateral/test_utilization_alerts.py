"""Alert levels: entered at once, left with hysteresis, repeated after the cooldown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.collateral import UtilizationAlarm
from nautilus.errors import Invalid

SECOND = 1_000_000_000


def told(alarm, *steps):
    return [(a.level, a.active) if (a := alarm.update(used, now)) else None for used, now in steps]


def test_the_levels_are_eighty_ninety_and_ninety_five():
    steps = [(0.79, 0), (0.80, 1), (0.90, 2), (0.95, 3)]
    assert told(UtilizationAlarm(), *steps) == [None, ("warning", True), ("critical", True), ("emergency", True)]


def test_hysteresis_keeps_a_level_that_trembles():
    alarm = UtilizationAlarm(hysteresis=0.02)
    assert told(alarm, (0.805, 0), (0.785, 1), (0.805, 2), (0.779, 3)) == [
        ("warning", True),
        None,
        None,
        ("warning", False),
    ]


def test_falling_names_the_level_that_was_left():
    alarm = UtilizationAlarm()
    assert told(alarm, (0.96, 0), (0.91, 1), (0.5, 2)) == [
        ("emergency", True),
        ("emergency", False),
        ("critical", False),
    ]
    assert alarm.level == "info"


def test_a_level_that_stays_is_repeated_after_the_cooldown_but_a_higher_one_comes_at_once():
    alarm = UtilizationAlarm(cooldown_ns=60 * SECOND)
    steps = [(0.85, 0), (0.85, 59 * SECOND), (0.85, 60 * SECOND), (0.92, 61 * SECOND), (0.92, 100 * SECOND)]
    assert told(alarm, *steps) == [("warning", True), None, ("warning", True), ("critical", True), None]


def test_no_collateral_is_an_emergency():
    assert told(UtilizationAlarm(), (None, 0)) == [("emergency", True)]


@given(st.lists(st.floats(0.0, 1.5), max_size=80))
def test_the_level_never_understates_utilisation(path):
    alarm = UtilizationAlarm()
    for now, used in enumerate(path):
        alarm.update(used, now)
        rank = ("info", "warning", "critical", "emergency").index(alarm.level)
        assert rank >= sum(used >= threshold for threshold in (0.80, 0.90, 0.95))
        assert rank <= sum(used >= threshold - 0.02 for threshold in (0.80, 0.90, 0.95))


def test_thresholds_must_rise():
    with pytest.raises(Invalid):
        UtilizationAlarm((0.9, 0.8, 0.95))
    with pytest.raises(Invalid):
        UtilizationAlarm(hysteresis=0.9)

"""When silence is normal, and how long attempts wait."""

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.ibkr.backoff import Backoff
from nautilus.engines.marketdata.ibkr.quiet_hours import QuietHours
from nautilus.engines.marketdata.ibkr.settings import IbkrSettings
from nautilus.errors import Invalid

NEW_YORK = ZoneInfo("America/New_York")


def at(day: int, hour: int, minute: int = 0, month: int = 1) -> int:
    """A moment of 2026 in New York; 5 January is a Monday."""
    return int(datetime(2026, month, day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        (at(5, 23, 44), False),
        (at(5, 23, 45), True),
        (at(6, 0, 44), True),
        (at(6, 0, 45), False),
        (at(10, 12), True),
        (at(9, 17), True),
        (at(9, 16, 59), False),
        (at(6, 0, 30, month=7), True),
    ],
)
def test_windows_are_local_times_of_the_week(moment: int, is_quiet: bool):
    """Windows reach over midnight and follow the zone's summer time."""
    quiet = QuietHours(("daily 23:45-00:45", "Fri 17:00-24:00", "Sat-Sun 00:00-24:00"))
    assert quiet.contains(moment) is is_quiet


@pytest.mark.parametrize("window", ["", "Foo 10:00-11:00", "Mon 10:00-10:00", "Mon 25:00-26:00", "Mon 1:00-2:00"])
def test_a_window_that_means_nothing_is_refused(window: str):
    """With what it must look like."""
    with pytest.raises(Invalid, match="quiet_hours"):
        QuietHours((window,))


@given(st.integers(1, 10**6), st.integers(0, 10**9), st.integers(0, 2**32), st.integers(1, 100))
def test_waits_double_up_to_the_cap_with_jitter_below(first: int, more: int, seed: int, failures: int):
    """Each wait is between half and the whole of its step, for ever."""
    backoff = Backoff(first, first + more, Random(seed))
    for failure in range(failures):
        whole = min(first << failure, first + more)
        assert whole // 2 <= backoff.next_ns() <= whole
    backoff.reset()
    assert backoff.next_ns() <= first


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 70_000),
        ("port", 0),
        ("client_id", -1),
        ("heartbeat_seconds", 60.0),
        ("messages_per_second", 45),
        ("backoff_first_seconds", 100.0),
        ("history_seconds", -1),
        ("check_seconds", 0.0),
    ],
)
def test_settings_that_cannot_work_are_refused(field: str, value: float):
    """Each names a field."""
    with pytest.raises(Invalid):
        IbkrSettings(**{field: value})

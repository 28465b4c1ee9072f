"""The watchdog of one subscription."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.ibkr.staleness import LARGEST_DOUBLING, Watchdog


def test_silence_beyond_the_limit_asks_for_a_renewal_once_and_then_ever_more_seldom():
    """Renewals in vain come after 1, 2, 4, 8, 8 ... limits."""
    dog = Watchdog(10, 5)
    dog.requested(0)
    renewals = [now for now in range(300) if dog.wants_renewal(now, quiet=False, held=False)]
    assert [later - earlier for earlier, later in zip([0, *renewals], renewals, strict=False)] == [10, 20, 40, 80, 80]
    assert dog.is_stale


def test_data_makes_it_fresh_and_forgives_everything():
    """After data the next renewal is one limit away again."""
    dog = Watchdog(10, 5)
    dog.requested(0)
    assert dog.wants_renewal(10, quiet=False, held=False)
    dog.data(15)
    assert not dog.is_stale
    assert not dog.wants_renewal(24, quiet=False, held=False)
    assert dog.wants_renewal(25, quiet=False, held=False)


def test_quiet_hours_are_no_silence_and_their_end_begins_the_limit_anew():
    """However long the night was, the morning has a whole limit."""
    dog = Watchdog(10, 5)
    dog.requested(0)
    assert not any(dog.wants_renewal(now, quiet=True, held=False) for now in range(1000))
    assert not dog.is_stale
    assert not dog.wants_renewal(1008, quiet=False, held=False)
    assert dog.wants_renewal(1009, quiet=False, held=False)


def test_while_renewing_is_in_vain_it_is_stale_but_asks_for_nothing():
    """A broken farm is reported, not hammered; when it is back the renewal comes at once."""
    dog = Watchdog(10, 5)
    dog.requested(0)
    assert not dog.wants_renewal(50, quiet=False, held=True)
    assert dog.is_stale
    assert dog.wants_renewal(51, quiet=False, held=False)


def test_a_watch_gives_what_is_doubtful_a_short_time_and_leaves_what_flows_alone():
    """The grace counts only for a subscription on which nothing has come since the doubt."""
    doubtful, flowing = Watchdog(100, 5), Watchdog(100, 5)
    for dog in (doubtful, flowing):
        dog.requested(0)
        dog.suspect()
    flowing.data(2)
    for dog in (doubtful, flowing):
        dog.watch(3)
    assert doubtful.wants_renewal(8, quiet=False, held=False)
    assert not flowing.wants_renewal(101, quiet=False, held=False)


@given(
    st.lists(st.tuples(st.sampled_from(["data", "tick", "suspect", "watch", "failed", "refused"]), st.integers(0, 60)))
)
def test_it_never_stays_silent_longer_than_eight_limits(steps):
    """Whatever happens, without data and quiet hours a renewal comes within eight limits: nothing is ever let go."""
    dog = Watchdog(10, 5)
    dog.requested(0)
    now = 0
    for what, later in steps:
        now += later
        if what == "tick":
            dog.wants_renewal(now, quiet=False, held=False)
        elif what == "data":
            dog.data(now)
        elif what == "suspect":
            dog.suspect()
        else:
            getattr(dog, what)(now)
    assert any(dog.wants_renewal(at, quiet=False, held=False) for at in range(now, now + (10 << LARGEST_DOUBLING) + 1))

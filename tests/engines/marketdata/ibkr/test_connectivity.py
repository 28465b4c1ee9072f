"""TWS's notices, in any order."""

from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.marketdata.ibkr.connectivity import (
    CODES,
    EVERYTHING,
    Action,
    Channel,
    Connectivity,
    Decision,
    FarmState,
)

FARM_PAIRS = {2103: 2104, 2105: 2106, 2157: 2158}
NOTICES = st.tuples(st.sampled_from(sorted(CODES)), st.sampled_from(["usfarm", "eufarm", "ushmds"]))


def text(farm: str) -> str:
    return f"Market data farm connection:{farm}"


@given(st.lists(NOTICES, max_size=40))
def test_only_1101_asks_for_everything_anew_and_only_1300_for_another_line(notices):
    """Whatever came before: 1101 always resubscribes, 1300 always reconnects, nothing else ever does either."""
    state = Connectivity(100)
    for now_ns, (code, farm) in enumerate(notices):
        action = state.notice(code, text(farm), now_ns).action
        assert (action is Action.RESUBSCRIBE) == (code == 1101)
        assert (action is Action.RECONNECT) == (code == 1300)


@given(st.lists(NOTICES, max_size=40))
def test_whatever_happened_good_news_of_everything_clears_everything(notices):
    """After 1102 and an OK of each farm nothing is broken, lost or held back."""
    state = Connectivity(10**9)
    for now_ns, (code, farm) in enumerate(notices):
        state.notice(code, text(farm), now_ns)
    state.notice(1102, "", 100)
    for farm in ("usfarm", "eufarm", "ushmds"):
        for code in FARM_PAIRS.values():
            state.notice(code, text(farm), 100)
    assert state.servers_lost_ns is None
    assert not state.broken()
    assert not any(state.holds(channel, 101) for channel in Channel)


@given(st.permutations([1100, 1101, 1102, 2103, 2104, 2105, 2106]))
def test_the_last_notice_of_each_subject_decides_in_every_order(codes):
    """The end state depends on which notice of a subject came last, not on how they were mixed with others."""
    state = Connectivity(10**9)
    for now_ns, code in enumerate(codes):
        state.notice(code, text("usfarm"), now_ns)
    last = {subject: max(subject, key=codes.index) for subject in ((1100, 1101, 1102), (2103, 2104), (2105, 2106))}
    assert (state.servers_lost_ns is not None) == (last[1100, 1101, 1102] == 1100)
    assert bool(state.broken(frozenset({Channel.MARKET}))) == (last[2103, 2104] == 2103)
    assert bool(state.broken(frozenset({Channel.HISTORY}))) == (last[2105, 2106] == 2105)


@given(st.lists(st.sampled_from([2103, 2104, 2105, 2106, 2107, 2108, 2119]), max_size=30))
def test_a_farm_notice_touches_its_own_channel_only(codes):
    """Market data farms raise no doubt about history, nor the other way round; farms never ask for more than doubt."""
    state = Connectivity(100)
    for now_ns, code in enumerate(codes):
        decision = state.notice(code, text("farm"), now_ns)
        assert decision.action in {Action.NONE, Action.SUSPECT, Action.WATCH}
        own = Channel.MARKET if code in {2103, 2104, 2108, 2119} else Channel.HISTORY
        assert decision.channels <= {own}


def test_a_notice_repeated_asks_for_nothing_more():
    """The same bad news twice raises doubt once, the same good news twice a closer watch once."""
    state = Connectivity(100)
    actions = [
        state.notice(code, text("usfarm"), 0).action for code in (2103, 2103, 2104, 2104, 1100, 1100, 1102, 1102)
    ]
    doubt, watch, nothing = Action.SUSPECT, Action.WATCH, Action.NONE
    assert actions == [doubt, nothing, watch, nothing, doubt, nothing, watch, nothing]


def test_servers_back_with_the_data_kept_resubscribes_nothing():
    """1102 keeps every subscription and only has them watched."""
    state = Connectivity(100)
    state.notice(1100, "", 0)
    assert state.notice(1102, "", 5) == Decision(Action.WATCH, EVERYTHING)


def test_a_farm_that_never_says_that_it_is_back_holds_nothing_back_for_ever():
    """Renewals wait while a farm is broken, but not longer than the hold."""
    state = Connectivity(100)
    state.notice(2103, text("usfarm"), 0)
    assert state.holds(Channel.MARKET, 99)
    assert not state.holds(Channel.HISTORY, 99)
    assert not state.holds(Channel.MARKET, 100)


def test_a_farm_that_connects_is_not_yet_back():
    """2119 after 2103 changes nothing; 2108 (inactive, available on demand) ends the outage."""
    state = Connectivity(100)
    state.notice(2103, text("usfarm"), 0)
    assert state.notice(2119, text("usfarm"), 1).action is Action.NONE
    assert state.notice(2108, text("usfarm"), 2).action is Action.WATCH
    assert [farm.state for farm in state.farms()] == [FarmState.INACTIVE]

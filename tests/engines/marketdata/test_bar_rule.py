from datetime import date

import pytest

from nautilus.engines.marketdata.bar_policy import SessionTimes
from nautilus.engines.marketdata.bar_rule import BarRule, Criterion
from nautilus.errors import Invalid
from nautilus.market_calendar import Session


@pytest.mark.parametrize("text", ["60s", "100t", "5000v", "7d", "1tib", "2vib", "3dib", "4trb", "5vrb", "6drb"])
def test_a_rule_is_written_as_it_is_read(text):
    assert str(BarRule.parse(text)) == text


@pytest.mark.parametrize("text", ["", "s", "0s", "1x", "-1t", "1.5s", "1sib", "1ib", "1tb", "1t\n", "999999999999999s"])
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(Invalid):
        BarRule.parse(text)


@pytest.mark.parametrize(
    "wrong", [{"span": 0}, {"least_trades": 0}, {"least_trades": 9, "most_trades": 8}, {"step": 0}]
)
def test_bounds_that_cannot_be_are_refused(wrong):
    with pytest.raises(Invalid):
        BarRule(**{"criterion": Criterion.RUN, "step": 5, **wrong})


def test_a_break_divides_a_session():
    day = date(2026, 1, 5)
    sessions = SessionTimes.of([Session(day, 10, 50, 20, 30), Session(day, 60, 70)])
    assert sessions.opens.tolist() == [10, 30, 60]
    assert sessions.closes.tolist() == [20, 50, 70]
    assert len(sessions) == 3


@pytest.mark.parametrize(("opens", "closes"), [([1], [1]), ([1, 2], [3, 4]), ([1], [2, 3])])
def test_sessions_that_overlap_or_end_before_they_begin_are_refused(opens, closes):
    with pytest.raises(Invalid):
        SessionTimes(opens, closes)

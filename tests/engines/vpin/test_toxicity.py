import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.engines.vpin import LEVELS, next_level, severity

THRESHOLDS = (0.5, 0.7, 0.9)


@given(st.lists(st.floats(0, 1), max_size=40))
def test_a_level_is_never_below_what_the_score_says_nor_above_what_the_margin_allows(scores):
    level = "unknown"
    for score in scores:
        level = next_level(level, score, THRESHOLDS, 0.05)
        reached = sum(score >= threshold for threshold in THRESHOLDS)
        assert LEVELS.index(level) >= reached
        assert LEVELS.index(level) <= sum(score >= threshold - 0.05 for threshold in THRESHOLDS)


def test_a_score_that_trembles_round_a_threshold_changes_the_level_once():
    level, changes = "normal", 0
    for score in [0.69, 0.71] * 50:
        following = next_level(level, score, THRESHOLDS, 0.05)
        changes += following != level
        level = following
    assert (level, changes) == ("high", 2)  # elevated by the first score, then high for good


def test_a_score_may_jump_over_levels():
    assert next_level("normal", 0.95, THRESHOLDS, 0.05) == "extreme"
    assert next_level("extreme", 0.1, THRESHOLDS, 0.05) == "normal"


@pytest.mark.parametrize(
    ("level", "rank"), [("unknown", 0), ("normal", 0), ("elevated", 1), ("high", 2), ("extreme", 3)]
)
def test_severity_orders_the_levels(level, rank):
    assert severity(level) == rank

"""Which topics cross an edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautilus.bus.edges.selection import Selection, families_of, patterns_by_family
from nautilus.bus.patterns import matches
from nautilus.errors import Invalid
from nautilus.model import Channel, MessageType

PATTERNS = ("quote.>", "quote.*.XNAS", "trade.A.XNAS", "*.A.XNAS", "depth.*.*", ">")
TOPICS = tuple(
    f"{family}.{rest}" for family in ("quote", "trade", "depth") for rest in ("A.XNAS", "B.XNAS", "A.XLON", "A")
)


@given(st.sets(st.sampled_from(PATTERNS)), st.sampled_from(TOPICS))
def test_a_topic_is_selected_where_any_pattern_matches_it(patterns: set[str], topic: str) -> None:
    selection = Selection(patterns, Channel.MARKETDATA, "outbound")
    for _ in range(2):  # the second answer is remembered
        assert (topic in selection) == any(matches(pattern, topic) for pattern in patterns)


def test_all_of_a_channel_is_every_family_of_it_that_has_a_type() -> None:
    found = patterns_by_family((">",), Channel.ENGINE_LOGIC, "x")
    assert list(found) == families_of(Channel.ENGINE_LOGIC)
    assert "stress_test" not in found
    assert MessageType.ORDER_EVENT in Selection((">",), Channel.ENGINE_LOGIC, "x").message_types


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("order.>", "belongs to the channel engine_logic"),
        ("qoute.>", "no known family; marketdata has instrument, quote"),
        ("quote.>.x", "'>' stands only at the end"),
        ("quote..x", "empty token"),
        ("*", "no known family"),
    ],
)
def test_a_wrong_pattern_is_refused_naming_the_option(pattern: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        Selection((pattern,), Channel.MARKETDATA, "edges.marketdata.inbound")
    assert caught.value.field == "edges.marketdata.inbound"


@pytest.mark.parametrize("topic", ["order.s", "quote.>", "nothing.x", "quote..x"])
def test_what_is_no_topic_of_the_channel_is_refused(topic: str) -> None:
    with pytest.raises(Invalid):
        _ = topic in Selection((">",), Channel.MARKETDATA, "x")

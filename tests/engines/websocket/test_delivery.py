"""Every family that leaves is known, and its topic can be read from its messages."""

import pytest

from nautilus.engines.websocket.delivery import DELIVERIES, families_of, topic_of
from nautilus.errors import Invalid
from nautilus.model import topics
from nautilus.model.market import Bar
from nautilus.model.messages import ErrorAlert
from nautilus.model.topics import FAMILIES
from nautilus.testing import make_quote

# Families whose messages are for the process itself or have no type yet.
INSIDE = {
    "order_request",
    "compute",
    "system_failure",
    "backtest_start",
    "backtest_complete",
    "backtest_error",
    "parameter_optimization",
    "stress_test",
}


def test_every_family_of_the_model_is_delivered_or_stays_inside() -> None:
    assert set(DELIVERIES) | INSIDE == set(FAMILIES)
    assert not set(DELIVERIES) & INSIDE


def test_topics_are_read_from_messages() -> None:
    bar = Bar("A.X", "60s", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
    assert topic_of("bar", bar) == topics.bar("60s", "A.X")
    assert topic_of("quote", make_quote()) == topics.quote("TEST.SIM")
    error = ErrorAlert(ts_event=1, source="vpin.something", error="", count=1)
    assert topic_of("error_alert", error) == topics.error_alert("vpin")


@pytest.mark.parametrize("pattern", ["", "quote", "quote.", "nonsense.>", "order_request.>", "quote.>.x", "quote.A*"])
def test_what_cannot_be_subscribed_to_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid):
        families_of(pattern)


def test_wildcards_for_families_reach_every_family() -> None:
    assert {own for _, own in families_of("*.A.X")} == {f"{family}.A.X" for family in DELIVERIES}

"""How each family of topics is delivered: as a state, whose latest value matters, or as events, each of which does.

The bus hands a subscriber the message without its topic; what follows the family is read from the message here.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from nautilus.bus.patterns import check_pattern, is_pattern
from nautilus.errors import Invalid
from nautilus.model.topics import FAMILIES

Read = Callable[[Any], Any]


class Delivery(msgspec.Struct, frozen=True):
    """The delivery of one family.

    `subject` reads from a message what stands after the family in its topic; `key` what tells apart the several
    states that share a topic. `state` topics are conflated, others are queued. `kept` families are listened to
    always: of a state the latest is ready for whoever comes, of events the last few thousand.
    """

    family: str
    subject: Read
    state: bool = False
    kept: bool = False
    key: Read | None = None


def _join(*names: str) -> Read:
    read = attrgetter(*names)

    def joined(message: Any) -> str:
        return ".".join(read(message))

    return joined


def _handler_owner(message: Any) -> str:
    return str(message.source).partition(".")[0] or "unknown"


def _by_family(*deliveries: Delivery) -> dict[str, Delivery]:
    return {delivery.family: delivery for delivery in deliveries}


_INSTRUMENT = attrgetter("instrument_id")
_ACCOUNT = attrgetter("account_id")
_STRATEGY = attrgetter("strategy_id")
_NAME = attrgetter("name")
_SOURCE = attrgetter("source")
_RUN = attrgetter("run_id")

DELIVERIES: dict[str, Delivery] = _by_family(
    Delivery("instrument", attrgetter("id"), state=True, kept=True),
    Delivery("quote", _INSTRUMENT, state=True),
    Delivery("depth", _INSTRUMENT, state=True),
    Delivery("features", _INSTRUMENT, state=True, key=attrgetter("feature_set")),
    Delivery("vpin", _INSTRUMENT, state=True, kept=True),
    Delivery("enhanced_vpin", _INSTRUMENT, state=True, kept=True),
    Delivery("factor", _NAME, state=True, kept=True),
    Delivery("prediction", _INSTRUMENT, state=True, key=attrgetter("model", "target")),
    Delivery("position", _join("position.account_id", "position.instrument_id"), state=True, kept=True),
    Delivery("portfolio", attrgetter("account.account_id"), state=True, kept=True),
    Delivery("margin", _ACCOUNT, state=True, kept=True, key=attrgetter("model")),
    Delivery("risk_metric", _NAME, state=True, kept=True, key=attrgetter("scope", "confidence", "horizon")),
    Delivery("control", lambda _: "trading", state=True, kept=True, key=attrgetter("scope")),
    Delivery("analytics", _ACCOUNT, state=True, kept=True),
    Delivery("health", attrgetter("engine"), state=True, kept=True),
    Delivery("performance", _SOURCE, state=True, key=_NAME),
    Delivery("backtest_progress", _RUN, state=True),
    Delivery("trade", _INSTRUMENT),
    Delivery("book", _INSTRUMENT),
    Delivery("bar", _join("spec", "instrument_id")),
    Delivery("signal", _STRATEGY),
    Delivery("order", _STRATEGY, kept=True),
    Delivery("fill", _STRATEGY, kept=True),
    Delivery("toxicity", _INSTRUMENT, kept=True),
    Delivery("flash_crash", _INSTRUMENT, kept=True),
    Delivery("margin_call", _ACCOUNT, kept=True),
    Delivery("risk_alert", attrgetter("scope"), kept=True),
    Delivery("risk_breach", attrgetter("limit_id"), kept=True),
    Delivery("system_alert", _SOURCE, kept=True),
    Delivery("error_alert", _handler_owner, kept=True),
)
"""Every family that clients may subscribe to. Those of `nautilus.model.topics` that are not here stay inside."""


def topic_of(family: str, message: Any) -> str:
    """The topic under which a message of a family is published."""
    return f"{family}.{DELIVERIES[family].subject(message)}"


def families_of(pattern: str) -> list[tuple[Delivery, str]]:
    """A client's pattern as one pattern for each family that it may match; raises Invalid for an unknown family.

    >>> [(delivery.family, own) for delivery, own in families_of("quote.*.XNAS")]
    [('quote', 'quote.*.XNAS')]
    >>> len(families_of(">")) == len(DELIVERIES)
    True
    """
    check_pattern(pattern)
    family, _, rest = pattern.partition(".")
    if family == ">":
        return [(delivery, f"{name}.>") for name, delivery in DELIVERIES.items()]
    if not rest:
        raise Invalid("topics", f"{pattern!r} is a family of topics; {pattern}.> means all of them")
    if family == "*":
        return [(delivery, f"{name}.{rest}") for name, delivery in DELIVERIES.items()]
    if family not in DELIVERIES:
        inside = " stays inside the process" if family in FAMILIES else " does not exist"
        raise Invalid("topics", f"{family!r}{inside}; there are {', '.join(DELIVERIES)}")
    return [(DELIVERIES[family], pattern)]


def bus_patterns(family: str, wanted: set[str]) -> set[str]:
    """The patterns to subscribe to on the bus so that each wanted message comes, and comes once.

    Single topics are taken as they are. As soon as there is a wildcard, the family is taken whole: two overlapping
    patterns would bring a message twice.

    >>> sorted(bus_patterns("quote", {"quote.A.X", "quote.B.X"})), bus_patterns("quote", {"quote.A.X", "quote.*.X"})
    (['quote.A.X', 'quote.B.X'], {'quote.>'})
    """
    return {f"{family}.>"} if any(is_pattern(pattern) for pattern in wanted) else wanted

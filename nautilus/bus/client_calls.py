"""What a call of the bus client may be given: each wrong argument is refused by its name, before anything is done."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from nautilus.bus.edges.selection import Selection
from nautilus.bus.patterns import check_pattern, is_pattern
from nautilus.errors import Invalid
from nautilus.model.enums import Channel, EngineType, MessagePriority, MessageType
from nautilus.model.topic_types import TYPES, message_class
from nautilus.model.topics import FAMILIES, message_type

INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*(-[A-Za-z0-9_.]+)*")
LONGEST_INSTANCE = 40
_SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "instrument": "id",
        "signal": "strategy_id",
        "factor": "name",
        "risk_metric": "name",
        "risk_alert": "scope",
        "risk_breach": "limit_id",
        "margin": "account_id",
        "margin_call": "account_id",
        "analytics": "account_id",
        "health": "engine",
        "system_alert": "source",
        "error_alert": "source",
        "performance": "source",
        "backtest_progress": "run_id",
    }
    | dict.fromkeys(
        (
            "quote",
            "trade",
            "book",
            "depth",
            "features",
            "vpin",
            "toxicity",
            "enhanced_vpin",
            "flash_crash",
            "prediction",
        ),
        "instrument_id",
    )
)
"""The attribute that with its family makes a message's topic, for families where it does."""


class MessageMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message beside itself. `ts` is when it was published, nanoseconds UTC by its sender's clock.

    `source_engine` is "" where the topic does not say who speaks on it, `correlation_id` where there is none.
    """

    topic: str
    message_type: MessageType
    message_id: str
    source_instance: str
    source_node: str
    source_engine: str
    ts: int
    priority: MessagePriority
    correlation_id: str


type MessageHandler = Callable[[Any, MessageMeta], Awaitable[object]]


def check_engine(engine: object) -> EngineType:
    """Raises Invalid for what is no EngineType."""
    if not isinstance(engine, EngineType):
        raise Invalid("engine", f"must be an EngineType, such as EngineType.ML, not {engine!r}")
    return engine


def check_instance(instance_id: object) -> str:
    """Raises Invalid for what cannot be part of a message's id and of a group's name."""
    if not isinstance(instance_id, str) or len(instance_id) > LONGEST_INSTANCE or not INSTANCE.fullmatch(instance_id):
        raise Invalid(
            "instance_id", f"must be 1 to {LONGEST_INSTANCE} letters, digits, '-', '_' or '.', not {instance_id!r}"
        )
    return instance_id


def check_types(message_types: object, channel: Channel) -> tuple[MessageType, ...]:
    """Raises Invalid for what is no list of message types of the channel that have messages."""
    if isinstance(message_types, str) or not isinstance(message_types, Iterable):
        raise Invalid("message_types", f"must be a list of MessageType, not {message_types!r}")
    checked = tuple(dict.fromkeys(message_types))
    if not checked:
        raise Invalid("message_types", "must not be empty")
    for one in checked:
        if not isinstance(one, MessageType):
            raise Invalid("message_types", f"must hold MessageType, such as MessageType.PRICE_UPDATE, not {one!r}")
        if one.channel is not channel:
            raise Invalid("message_types", f"{one} is on the channel {one.channel}, not on {channel}")
        if not families_with(one):
            raise Invalid("message_types", f"{one} has no messages")
    return checked


def families_with(one: MessageType) -> list[str]:
    """The families of topics that carry a type and whose messages have a shape."""
    return [family for family, carried in FAMILIES.items() if carried is one and family in TYPES]


def check_patterns(patterns: object, message_types: Iterable[MessageType], channel: Channel) -> Selection:
    """The topics wanted: those under the patterns, or all of the types. Raises Invalid."""
    families = [family for one in message_types for family in families_with(one)]
    if patterns is None:
        return Selection([f"{family}.>" for family in families], channel, "patterns")
    if isinstance(patterns, str) or not isinstance(patterns, Iterable):
        raise Invalid("patterns", f"must be a list of patterns, such as ['quote.AAPL.*'], not {patterns!r}")
    listed = list(patterns)
    if not listed or not all(isinstance(pattern, str) for pattern in listed):
        raise Invalid("patterns", f"must be a list of patterns with one at least, not {listed!r}")
    selection = Selection(listed, channel, "patterns")
    if foreign := [family for family in selection.families if family not in families]:
        raise Invalid("patterns", f"{foreign[0]!r} is of the type {FAMILIES[foreign[0]]}, which was not asked for")
    return selection


def check_handler(handler: object) -> MessageHandler:
    """Raises Invalid for what is no async function of two positional arguments."""
    call = handler if inspect.isroutine(handler) else getattr(handler, "__call__", None)  # noqa: B004 - its signature
    if not callable(handler):
        raise Invalid("handler", f"must be an async function of (message, meta), not {handler!r}")
    if not (inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)):
        raise Invalid("handler", "must be an async function: async def handler(message, meta)")
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError as error:
        raise Invalid("handler", f"must take two arguments, (message, meta): {error}") from None
    return handler


def check_type(one: object) -> MessageType:
    """Raises Invalid for what is no MessageType."""
    if not isinstance(one, MessageType):
        raise Invalid("message_type", f"must be a MessageType, such as MessageType.ML_PREDICTION, not {one!r}")
    return one


def check_priority(priority: object) -> int | None:
    """Raises Invalid for what is no MessagePriority."""
    if priority is not None and not isinstance(priority, MessagePriority):
        raise Invalid("priority", f"must be a MessagePriority, such as MessagePriority.HIGH, not {priority!r}")
    return priority


def check_correlation(correlation_id: object) -> str | None:
    """Raises Invalid for what is no text."""
    if correlation_id is not None and not isinstance(correlation_id, str):
        raise Invalid("correlation_id", f"must be text, not {correlation_id!r}")
    return correlation_id


def check_topic(topic: object, one: MessageType, payload: object) -> str:
    """The topic to publish on: the one given, or the one that follows from the payload. Raises Invalid.

    The payload must be what the topic carries.
    """
    if topic is None:
        return _topic_of(one, payload)
    if not isinstance(topic, str):
        raise Invalid("topic", f"must be text, not {topic!r}")
    try:
        check_pattern(topic)
        carried = message_type(topic)
    except Invalid as error:
        raise Invalid("topic", error.reason) from None
    if is_pattern(topic) or "." not in topic:
        raise Invalid("topic", f"must be a family and a subject, without wildcards, not {topic!r}")
    if carried is not one:
        raise Invalid("topic", f"{topic!r} carries {carried}, not {one}")
    if not isinstance(payload, classes(topic)):
        wanted = " or ".join(kind.__name__ for kind in classes(topic))
        raise Invalid("payload", f"must be {wanted} on {topic!r}, not {type(payload).__name__}")
    return topic


def classes(topic: str) -> tuple[type, ...]:
    """The classes of the messages of a topic; raises Invalid where it has none."""
    kind = message_class(topic)
    return get_args(kind) or (kind,)


def _topic_of(one: MessageType, payload: object) -> str:
    fitting = [family for family in families_with(one) if isinstance(payload, classes(family))]
    if not fitting:
        wanted = {kind.__name__ for family in families_with(one) for kind in classes(family)}
        expected = f"must be {' or '.join(sorted(wanted))}" if wanted else "cannot be sent"
        raise Invalid("payload", f"{expected} with {one}, not {type(payload).__name__}")
    subject = getattr(payload, _SUBJECTS.get(fitting[0], ""), None)
    if len(fitting) > 1 or not subject:
        examples = " or ".join(f"'{family}...'" for family in fitting)
        raise Invalid("topic", f"must be given ({examples}): it does not follow from the {type(payload).__name__}")
    return check_topic(f"{fitting[0]}.{subject}", one, payload)

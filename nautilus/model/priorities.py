"""What overtakes what where messages wait: the priority of each family of topics.

Mailboxes within the process and streams between processes read the same table.
"""

from collections.abc import Mapping
from types import MappingProxyType

from nautilus.model.enums import MessagePriority
from nautilus.model.topics import message_type

PRIORITIES: Mapping[str, MessagePriority] = MappingProxyType(
    {
        "flash_crash": MessagePriority.FLASH_CRASH,
        "control": MessagePriority.CRITICAL,
        "system_failure": MessagePriority.CRITICAL,
        "margin_call": MessagePriority.URGENT,
        "risk_alert": MessagePriority.URGENT,
        "risk_breach": MessagePriority.URGENT,
        "order_request": MessagePriority.HIGH,
        "order": MessagePriority.HIGH,
        "fill": MessagePriority.HIGH,
        "position": MessagePriority.HIGH,
        "toxicity": MessagePriority.HIGH,
        "system_alert": MessagePriority.HIGH,
        "error_alert": MessagePriority.HIGH,
        "analytics": MessagePriority.LOW,
        "backtest_progress": MessagePriority.LOW,
        "health": MessagePriority.LOW,
        "performance": MessagePriority.LOW,
    }
)
"""Families that are not NORMAL."""


def priority(topic: str) -> MessagePriority:
    """The priority of a topic's messages, by its family; raises Invalid for an unknown family.

    >>> priority("flash_crash.AAPL.XNAS"), priority("quote.AAPL.XNAS")
    (<MessagePriority.FLASH_CRASH: 5>, <MessagePriority.NORMAL: 1>)
    """
    message_type(topic)  # an unknown family is refused
    return PRIORITIES.get(topic.partition(".")[0], MessagePriority.NORMAL)

"""The in-process bus: topics, subscriptions, mailboxes, endpoints and requests."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nautilus.bus.bus import Bus, Subscription, TopicStatistics
    from nautilus.bus.mailbox import Mailbox, Policy

__all__ = ["Bus", "Mailbox", "Policy", "Subscription", "TopicStatistics"]


def __getattr__(name: str) -> Any:
    """The bus brings the model, and that NumPy, which a configuration that only names servers does not need."""
    if name in ("Mailbox", "Policy"):
        from nautilus.bus import mailbox

        return getattr(mailbox, name)
    if name in __all__:
        from nautilus.bus import bus

        return getattr(bus, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

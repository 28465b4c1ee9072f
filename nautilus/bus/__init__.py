"""The in-process bus: topics, subscriptions, mailboxes, endpoints and requests."""

from nautilus.bus.bus import Bus, Subscription, TopicStatistics
from nautilus.bus.mailbox import Mailbox, Policy

__all__ = ["Bus", "Mailbox", "Policy", "Subscription", "TopicStatistics"]

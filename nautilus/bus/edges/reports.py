"""What the edges tell about themselves."""

from collections import Counter

from msgspec import Struct

from nautilus.model.enums import Channel

MOST_TOPICS = 1_000
OTHERS = "(others)"


class TopicCounts:
    """Counts by topic, of a bounded number of topics; those beyond are counted together as "(others)".

    >>> counts = TopicCounts(most=1)
    >>> for topic in ("quote.A", "quote.A", "quote.B", "quote.C"):
    ...     counts.add(topic)
    >>> counts.total, counts.by_topic()
    (4, {'quote.A': 2, '(others)': 2})
    """

    def __init__(self, most: int = MOST_TOPICS) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()
        self.total = 0

    def add(self, topic: str, count: int = 1) -> None:
        """Count."""
        self.total += count
        known = topic in self._counts or len(self._counts) < self._most
        self._counts[topic if known else OTHERS] += count

    def by_topic(self) -> dict[str, int]:
        """The counts so far."""
        return dict(self._counts)


class OutboundReport(Struct, frozen=True, kw_only=True):
    """What left. Counts are messages since the start, but for `entries`; times are nanoseconds UTC."""

    connected: bool
    queued: int
    """Messages that wait for the server now."""
    queued_bytes: int
    """Bytes of them on the disk; 0 where they wait in memory."""
    sent: int
    entries: int
    conflated: int
    """Replaced by a newer message of their topic while they waited."""
    dropped: dict[str, int]
    """Gave way to newer ones, or were refused where nothing may be lost, by topic."""
    unencodable: int
    failures: int
    last_error: str


class InboundReport(Struct, frozen=True, kw_only=True):
    """What arrived. Counts are messages since the start, but for `entries` and `claimed` (entries)."""

    connected: bool
    received: int
    """Handed to the bus."""
    entries: int
    echoes: int
    duplicates: int
    unselected: int
    """On a stream that is read, but of no pattern that was asked for."""
    dead_letters: int
    claimed: int
    expired: int
    """Entries that another reader left, too old to be news."""
    trimmed: int
    """Entries that the server trimmed before they were handled: lost."""
    groups_remade: int
    """Consumer groups that were lost on the server and made again."""
    handler_failures: int
    lag_entries: int | None
    """Entries on the server that this group has not read, at the last look; None where the server does not know."""
    pending_entries: int | None
    """Entries read by the group and not yet acknowledged, at the last look."""
    last_latency_ns: int | None
    """From the publication of the newest message to its arrival here, by the two clocks."""
    failures: int
    last_error: str


class ChannelReport(Struct, frozen=True, kw_only=True):
    """One channel's edge."""

    channel: Channel
    url: str
    connected: bool
    outbound: OutboundReport | None
    inbound: InboundReport | None
    problems: tuple[str, ...]


class EdgesReport(Struct, frozen=True, kw_only=True):
    """All edges of a node."""

    node: str
    instance: str
    running: bool
    channels: tuple[ChannelReport, ...]

"""Market data on its way out: everything while the server keeps up, the newest once it does not.

While the server is away or slow, of instruments, quotes, depths and bars the latest of each topic is kept; trades and
book deltas wait up to a bound and the oldest are dropped. Both are counted. What is left goes out in the order in which
it was published.
"""

from collections import OrderedDict, deque
from typing import Any

from nautilus.bus.edges.codec import Item, Packet
from nautilus.bus.edges.outbox import FLUSH_ENTRIES, Doorbell, Sender, first_sequence, no_counts, pack_items

CONFLATED_FAMILIES = frozenset({"instrument", "quote", "depth", "bar"})
PATIENCE_NS = 1_000_000_000
"""A server is slow once the oldest message has waited this long."""


class ConflatingOutbox:
    """A queue of `capacity` messages that, in trouble, becomes one message a topic and a bounded queue of the rest."""

    def __init__(self, sender: Sender, *, capacity: int) -> None:
        self.counts = no_counts()
        self._sender = sender
        self._timestamp_ns = sender.timestamp_ns
        self._capacity = capacity
        self._sequence = first_sequence(sender.timestamp_ns())
        self._queue: deque[Item] = deque()
        self._latest: OrderedDict[str, Item] = OrderedDict()
        self._conflating = False
        self._bell = Doorbell()

    def __len__(self) -> int:
        return len(self._queue) + len(self._latest)

    @property
    def conflating(self) -> bool:
        """Whether only the latest of a topic is kept now."""
        return self._conflating

    @property
    def waiting_bytes(self) -> int:
        """Not bounded in bytes."""
        return 0

    def put(self, topic: str, message: Any) -> None:
        """Let a message wait."""
        self._sequence = sequence = self._sequence + 1
        item = (sequence, topic, self._timestamp_ns(), message)
        if self._conflating:
            self._conflate(item)
        else:
            self._queue.append(item)
            if len(self._queue) > self._capacity:
                self.trouble()
        self._bell.ring()

    async def wait(self) -> None:
        """Return once something waits."""
        while not self._queue and not self._latest:
            await self._bell.wait()

    async def take(self) -> list[Packet]:
        """The oldest, as many as fit in one exchange."""
        if self._queue and self._timestamp_ns() - self._queue[0][2] > PATIENCE_NS:
            self.trouble()
        most = self._sender.batch_max_events * FLUSH_ENTRIES
        if self._conflating:
            items = [self._oldest() for _ in range(min(most, len(self)))]
            self._conflating = len(self) > 0
        else:
            items = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        return pack_items(items, self._sender, self.counts)

    async def settle(self) -> None:
        """Nothing to be remembered."""

    def trouble(self) -> None:
        """Keep only the newest from here on, until nothing waits any more."""
        if self._conflating:
            return
        self._conflating = True
        waiting, self._queue = self._queue, deque()
        for item in waiting:
            self._conflate(item)

    def problems(self) -> list[str]:
        """Whether the server keeps up."""
        if not self._conflating:
            return []
        return [
            f"market data is conflated while the server is away or slow; dropped so far: {self.counts.dropped.total}"
        ]

    def _conflate(self, item: Item) -> None:
        topic = item[1]
        if topic.partition(".")[0] not in CONFLATED_FAMILIES:
            if len(self._queue) >= self._capacity:
                self.counts.dropped.add(self._queue.popleft()[1])
            self._queue.append(item)
            return
        if self._latest.pop(topic, None) is not None:
            self.counts.conflated += 1
        elif len(self._latest) >= self._capacity:
            self.counts.dropped.add(self._latest.popitem(last=False)[0])
        self._latest[topic] = item

    def _oldest(self) -> Item:
        if not self._latest:
            return self._queue.popleft()
        topic = next(iter(self._latest))
        if self._queue and self._queue[0][0] < self._latest[topic][0]:
            return self._queue.popleft()
        return self._latest.pop(topic)

"""What waits in a mailbox: by priority, and within one in the order in which it came or by the latest of each key.

A message that finds everything full makes room for itself where the policy allows it: the oldest of the lowest
priority waiting goes, and if all that wait are of a higher priority, the newcomer itself.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Protocol

from nautilus.errors import Invalid
from nautilus.model.enums import MessagePriority


class Waiting[M](Protocol):
    """Messages that nobody has taken yet."""

    size: int
    """How many wait."""

    def add(self, message: M, priority: int) -> int:
        """Let a message wait; returns how many are dropped for it, itself included. May raise asyncio.QueueFull."""

    def take(self) -> M:
        """The next to be handled: the oldest of the highest priority; IndexError where nothing waits."""


def check_priority(priority: int) -> MessagePriority:
    """The priority as what it is; raises Invalid for a number that is none."""
    try:
        return MessagePriority(priority)
    except ValueError:
        raise Invalid("priority", f"must be 0 (low) to 5 (flash crash), not {priority!r}") from None


class Queued[M]:
    """In the order in which messages came. When full, refuses or lets the oldest go."""

    __slots__ = ("_capacity", "_lanes", "_ordered", "_refuses", "size")

    def __init__(self, capacity: int, *, refuses: bool) -> None:
        self._capacity = capacity
        self._refuses = refuses
        self._lanes: dict[int, deque[M]] = {}
        self._ordered: tuple[deque[M], ...] = ()  # highest priority first; only those that are in use
        self.size = 0

    def add(self, message: M, priority: int) -> int:
        """Let a message wait; returns how many are dropped for it, itself included. May raise asyncio.QueueFull."""
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._open(priority)
        if self.size < self._capacity:
            self.size += 1
            lane.append(message)
            return 0
        if self._refuses:
            raise asyncio.QueueFull
        lowest = min(level for level, waiting in self._lanes.items() if waiting)
        if lowest <= priority:
            self._lanes[lowest].popleft()
            lane.append(message)
        return 1

    def take(self) -> M:
        """The oldest of the highest priority."""
        for lane in self._ordered:
            if lane:
                self.size -= 1
                return lane.popleft()
        raise IndexError("nothing waits")

    def _open(self, priority: int) -> deque[M]:
        lane: deque[M] = deque()
        self._lanes[check_priority(priority)] = lane
        self._ordered = tuple(self._lanes[level] for level in sorted(self._lanes, reverse=True))
        return lane


class Latest[M]:
    """One message a key: a newer one takes the place of the older, or a better one where its priority is higher."""

    __slots__ = ("_capacity", "_key", "_lanes", "size")

    def __init__(self, capacity: int, key: Callable[[M], Hashable]) -> None:
        self._capacity = capacity
        self._key = key
        self._lanes: dict[int, OrderedDict[Hashable, M]] = {}
        self.size = 0

    def add(self, message: M, priority: int) -> int:
        """Let a message wait; returns how many are dropped for it, itself included."""
        lane = self._lanes.get(priority)
        if lane is None:
            lane = self._open(priority)
        key = self._key(message)
        for level, older in self._lanes.items():
            if key in older:
                if level < priority:
                    del older[key]
                    lane[key] = message
                else:
                    older[key] = message
                return 1
        if self.size < self._capacity:
            self.size += 1
            lane[key] = message
            return 0
        lowest = min(level for level, waiting in self._lanes.items() if waiting)
        if lowest <= priority:
            self._lanes[lowest].popitem(last=False)
            lane[key] = message
        return 1

    def take(self) -> M:
        """The message of the key that has waited longest, of those of the highest priority."""
        for lane in self._lanes.values():
            if lane:
                self.size -= 1
                return lane.popitem(last=False)[1]
        raise IndexError("nothing waits")

    def _open(self, priority: int) -> OrderedDict[Hashable, M]:
        self._lanes[check_priority(priority)] = lane = OrderedDict[Hashable, M]()
        self._lanes = {level: self._lanes[level] for level in sorted(self._lanes, reverse=True)}
        return lane

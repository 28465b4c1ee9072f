"""Identifiers used lately: a bounded memory in which adding, asking and forgetting cost the same, however many."""

from collections import deque
from typing import Self


class RecentIds:
    """The newest `limit` identifiers; an older one is forgotten for each that is added beyond.

    >>> ids = RecentIds(2)
    >>> for name in ("a", "b", "b", "c"):
    ...     ids.add(name)
    >>> ["a" in ids, "b" in ids, "c" in ids, len(ids), ids.text().split()]
    [False, True, True, 2, ['b', 'c']]
    """

    __slots__ = ("_known", "_order", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._known: set[str] = set()
        self._order: deque[str] = deque()

    @classmethod
    def from_text(cls, text: str, limit: int) -> Self:
        """Those that `text` gave."""
        ids = cls(limit)
        for name in text.split("\n") if text else ():
            ids.add(name)
        return ids

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, name: str) -> None:
        """Remember one; it must not contain a line break."""
        if name in self._known:
            return
        self._known.add(name)
        self._order.append(name)
        if len(self._order) > self.limit:
            self._known.discard(self._order.popleft())

    def text(self) -> str:
        """All of them as lines, oldest first."""
        return "\n".join(self._order)

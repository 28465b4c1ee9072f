"""What was handled lately, by sender: so that a message sent or read twice is handled once.

A sender's sequences mostly follow one another, so they are kept as runs: a million in a row take no more room than one.
"""

from bisect import bisect_right
from collections import OrderedDict

MOST_SENDERS = 64


class RecentSequences:
    """The sequences of one sender, as at most `most_runs` runs; beyond that the lowest are forgotten, a few at a time.

    >>> recent = RecentSequences(100)
    >>> for sequence in (1, 2, 3, 7, 5):
    ...     recent.add(sequence)
    >>> [sequence in recent for sequence in range(9)], recent.runs
    ([False, True, True, True, False, True, False, True, False], 3)
    """

    __slots__ = ("_ends", "_most", "_starts")

    def __init__(self, most_runs: int) -> None:
        self._most = most_runs
        self._starts: list[int] = []
        self._ends: list[int] = []  # each one past its run

    def __contains__(self, sequence: int) -> bool:
        ends = self._ends
        if not ends or sequence >= ends[-1]:
            return False
        index = bisect_right(self._starts, sequence) - 1
        return index >= 0 and sequence < ends[index]

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self._starts)

    def add(self, sequence: int) -> None:
        """Remember one that is not known yet."""
        ends = self._ends
        if ends and sequence == ends[-1]:
            ends[-1] = sequence + 1
            return
        if ends and sequence < ends[-1]:
            self._insert(sequence)
        else:
            self._starts.append(sequence)
            ends.append(sequence + 1)
        if len(ends) > self._most:
            forgotten = max(1, self._most // 16)  # not one by one: each time moves all the rest
            del self._starts[:forgotten]
            del ends[:forgotten]

    def _insert(self, sequence: int) -> None:
        starts, ends = self._starts, self._ends
        right = bisect_right(starts, sequence)
        follows = right > 0 and ends[right - 1] == sequence
        precedes = right < len(starts) and starts[right] == sequence + 1
        if follows and precedes:
            ends[right - 1] = ends[right]
            del starts[right], ends[right]
        elif follows:
            ends[right - 1] = sequence + 1
        elif precedes:
            starts[right] = sequence
        else:
            starts.insert(right, sequence)
            ends.insert(right, sequence + 1)


class RecentMessages:
    """The sequences of each of the senders heard last."""

    def __init__(self, most_runs: int, most_senders: int = MOST_SENDERS) -> None:
        self._most_runs = most_runs
        self._most = most_senders
        self._senders: OrderedDict[str, RecentSequences] = OrderedDict()

    def of(self, instance: str) -> RecentSequences:
        """The memory of one sender; the one heard longest ago makes room for a new one."""
        found = self._senders.get(instance)
        if found is None:
            found = self._senders[instance] = RecentSequences(self._most_runs)
            if len(self._senders) > self._most:
                self._senders.popitem(last=False)
        else:
            self._senders.move_to_end(instance)
        return found

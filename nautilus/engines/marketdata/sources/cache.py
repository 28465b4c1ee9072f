"""The last answers of all sources, by address, within a bound of bytes; the one unused for longest goes first."""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source sent: the body, its media type, and when it came (ns UTC of the node's clock)."""

    body: bytes
    content_type: str
    retrieved_at: int


class AnswerCache:
    """Answers by address without key.

    >>> cache = AnswerCache(most_bytes=1000)
    >>> cache.put("https://x/a", Answer(b"1" * 400, "application/json", 1))
    >>> cache.put("https://x/b", Answer(b"2" * 400, "application/json", 2))
    >>> cache.get("https://x/a") is None, cache.get("https://x/b").retrieved_at, cache.evicted
    (True, 2, 1)
    """

    ENTRY_BYTES = 200
    """Charged for each answer beside its body and address."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes_held = 0
        self.evicted = 0
        """Answers that gave way to newer ones."""
        self.too_large = 0
        """Answers that were larger than the whole cache."""
        self._answers: OrderedDict[str, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, url: str) -> Answer | None:
        """The last answer of an address."""
        answer = self._answers.get(url)
        if answer is not None:
            self._answers.move_to_end(url)
        return answer

    def put(self, url: str, answer: Answer) -> None:
        """Keep an answer in place of the one before."""
        self._drop(url)
        size = self._size(url, answer)
        if size > self.most_bytes:
            self.too_large += 1
            return
        self._answers[url] = answer
        self.bytes_held += size
        while self.bytes_held > self.most_bytes:
            self._drop(next(iter(self._answers)))
            self.evicted += 1

    def _drop(self, url: str) -> None:
        answer = self._answers.pop(url, None)
        if answer is not None:
            self.bytes_held -= self._size(url, answer)

    def _size(self, url: str, answer: Answer) -> int:
        return len(answer.body) + len(url) + self.ENTRY_BYTES

"""What can go wrong with a source, as errors that already know their HTTP status.

SourceUnavailable             503  down, too slow, cut, or nonsense; the last answer may stand in, marked
├── SourceGarbled             503  an answer that is not what it should be: HTML, truncated JSON, missing fields
├── SourceThrottled           503  asked too often; says when to come back
└── SourceRefused             503  the key was not accepted
SourceUnconfigured            503  a key or an address is missing here; nothing was sent
"""

from nautilus.errors import Unavailable


class SourceUnavailable(Unavailable):
    """The source does not answer, or not in a way that could be used.

    >>> str(SourceUnavailable("fred", "answers with status 502"))
    'fred: answers with status 502'
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class SourceGarbled(SourceUnavailable):
    """What came is not the document that was asked for."""


class SourceThrottled(SourceUnavailable):
    """The source wants fewer requests; `retry_after_seconds` says when to come back, None if it did not."""

    def __init__(self, source: str, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(source, reason)
        self.retry_after_seconds = retry_after_seconds


class SourceRefused(SourceUnavailable):
    """The source does not accept the key, or does not give this to its holder."""


class SourceUnconfigured(Unavailable):
    """What the source needs from us is not set; the message says what and where."""

"""Wildcards of topics: `*` is one token, a final `>` one or more."""

from nautilus.errors import Invalid


def check_pattern(pattern: str) -> None:
    """Raise Invalid where a pattern cannot match anything.

    >>> check_pattern("quote.*.XNAS")
    """
    tokens = pattern.split(".")
    if not all(tokens):
        raise Invalid("pattern", f"{pattern!r} has an empty token")
    if ">" in tokens[:-1]:
        raise Invalid("pattern", f"{pattern!r}: '>' stands only at the end")
    if any(("*" in token or ">" in token) and len(token) > 1 for token in tokens):
        raise Invalid("pattern", f"{pattern!r}: a wildcard is a whole token")


def is_pattern(topic: str) -> bool:
    """Whether a topic has wildcards."""
    return "*" in topic or ">" in topic


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic falls under a pattern.

    >>> matches("quote.*.XNAS", "quote.AAPL.XNAS"), matches("quote.>", "quote.AAPL.XNAS"), matches("quote.*", "quote")
    (True, True, False)
    """
    wanted, tokens = pattern.split("."), topic.split(".")
    if wanted[-1] == ">":
        if len(tokens) < len(wanted):
            return False
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1]
    return len(wanted) == len(tokens) and all(want in ("*", token) for want, token in zip(wanted, tokens, strict=True))

"""Reading bodies: JSON into types, with an error that says what came instead."""

import math
from datetime import date

import msgspec

from nautilus.engines.marketdata.sources.cache import Answer
from nautilus.engines.marketdata.sources.errors import SourceGarbled


def json_of[T](source: str, answer: Answer, kind: type[T]) -> T:
    """The body as a type. Raises SourceGarbled for HTML, truncated JSON, and JSON of another shape.

    >>> json_of("fred", Answer(b'{"a": 1}', "application/json", 0), dict)
    {'a': 1}
    >>> json_of("fred", Answer(b"<!DOCTYPE html><p>Maintenance", "text/html", 0), dict)
    Traceback (most recent call last):
    nautilus.engines.marketdata.sources.errors.SourceGarbled: fred: answers with HTML or XML in place of JSON
    """
    body = answer.body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        raise SourceGarbled(source, "answers with an empty body in place of JSON")
    if body.startswith(b"<"):
        raise SourceGarbled(source, "answers with HTML or XML in place of JSON")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise SourceGarbled(source, f"answers with JSON of another shape: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceGarbled(source, f"answers with truncated or malformed JSON: {error}") from None


def date_of(source: str, text: str) -> date:
    """A day written as 2024-01-31. Raises SourceGarbled."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SourceGarbled(source, f"answers with {text[:40]!r} in place of a date") from None


def number_of(source: str, text: str, missing: tuple[str, ...] = ("", ".")) -> float | None:
    """A number written as text, None for what stands for a missing one. Raises SourceGarbled.

    >>> number_of("fred", "243.164"), number_of("fred", ".")
    (243.164, None)
    """
    if text.strip() in missing:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SourceGarbled(source, f"answers with {text[:40]!r} in place of a number")
    return value

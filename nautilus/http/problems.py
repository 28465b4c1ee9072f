"""Errors as problem documents (RFC 9457), each naming the field at fault where there is one."""

from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from nautilus.errors import NautilusError

PROBLEM_TYPE = "application/problem+json"
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Body too large"}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, in the form of RFC 9457; `field` is the dotted path of the value at fault."""

    status: int
    title: str
    detail: str
    field: str | None = None


def problem(
    status: int, title: str, detail: str, field: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """A problem as a response."""
    body = msgspec.json.encode(Problem(status=status, title=title, detail=detail, field=field))
    return Response(body, status, headers, PROBLEM_TYPE)


def from_error(error: NautilusError) -> Response:
    """The problem that one of our errors stands for."""
    return problem(error.status, error.title, str(error), error.field)


async def on_nautilus_error(_: Request, error: Exception) -> Response:
    """Handler for our own errors."""
    assert isinstance(error, NautilusError)
    return from_error(error)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Handler for what the framework refuses: unknown paths, wrong methods, bodies too large."""
    assert isinstance(error, HTTPException)
    title = _TITLES.get(error.status_code, "Request refused")
    return problem(error.status_code, title, error.detail, headers=error.headers)


async def on_unexpected(_: Request, error: Exception) -> Response:
    """Handler for our own faults: says so, and nothing of the inside."""
    return problem(500, NautilusError.title, f"an unexpected {type(error).__name__}; the log has the details")

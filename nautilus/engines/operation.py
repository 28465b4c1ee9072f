"""Operations: how an engine declares its HTTP routes, without knowing the web framework.

A handler is an async function. Its parameters are the path parameters by name, `body` (the JSON body, a msgspec type)
and query parameters (everything else; with a default they are optional). Its return annotation is the type of `data`
in the answer, its docstring the summary. Wrong requests never reach it; errors of `nautilus.errors` become problem
documents (RFC 9457).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

Method = Literal["GET", "POST", "PUT", "DELETE"]
Scope = Literal["read", "trade", "admin", "kill"]
Handler = Callable[..., Awaitable[Any]]
SocketHandler = Callable[["WebSocket"], Awaitable[None]]


class Page(str):
    """A self-contained HTML page, as the answer of an operation; it may load nothing and run no script."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path below the engine's prefix. `scope` is what an API key must allow."""

    method: Method
    path: str
    handler: Handler
    status: int = 200
    scope: Scope = "read"
    envelope: bool = True
    """Whether the answer is wrapped as {ts, source, quality, data}."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A WebSocket below the engine's prefix."""

    path: str
    handler: SocketHandler
    scope: Scope = "read"


def get(path: str, handler: Handler, *, envelope: bool = True) -> Operation:
    """Read something; changes nothing."""
    return Operation("GET", path, handler, envelope=envelope)


def post(path: str, handler: Handler, *, status: int = 200, scope: Scope = "trade") -> Operation:
    """Compute or change something. Pure computations take `scope="read"`."""
    return Operation("POST", path, handler, status, scope)


def put(path: str, handler: Handler, *, scope: Scope = "trade") -> Operation:
    """Set something to a value; doing it twice is doing it once."""
    return Operation("PUT", path, handler, 200, scope)


def delete(path: str, handler: Handler, *, scope: Scope = "trade") -> Operation:
    """Take something away."""
    return Operation("DELETE", path, handler, 200, scope)


def websocket(path: str, handler: SocketHandler, *, scope: Scope = "read") -> Socket:
    """A WebSocket; the handler accepts it and returns when it is over."""
    return Socket(path, handler, scope)

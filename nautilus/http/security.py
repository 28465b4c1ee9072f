"""Who may talk to us: the Host header against rebinding, the Origin of browsers against other sites' pages."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from nautilus.http.problems import problem

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_SECURITY_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class Guard:
    """ASGI middleware that refuses foreign hosts, and foreign web pages that would change something or listen in."""

    def __init__(self, app: ASGIApp, allowed_hosts: tuple[str, ...], allowed_origins: tuple[str, ...]) -> None:
        self.app = app
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.allowed_origins = frozenset(origin.lower() for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reason = self._refusal(scope, headers)
        if reason is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason=reason)(scope, receive, send)
        else:
            await problem(403, "Forbidden", reason)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) > 1:
            return "a request has one Host header"
        host = "".join(hosts).lower()
        if host_name(host) not in self.allowed_hosts:
            return f"the host {host_name(host)!r} is not served here (http.allowed_hosts)"
        origin = headers.get("origin", "").lower()
        reads_only = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if reads_only or not origin or origin in self.allowed_origins or origin in _own_origins(host):
            return None
        return f"pages of {origin} may not do this (http.allowed_origins)"


def host_name(host: str) -> str:
    """The Host header without its port.

    >>> host_name("localhost:8001"), host_name("[::1]:8001"), host_name("[::1]"), host_name("localhost")
    ('localhost', '[::1]', '[::1]', 'localhost')
    """
    name, colon, port = host.rpartition(":")
    return name if colon and (not port or port.isdecimal()) else host


def _own_origins(host: str) -> tuple[str, str]:
    return f"http://{host}", f"https://{host}"

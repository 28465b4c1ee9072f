"""Who may talk to us: the Host header against rebinding, the Origin of browsers against other sites' pages."""

from urllib.parse import urlsplit

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
        self.allowed_hosts = allowed_hosts
        self.allowed_origins = allowed_origins

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
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host
        if name not in self.allowed_hosts:
            return f"the host {name!r} is not served here (http.allowed_hosts)"
        origin = headers.get("origin")
        reads_only = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if origin is None or reads_only or origin in self.allowed_origins or urlsplit(origin).netloc == host:
            return None
        return f"pages of {origin} may not do this (http.allowed_origins)"

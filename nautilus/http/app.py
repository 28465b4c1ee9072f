"""The ASGI app: node-wide operations, every engine under its prefix, the documentation and the page."""

import asyncio
import mimetypes
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from nautilus.engines.base import Engine, Health
from nautilus.engines.operation import Operation, Socket, SocketHandler, get
from nautilus.errors import NautilusError, Unavailable
from nautilus.http import metrics, problems
from nautilus.http.endpoint import JSON, make_endpoint
from nautilus.http.openapi import openapi_document
from nautilus.http.security import CONTENT_SECURITY_POLICY, Guard
from nautilus.http.system import system_operations
from nautilus.model.enums import Quality

if TYPE_CHECKING:
    from nautilus.node import Node

CLOSE_REASON_BYTES = 123
"""What the protocol allows."""
_DOCUMENTATION = Path(__file__).parent / "documentation"
_DASHBOARD = Path(__file__).parent.parent / "dashboard"
_PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def build_app(node: "Node") -> Starlette:
    """The app of one node. Starting and stopping the node is the caller's."""
    mimetypes.init()  # else the first page reads the system's table of types on the loop
    groups: list[tuple[str, str, list[Operation]]] = [("node", "", system_operations(node))]
    routes: list[BaseRoute] = _routes(groups[0][2], node, "node", lambda: Quality.NONE)
    for engine in node.engines.values():
        operations, sockets = _split(engine)
        groups.append((engine.name, engine.prefix, operations))
        mounted = _routes(operations, node, engine.name, engine.quality)
        mounted += [WebSocketRoute(socket.path, _watched(socket, engine)) for socket in sockets]
        routes.append(Mount(engine.prefix, routes=mounted))
    document = msgspec.json.encode(openapi_document(groups))

    async def openapi(_: Request) -> Response:
        return Response(document, media_type=JSON)

    async def prometheus(_: Request) -> Response:
        families = metrics.collect(node)
        return Response(await asyncio.to_thread(metrics.render, families), media_type=metrics.CONTENT_TYPE)

    async def docs(_: Request) -> Response:
        return FileResponse(_DOCUMENTATION / "index.html", headers=_PAGE_HEADERS)

    async def page(_: Request) -> Response:
        return FileResponse(_DASHBOARD / "index.html", headers=_PAGE_HEADERS)

    async def icon(_: Request) -> Response:
        return FileResponse(_DASHBOARD / "icon.svg", media_type="image/svg+xml")

    routes += [
        Route("/openapi.json", openapi),
        Route("/metrics", prometheus),
        Route("/docs", docs),
        Route("/", page),
        Route("/favicon.ico", icon),
        Mount("/docs", StaticFiles(directory=_DOCUMENTATION)),
        Mount("/dashboard", StaticFiles(directory=_DASHBOARD)),
    ]
    http = node.config.http
    own = f"[{http.host}]" if ":" in http.host else http.host
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, allowed_hosts=(*http.allowed_hosts, own), allowed_origins=http.allowed_origins)],
        exception_handlers={
            NautilusError: problems.on_nautilus_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_unexpected,
        },
    )


def _split(engine: Engine[Any]) -> tuple[list[Operation], list[Socket]]:
    async def health() -> Health:
        """The engine's health, computed from what it depends on and the age of its last input."""
        return engine.health()

    operations: list[Operation] = [get("/health", health)]
    sockets: list[Socket] = []
    for route in engine.routes():
        if isinstance(route, Socket):
            sockets.append(route)
        else:
            operations.append(route)
    return operations, sockets


def _routes(operations: Iterable[Operation], node: "Node", source: str, quality: Any) -> list[BaseRoute]:
    """One route for each path, so that a wrong method is answered with all the right ones."""
    by_path: dict[str, dict[str, Any]] = {}
    for operation in operations:
        endpoint = make_endpoint(operation, source, node.clock, quality, node.config.http.max_body_bytes)
        by_path.setdefault(operation.path, {})[operation.method] = endpoint
    engine = node.engines.get(source)

    def route(path: str, endpoints: dict[str, Any]) -> Route:
        async def dispatch(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            try:
                response: Response = await endpoints[method](request)
            except (NautilusError, HTTPException):
                raise
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except Exception as error:
                if engine is not None and not engine.running:  # what was asked for is not set up, or gone
                    raise Unavailable(f"the engine {source} is not running{_why(node, engine)}") from None
                node.log.exception("request.failed", engine=source, method=request.method, path=request.url.path)
                return await problems.on_unexpected(request, error)
            return response

        return Route(path, dispatch, methods=list(endpoints))

    return [route(path, endpoints) for path, endpoints in by_path.items()]


def _why(node: "Node", engine: Engine[Any]) -> str:
    waits = node.cluster.standing_by() if node.cluster is not None else ""
    reason = engine.failure or (f"the node stands by: {waits}" if waits else "")
    return f": {reason}" if reason else ""


def _watched(socket: Socket, engine: Engine[Any]) -> SocketHandler:
    """The socket's handler; where it fails the client is told by a close frame, and the log why."""

    async def handle(websocket: WebSocket) -> None:
        try:
            await socket.handler(websocket)
        except WebSocketDisconnect:
            return
        except NautilusError as error:
            await _close(websocket, 1008, str(error))
        except Exception:
            engine.stats.errors += 1
            engine.log.exception("socket.failed", path=socket.path)
            await _close(websocket, 1011, NautilusError.title)

    return handle


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    if websocket.application_state is WebSocketState.DISCONNECTED:
        return
    with suppress(RuntimeError, WebSocketDisconnect):  # the client has gone meanwhile
        await websocket.close(code, reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore"))

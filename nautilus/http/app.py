"""The ASGI app: node-wide operations, every engine under its prefix, the documentation and the page."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from nautilus.engines.base import Engine, Health
from nautilus.engines.operation import Operation, Socket, get
from nautilus.errors import NautilusError
from nautilus.http import metrics, problems
from nautilus.http.endpoint import JSON, make_endpoint
from nautilus.http.openapi import openapi_document
from nautilus.http.security import CONTENT_SECURITY_POLICY, Guard
from nautilus.http.system import system_operations
from nautilus.model.enums import Quality

if TYPE_CHECKING:
    from nautilus.node import Node

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
    groups: list[tuple[str, str, list[Operation]]] = [("node", "", system_operations(node))]
    routes: list[BaseRoute] = _routes(groups[0][2], node, "node", lambda: Quality.NONE)
    for engine in node.engines.values():
        operations, sockets = _split(engine)
        groups.append((engine.name, engine.prefix, operations))
        mounted = _routes(operations, node, engine.name, engine.quality)
        mounted += [WebSocketRoute(socket.path, socket.handler) for socket in sockets]
        routes.append(Mount(engine.prefix, routes=mounted))
    document = msgspec.json.encode(openapi_document(groups))

    async def openapi(_: Request) -> Response:
        return Response(document, media_type=JSON)

    async def prometheus(_: Request) -> Response:
        return Response(await asyncio.to_thread(metrics.render, node), media_type=metrics.CONTENT_TYPE)

    async def docs(_: Request) -> Response:
        return FileResponse(_DOCUMENTATION / "index.html", headers=_PAGE_HEADERS)

    async def page(_: Request) -> Response:
        return FileResponse(_DASHBOARD / "index.html", headers=_PAGE_HEADERS)

    routes += [
        Route("/openapi.json", openapi),
        Route("/metrics", prometheus),
        Route("/docs", docs),
        Route("/", page),
        Mount("/docs", StaticFiles(directory=_DOCUMENTATION)),
        Mount("/dashboard", StaticFiles(directory=_DASHBOARD)),
    ]
    http = node.config.http
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, allowed_hosts=http.allowed_hosts, allowed_origins=http.allowed_origins)],
        exception_handlers={
            NautilusError: problems.on_nautilus_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_unexpected,
        },
        max_body_size=http.max_body_bytes,
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
        by_path.setdefault(operation.path, {})[operation.method] = make_endpoint(operation, source, node.clock, quality)

    def route(path: str, endpoints: dict[str, Any]) -> Route:
        async def dispatch(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            response: Response = await endpoints[method](request)
            return response

        return Route(path, dispatch, methods=list(endpoints))

    return [route(path, endpoints) for path, endpoints in by_path.items()]

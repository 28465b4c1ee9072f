"""Logging: structlog, readable on a terminal, JSON lines elsewhere, to standard error."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, cast

import structlog

from nautilus.config import LogConfig

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


SECRET = re.compile(
    r"(^|_)(password|passwd|secret|token|api_?key|authorization|credentials?|dsn)s?($|_)", re.IGNORECASE
)
"""Names of what is never written out."""


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask the values whose names say that they are secret, also inside of mappings.

    >>> hide_secrets(None, "", {"api_key": "abc", "account": {"password": "def", "id": 1}})
    {'api_key': '***', 'account': {'password': '***', 'id': 1}}
    """
    for name, value in event.items():
        if SECRET.search(str(name)):
            event[name] = "***"
        elif isinstance(value, dict):
            event[name] = hide_secrets(_logger, _method, dict(value))
    return event


def make_logger(config: LogConfig, node: str) -> "BoundLogger":
    """A logger of its own for one node; nothing global is changed."""
    readable = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        # the plain form of tracebacks: the others show the values of local variables
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(default=str)
    )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            hide_secrets,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if readable else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[config.level.upper()]),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast("BoundLogger", logger.bind(node=node))

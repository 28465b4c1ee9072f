"""Logging: structlog, readable on a terminal, JSON lines elsewhere, to standard error."""

import logging
import sys
from typing import TYPE_CHECKING, cast

import structlog

from nautilus.config import LogConfig

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def make_logger(config: LogConfig, node: str) -> "BoundLogger":
    """A logger of its own for one node; nothing global is changed."""
    readable = config.format == "console" or (config.format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if readable
        else structlog.processors.JSONRenderer(default=str)
    )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
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

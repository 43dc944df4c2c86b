"""Logs: constant text plus fields, one line each, to stderr or as an entry of systemd's journal. Never a secret, nor a
URL with one.
"""

import logging
import sys
from typing import Any, TextIO, cast

import structlog

from vonggac.daemon.journal import JournalLogger, entry, journal_of


class _Stderr:
    """Whatever stderr is at the moment of writing."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs(level: str = "info", *, as_json: bool | None = None) -> None:
    """Set up at start, and again by a daemon with its own level.

    Lines are JSON unless stderr is a terminal (`as_json` overrides) or the journal (`vonggac.daemon.journal`).
    """
    send = journal_of(2) if as_json is None else None
    machine = not sys.stderr.isatty() if as_json is None else as_json
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if machine
        else structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([structlog.processors.format_exc_info] if machine else []),
            renderer if send is None else lambda _logger, _method, fields: entry(dict(fields)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=(
            structlog.WriteLoggerFactory(file=cast("TextIO", _Stderr()))
            if send is None
            else lambda *_names: JournalLogger(send)
        ),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `part=<module>`."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(part=name))

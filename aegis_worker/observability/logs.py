"""Structured logs: one JSON object a line for machines, or readable lines on a terminal."""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, cast, get_args

import msgspec
import structlog

from aegis_worker.observation_settings import LogFormat

from .fields import listed
from .redaction import redact, redact_text

_logger = logging.getLogger(__name__)


# Loggers of libraries that write a line for every message, tick or request, or about their own inner workings.
_CHATTY = (
    "alembic",
    "kombu",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
    "multiprocessing",
    "urllib3",
)

# One list for the life of the process, because a logger that was used keeps the list it was bound to: so it follows
# when logs are configured again, and when a test captures them.
_PROCESSORS: list[Any] = []


def configure_logs(level: str, form: LogFormat = "auto") -> None:
    """Send structlog, the standard library's logging and Python's warnings to standard error, redacted.

    `form`: `auto` is readable on a terminal, and JSON elsewhere.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    _PROCESSORS[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    is_terminal = sys.stderr.isatty()
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=is_terminal)
        if form == "pretty" or (form == "auto" and is_terminal)
        else structlog.processors.JSONRenderer(serializer=_in_json)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            listed,
            _redacted,
            render,
        ],
    )
    out = _Handler(sys.stderr)
    out.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(level)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


class _Handler(logging.StreamHandler[Any]):
    """Where a line can't be made, because its arguments don't fit its text or can't be shown, a line says so: the handler
    of the standard library would write the arguments as they are, over many lines. Where none can be written, none is.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        """Called inside the `except` of what went wrong."""
        error = sys.exc_info()[1]
        if record.name == _logger.name or isinstance(error, OSError | RecursionError):
            return
        args = (record.name, type(error).__name__, f"{record.pathname}:{record.lineno}")
        text = "a line of %s could not be written: %s at %s"
        told = _logger.makeRecord(
            _logger.name, logging.ERROR, record.pathname, record.lineno, text, args, None
        )
        self.handle(told)


def form_of(environ: Mapping[str, str]) -> LogFormat:
    """AEGIS_LOG_FORMAT, or `auto` where it names no form. For use before the settings are read, which may refuse it."""
    wanted = environ.get("AEGIS_LOG_FORMAT", "auto")
    return cast("LogFormat", wanted) if wanted in get_args(LogFormat) else "auto"


def level_of(environ: Mapping[str, str]) -> str:
    """AEGIS_LOG_LEVEL, or INFO where it names no level. For use before the settings are read, which may refuse it."""
    wanted = environ.get("AEGIS_LOG_LEVEL", "INFO").upper()
    return wanted if wanted in logging.getLevelNamesMapping() else "INFO"


def log_the_uncaught() -> None:
    """Log what nobody caught, in any thread, redacted like everything else; Python would write it as it is."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _logger.critical("uncaught exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    # SystemExit in a thread means to end that thread.
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        name = told.thread.name if told.thread else "unknown"
        trace = (told.exc_type, told.exc_value, told.exc_traceback)
        _logger.error("uncaught exception in the thread %s", name, exc_info=trace)


def _unraisable(told: sys.UnraisableHookArgs) -> None:
    error = told.exc_value
    where = f"{told.err_msg or 'exception ignored'}: {told.object!r}"
    trace = (told.exc_type, error, told.exc_traceback) if error is not None else None
    _logger.error("%s", where, exc_info=trace)


def _redacted(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # The timestamp is ours and needs no search, which might take its many digits for a card number.
    time = event.pop("timestamp")
    return {"timestamp": time, **redact(event)}


def _in_words(value: object) -> str:
    return redact_text(repr(value))


_ENCODER = msgspec.json.Encoder(enc_hook=_in_words)


def _in_json(event: Mapping[str, Any], **_: Any) -> str:
    try:
        line = _ENCODER.encode(event)
        if line.isascii():
            return line.decode()
    except (
        ValueError,
        TypeError,
        OverflowError,
    ):  # half a surrogate pair, a key that is no text, a number of any length
        pass
    return json.dumps(_in_numbers(event), default=_in_words)


def _in_numbers(value: Any) -> Any:
    """The same without NaN and the infinities, which are no numbers in JSON."""
    if isinstance(value, Mapping):
        return {name: _in_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

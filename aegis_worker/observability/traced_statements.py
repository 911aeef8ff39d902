"""Spans of statements, for what is traced: their names, never what they say or their values."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Engine, event

from .tracing import TRACING, failed

_PREPARED = re.compile(r"\bEXECUTE (\w+)")
_WORD = re.compile(r"\w+")


def trace_statements(engine: Engine) -> None:
    """Have each statement of the engine be a span, where its thread works for one."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)


def statement_name(statement: str) -> str:
    """What a statement is called: the name that it was prepared under, or its first word."""
    if (prepared := _PREPARED.search(statement)) is not None:
        return prepared[1]
    verb = _WORD.match(statement.lstrip())
    return verb[0].upper() if verb is not None else "statement"


def _begin(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    if TRACING.current is not None and context is not None:
        name = statement_name(statement)
        about = {"db.system.name": "postgresql", "db.operation.name": name}
        context.aegis_span = TRACING.span(name, "client", TRACING.current, about)


def _end(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
    if (span := getattr(context, "aegis_span", None)) is not None:
        span.end()


def _fail(context: Any) -> None:
    if (span := getattr(context.execution_context, "aegis_span", None)) is not None:
        failed(span, type(context.original_exception).__name__)
        span.end()

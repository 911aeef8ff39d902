"""Fields of log lines: only those that are listed, and all those that the code writes are listed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from aegis_worker.observability.fields import ABOUT, LISTED, listed

ROOT = Path(__file__).parents[3]
_LOGGERS = ("log", "_logger", "TELLING")


def named_fields() -> Iterator[tuple[str, str]]:
    """Module and field of each call that logs."""
    for package in ("aegis_worker", "aegis_api"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            if not any(f"{name}." in text for name in _LOGGERS):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    on = node.func.value
                    if isinstance(on, ast.Name) and on.id in _LOGGERS:
                        yield from ((path.name, each.arg) for each in node.keywords if each.arg)


def test_every_field_that_the_code_logs_is_listed() -> None:
    found = list(named_fields())
    assert found
    assert [(module, name) for module, name in found if name not in LISTED] == []


def test_what_is_not_listed_is_written_without_its_value() -> None:
    line = listed(None, "info", {"event": "paid", "shoe_size": "44", "gateway": "sandbox_a"})
    assert line == {"event": "paid", "gateway": "sandbox_a", "shoe_size": "[hidden]"}


def test_what_a_line_is_about_comes_first() -> None:
    line = listed(
        None, "info", {"why": "w", "span_id": "s", "level": "info", "event": "e", "correlation_id": "c"}
    )
    assert list(line) == ["level", "event", "correlation_id", "span_id", "why"]
    assert {"correlation_id", "request_id", "payment_id", "job_id", "attempt", "gateway", "operation"} < set(
        ABOUT
    )

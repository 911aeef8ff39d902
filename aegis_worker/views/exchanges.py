"""The JSON form of an exchange: what went out to a gateway and came back."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from aegis_worker.domain.exchanges import NoAnswerNoted, NotedAnswer, NotedRequest
from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.exchanges import StoredExchange


def exchange_body(stored: StoredExchange) -> dict[str, Any]:
    """An exchange with a gateway, as it was kept: without secrets and personal data."""
    exchange = stored.exchange
    return {
        "object": "exchange",
        "operation": stored.operation,
        "number": stored.number,
        "kind": stored.kind,
        "because": exchange.because,
        "at": rfc3339(stored.at),
        "took_ms": exchange.took_ms,
        "request": _all_fields(exchange.request),
        "answer": exchange.answer and _all_fields(exchange.answer),
        "no_answer": exchange.no_answer and _all_fields(exchange.no_answer),
    }


def _all_fields(part: NotedRequest | NotedAnswer | NoAnswerNoted) -> dict[str, Any]:
    """With those that have nothing to say, which are left out where it is stored."""
    return {name: to_builtins(getattr(part, name)) for name in part.__struct_fields__}

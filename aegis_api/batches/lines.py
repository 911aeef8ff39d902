"""Reads a batch's body (newline-delimited JSON) into payment commands: each line is accepted or refused by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from aegis_api.http.problems import RequestRefused
from aegis_api.http.requests import json_object, validated
from aegis_api.payments.accepting import PAYMENTS_ROUTE, command_of
from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.text import KEY_RULE, same_key
from aegis_worker.errors import AegisError
from aegis_worker.intake import MOST_AT_ONCE, PaymentCommand
from aegis_worker.routing.eligibility import Candidate

_PAYMENT = PaymentRequestSchema()
# The whitespace that JSON allows around a value, except the line feed, which ends a line.
_BLANK = b" \t\r"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, numbered from 1 with blank lines counted, as in an editor. `key` is None if none could be read."""

    number: int
    key: str | None
    content: PaymentCommand | AegisError


def read_lines(
    body: bytes, owner: Owner, *, longest_line: int, secret: str, gateways: Collection[Candidate]
) -> list[Line]:
    """The lines that are not blank. Raises RequestRefused if there are none, or more than 1,000 lines, blank or not."""
    count = body.count(b"\n") + (not body.endswith(b"\n"))
    if count > MOST_AT_ONCE:
        raise RequestRefused(
            "payload_too_large",
            f"The batch has {count} lines, of which {MOST_AT_ONCE} are taken; nothing was stored.",
        )
    lines = [
        _line(number, raw, owner, secret=secret, gateways=gateways)
        if len(raw) <= longest_line
        else Line(number, None, RequestRefused("payload_too_large", f"Longer than {longest_line} bytes."))
        for number, raw in _raw_lines(body)
    ]
    if not lines:
        raise RequestRefused("malformed_json", "The body is empty; a batch has at least one line.")
    return lines


def _raw_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(body.split(b"\n"), 1):
        if stripped := raw.strip(_BLANK):
            yield number, stripped


def _line(number: int, raw: bytes, owner: Owner, *, secret: str, gateways: Collection[Candidate]) -> Line:
    key: Any = None
    try:
        document = json_object(raw)
        given = document.pop("idempotency_key", None)
        key = same_key(given) if isinstance(given, str) else None
        body = validated(document, _PAYMENT)
        if given is None:
            raise RequestRefused(
                "idempotency_key_missing",
                "Give the line an idempotency_key: new for each payment, the same for each try.",
            )
        if key is None:
            fault = {"pointer": "/idempotency_key", "code": "invalid_format", "detail": KEY_RULE}
            raise RequestRefused("idempotency_key_invalid", KEY_RULE, [fault])
        command = command_of(owner, PAYMENTS_ROUTE, key, body, secret=secret, gateways=gateways)
        return Line(number, key, command)
    except AegisError as error:
        return Line(number, key, error)

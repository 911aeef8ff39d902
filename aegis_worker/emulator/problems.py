"""Errors of the emulator's own endpoints: RFC 9457 problem details, https://www.rfc-editor.org/rfc/rfc9457."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from .replies import Reply, json_reply


def problem(status: int, code: str, detail: str, errors: Sequence[str] = ()) -> Reply:
    """`code`: for programs. `errors`: one line for each thing that is wrong, where there may be several."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **({"errors": list(errors)} if errors else {}),
    }
    reply = json_reply(status, body)
    reply.headers["Content-Type"] = "application/problem+json"
    return reply

"""What goes back to the caller: a JSON answer, or one of the ways not to give it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .scripts import Wire


@dataclass(frozen=True, slots=True)
class Reply:
    """`after_s`: seconds to wait before sending. `Wire.DROP`: close the connection and send nothing."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = Wire.ANSWER
    after_s: float = 0.0


class Refusal(Exception):
    """The call is refused: its transaction is rolled back and the answer is not kept under the key."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.reply = error(status, code, message, retry_after_s)


def json_reply(status: int, body: object) -> Reply:
    """`body` as JSON."""
    return Reply(status, json.dumps(body).encode())


# The family of an error, by HTTP status; anything else is the caller's fault.
_TYPES = {
    401: "authentication_error",
    402: "declined",
    409: "conflict",
    429: "rate_limit",
    500: "api_error",
    503: "api_error",
}


def error(status: int, code: str, message: str, retry_after_s: int | None = None, **more: Any) -> Reply:
    """`{"error": {"type", "code", "message"}}`, with what else belongs beside it."""
    family = _TYPES.get(status, "invalid_request")
    reply = json_reply(status, {"error": {"type": family, "code": code, "message": message}, **more})
    if retry_after_s is not None:
        reply.headers["Retry-After"] = str(retry_after_s)
    return reply

"""What goes back to the caller: a JSON answer, or one of the ways not to give it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from .scripts import Wire


@dataclass(frozen=True, slots=True)
class Reply:
    """`after_s`: seconds to wait before sending. `wire`: how it goes out, if it does. `script`: which made it so."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = Wire.ANSWER
    after_s: float = 0.0
    script: str = ""


class Refusal(Exception):
    """The call is refused: its transaction is rolled back and the answer is not kept under the key.

    `more`: what the answer says beside the error, such as the payment that it is about.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after_s: int | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self._error = (status, code, message, retry_after_s)
        self.more = more

    @property
    def reply(self) -> Reply:
        """What goes back."""
        return error(*self._error, **self.more)


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


def naming(reply: Reply, raw: bytes) -> Reply:
    """An error that says to which reference of the merchant's it belongs, as far as the request named one."""
    if reply.status < 400 or reply.wire in (Wire.DROP, Wire.RESET):
        return reply
    try:
        reference, said = json.loads(raw)["reference"], json.loads(reply.body)
    except (ValueError, KeyError, TypeError):
        return reply
    return replace(reply, body=json.dumps({**said, "reference": reference}).encode())

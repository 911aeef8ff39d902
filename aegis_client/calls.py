"""A call of the API and its answer, as plain values. Nothing here sends anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

# Answers of a proxy or of the API that mean "not now". The API says so itself in `retryable`; a proxy can't.
_NOT_NOW = {429, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `may_repeat`: sending it twice does no more than sending it once, so a lost answer is no obstacle."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    may_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API. `body`: its JSON object, empty where there was none."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """2xx, or a 304 that was asked for."""
        return 200 <= self.status < 300 or self.status == 304

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.body.get("code", self.status))

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """The values that were refused. Whatever answers in the API's place may have something else there."""
        given = self.body.get("errors")
        return [error for error in given if isinstance(error, dict)] if isinstance(given, list) else []

    @property
    def reason(self) -> str:
        """The problem in one line, with the fields that are wrong."""
        fields = [
            f"{error.get('pointer') or error.get('parameter') or 'body'}: {error.get('detail')}"
            for error in self.errors
        ]
        return "; ".join(fields) or str(self.body.get("detail") or self.body.get("title") or self.status)

    @property
    def is_worth_a_retry(self) -> bool:
        """Whether the same request may succeed later. Nothing was done for it where the API itself says so."""
        return not self.ok and (self.status in _NOT_NOW or self.body.get("retryable") is True)

    @property
    def retry_after_s(self) -> float:
        """What `Retry-After` asks for, in seconds; 0 without it."""
        value = self.headers.get("Retry-After", "")
        return float(value) if value.isdecimal() and len(value) < 7 else 0.0


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back. `was_sent` is False where the request can't have reached the API."""

    reason: str
    was_sent: bool


def call(
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    wait_s: int | None = None,
    if_match: int | None = None,
) -> Call:
    """A call with a JSON body or none. Values of `query` that are None are left out.

    `wait_s`: for how long the API may hold the answer until the payment is decided. `if_match`: the `version` that you saw.
    """
    headers: dict[str, str] = {}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    if wait_s is not None:
        headers["Prefer"] = f"wait={wait_s}"
    if if_match is not None:
        headers["If-Match"] = f'"{if_match}"'
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = _json(body)
    may_repeat = method in ("GET", "DELETE") or idempotency_key is not None
    return Call(method, path + _query(query or {}), data, headers, may_repeat)


def call_with_lines(path: str, lines: Sequence[Mapping[str, Any]]) -> Call:
    """A call with one JSON object a line. Each line carries its own idempotency key."""
    body = b"\n".join(_json(line) for line in lines)
    return Call("POST", path, body, {"Content-Type": "application/x-ndjson"}, may_repeat=True)


def part(value: str) -> str:
    """A value as one part of a path."""
    return quote(value, safe="")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _query(values: Mapping[str, Any]) -> str:
    given = {name: _written(value) for name, value in values.items() if value is not None}
    return "?" + urlencode(given) if given else ""


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)

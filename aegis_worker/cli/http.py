"""The HTTP API as the command line calls it: kept-alive connections, bounded waits, the same key on every retry."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3

from aegis_api.strict_json import canonical
from aegis_worker import __version__
from aegis_worker.errors import OperatorError, Retryable
from aegis_worker.resilience.backoff import retry_delay_s

# 30 s > the API's own bounds on a database statement (10 s) and on waiting for its pool and locks, so an answer that is
# still coming isn't given up.
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 3.0, 30.0
_TRIES = 7
_FIRST_DELAY_S, _LONGEST_DELAY_S, _LONGEST_RETRY_AFTER_S = 0.2, 3.0, 10.0
# Answers of a proxy or of the API that mean "not now". The API says so itself in `retryable`; a proxy can't.
_NOT_NOW = {429, 502, 503, 504}

# A job in one of these goes no further by itself.
ENDED_JOB = {"succeeded", "failed", "review"}


class NotAnswered(Retryable):
    """The API can't be reached or keeps saying "not now". A request may have arrived: send it again with the same key."""

    code = "api_unavailable"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a JSON object in it."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.body.get("code", self.status))

    @property
    def reason(self) -> str:
        """The problem in one line, with the fields that are wrong."""
        fields = [
            f"{error.get('pointer') or error.get('parameter') or 'body'}: {error.get('detail')}"
            for error in self.body.get("errors", ())
        ]
        return "; ".join(fields) or str(self.body.get("detail") or self.body.get("title") or self.status)

    @property
    def is_worth_a_retry(self) -> bool:
        """Whether the same request may succeed later."""
        return not self.ok and (self.status in _NOT_NOW or self.body.get("retryable") is True)

    @property
    def retry_after_s(self) -> float:
        """What `Retry-After` asks for in seconds, at most 10."""
        value = self.headers.get("Retry-After", "")
        return min(float(value), _LONGEST_RETRY_AFTER_S) if value.isdecimal() else 0.0


class Api:
    """One API under one key. Safe to share between threads; `stop` ends every pause at once."""

    def __init__(self, url: str, key: str, *, connections: int = 1) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OperatorError(f"{url!r} is not an http or https URL")
        if not (key and key.isascii() and key.isprintable()):
            raise OperatorError(
                "the API key is missing or not printable ASCII; `aegis keys create` makes one"
            )
        self.url = url
        self.stop = threading.Event()
        self._prefix = parts.path.rstrip("/")
        self._pool = urllib3.connection_from_url(
            url,
            maxsize=connections,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=_READ_TIMEOUT_S),
            headers={
                "Authorization": f"Bearer {key}",
                "Accept": "application/json",
                "User-Agent": f"aegis-cli/{__version__}",
            },
        )

    def post_payment(self, body: Mapping[str, Any], idempotency_key: str) -> Reply:
        """Post until the API takes or refuses it, at most 7 times with pauses, always with the same key and body.

        Raises NotAnswered, and OperatorError when the API doesn't know the key or isn't ours.
        """
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        return self._call("POST", "/v1/payments", canonical(body), headers)

    def get(self, path: str) -> Reply:
        """Read a resource. Raises as `post_payment` does."""
        return self._call("GET", path, None, {})

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        last = ""
        for tries in range(1, _TRIES + 1):
            delay_s = retry_delay_s(tries, initial_s=_FIRST_DELAY_S, cap_s=_LONGEST_DELAY_S)
            try:
                reply = self._once(method, path, body, headers)
            except urllib3.exceptions.HTTPError as error:
                last = _in_words(error)
            else:
                if not reply.is_worth_a_retry:
                    return reply
                last = f"HTTP {reply.status} {reply.code}"
                delay_s = max(delay_s, reply.retry_after_s)
            if tries == _TRIES or self.stop.wait(delay_s * random.uniform(0.75, 1.25)):
                break
        raise NotAnswered(f"{self.url} did not answer after {tries} tries: {last}")

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        answer = self._pool.urlopen(
            method, self._prefix + path, body=body, headers={**self._pool.headers, **headers}, redirect=False
        )
        reply = Reply(answer.status, _json_object(answer.data), answer.headers)
        if reply.status in (401, 403):
            raise OperatorError(f"{self.url} refuses the API key: {reply.reason}")
        if not reply.body and reply.status not in _NOT_NOW:
            raise OperatorError(f"{self.url} does not answer like an AegisPay API (HTTP {reply.status})")
        return reply


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _in_words(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection refused or host unknown; is it running?"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "timed out"
    return type(error).__name__

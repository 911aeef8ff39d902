"""The HTTP API as the command line calls it: kept-alive connections, bounded waits, the same key on every retry."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from aegis_worker import __version__
from aegis_worker.domain.outcomes import NotSent, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.errors import OperatorError, Retryable
from aegis_worker.exchange.engine import Engine
from aegis_worker.exchange.transfers import Peer, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.resilience.backoff import next_delay_s
from aegis_worker.strict_json import MalformedJson, canonical, parse

# An answer is waited for longer than the API itself may wait for a statement (10 s), its pool and locks together, so that
# no answer is given up that still comes. The answer to a batch of a thousand payments has about a megabyte.
_CONNECT_TIMEOUT_S, _ANSWER_TIMEOUT_S, _MAX_ANSWER_BYTES = 3.0, 30.0, 1 << 26
_TRIES = 7
_PAUSES, _LONGEST_RETRY_AFTER_S = RetryLimits(initial_s=0.5, cap_s=6.0), 10.0
_rng = random.Random()
# Answers of a proxy or of the API that mean "not now". The API says so itself in `retryable`; a proxy can't.
_NOT_NOW = {429, 502, 503, 504}
_TOO_LARGE = 413

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
        _check_address(url)
        if not (key and key.isascii() and key.isprintable()):
            raise OperatorError(
                "the API key is missing or not printable ASCII; `aegis keys create` makes one"
            )
        self.url = url
        self.stop = threading.Event()
        self._engine = Engine()
        self._peer = Peer(
            connect_timeout_s=_CONNECT_TIMEOUT_S,
            timeout_s=_ANSWER_TIMEOUT_S,
            most=connections,
            max_answer_bytes=_MAX_ANSWER_BYTES,
        )
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": f"aegis-cli/{__version__}",
        }

    def post_payment(self, body: Mapping[str, Any], idempotency_key: str) -> Reply:
        """Post until the API takes or refuses it, at most 7 times with pauses, always with the same key and body.

        Raises NotAnswered, and OperatorError when the API doesn't know the key or isn't ours.
        """
        return self.post("/v1/payments", body, idempotency_key)

    def post(self, path: str, body: Mapping[str, Any], idempotency_key: str) -> Reply:
        """Post what has a key, as `post_payment` does."""
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        return self._call("POST", path, canonical(body), headers)

    def confirm(self, payment_id: str, gateway_data: Mapping[str, Any], idempotency_key: str) -> Reply:
        """Hand on what a payer brought back. Raises as `post_payment` does."""
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        body = canonical({"gateway_data": gateway_data})
        return self._call("POST", f"/v1/payments/{payment_id}/confirm", body, headers)

    def post_batch(self, payments: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Reply]:
        """Post many at once, (key, body) each; the reply to each by itself: of one accepted, the line of the answer.

        Those that are told "not now" are posted again as `post_payment` does; the last reply stands. Raises what it does.
        """
        replies: dict[int, Reply] = {}
        left = list(range(len(payments)))
        for tries in range(1, _TRIES + 1):
            replies |= zip(left, self._lines([payments[place] for place in left]), strict=True)
            left = [place for place in left if replies[place].is_worth_a_retry]
            if not left or tries == _TRIES or self._pause(tries):
                break
        return [replies[place] for place in range(len(payments))]

    def _lines(self, payments: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Reply]:
        lines = [canonical({**body, "idempotency_key": key}) for key, body in payments]
        reply = self._call(
            "POST", "/v1/payments/batches", b"\n".join(lines), {"Content-Type": "application/x-ndjson"}
        )
        if reply.ok:
            return [_reply_of_line(told) for told in reply.body["data"]]
        if len(payments) == 1:
            return [reply]
        if reply.status != _TOO_LARGE:
            raise OperatorError(f"{self.url} takes no batches: {reply.reason}")
        middle = len(payments) // 2
        return [*self._lines(payments[:middle]), *self._lines(payments[middle:])]

    def get(self, path: str) -> Reply:
        """Read a resource. Raises as `post_payment` does."""
        return self._call("GET", path, None, {})

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        last = ""
        for tries in range(1, _TRIES + 1):
            retry_after_s = 0.0
            answer = self._engine.make(self._transfer(method, path, body, headers))
            if isinstance(answer, HttpAnswer):
                reply = self._reply(answer)
                if not reply.is_worth_a_retry:
                    return reply
                last = f"HTTP {reply.status} {reply.code}"
                retry_after_s = reply.retry_after_s
            else:
                last = _in_words(answer)
            if tries == _TRIES or self._pause(tries, retry_after_s):
                break
        raise NotAnswered(f"{self.url} did not answer after {tries} tries: {last}")

    def _transfer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Transfer:
        return Transfer(
            self._peer,
            method,
            self.url.rstrip("/") + path,
            {**self._headers, **headers},
            body,
            may_repeat=True,  # every request that changes something carries its idempotency key
        )

    def _pause(self, tries: int, at_least_s: float = 0.0) -> bool:
        """Wait before the next try; whether it was ended by `stop`."""
        return self.stop.wait(at_least_s + next_delay_s(tries, _PAUSES, _rng.random()))

    def _reply(self, answer: HttpAnswer) -> Reply:
        """Raises OperatorError when the API doesn't know the key or isn't ours."""
        reply = Reply(answer.status, _json_object(answer.body), HTTPHeaderDict(answer.headers))
        if reply.status in (401, 403):
            raise OperatorError(f"{self.url} refuses the API key: {reply.reason}")
        if not reply.body and reply.status not in _NOT_NOW:
            raise OperatorError(f"{self.url} does not answer like an AegisPay API (HTTP {reply.status})")
        return reply


def _check_address(url: str) -> None:
    """Raises OperatorError, which repeats no URL that can't be taken apart."""
    form = "is not an http or https URL such as http://127.0.0.1:8000: correct --url or AEGIS_API_URL"
    try:
        parts, whole = urlsplit(url), parse_url(url)
        good = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and bool(whole.host)
        )
    except (ValueError, LocationParseError):
        good = False
    if not good:
        raise OperatorError(f"the API's address {form}")


def _reply_of_line(told: Mapping[str, Any]) -> Reply:
    """What a line of a batch was told, as the reply to a post by itself would be."""
    problem = told.get("problem")
    return Reply(200, told, {}) if problem is None else Reply(problem["status"], problem, {})


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        return parse(data)
    except MalformedJson:
        return {}


def _in_words(problem: NotSent | Unknown) -> str:
    if isinstance(problem, NotSent) and problem.kind is NotSentKind.NETWORK_ERROR:
        return "connection refused or host unknown; is it running?"
    if problem.kind in (NotSentKind.TIMEOUT, UnknownKind.ANSWER_TIMEOUT):
        return "timed out"
    return problem.reason

"""What tests and demos ask of an instance beside its payments: ledger, faults, clock, disputes, how often it was called."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

from . import disputes, witness
from .books import Books
from .problems import problem
from .replies import Reply, json_reply

PREFIX = "/_sandbox/"


class Control:
    """The endpoints under PREFIX, the same for every wire format. Counts the calls of each endpoint since the start."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, endpoint: str) -> None:
        """Note one call."""
        with self._lock:
            self._calls[endpoint] += 1

    def answer(self, endpoint: str, query: str, raw: bytes) -> Reply | None:
        """The answer to `endpoint`, such as `GET /_sandbox/ledger`. None for one that there isn't."""
        given = dict(parse_qsl(query))
        try:
            body = _object(raw)
            if endpoint == f"GET {PREFIX}ledger" and "reference" in given:
                return json_reply(200, witness.under(self._books, given["reference"]))
            if endpoint == f"GET {PREFIX}ledger":
                cursor, limit = int(given.get("cursor", 0)), int(given.get("limit", witness.PAGE_LIMIT))
                return json_reply(200, witness.page(self._books, cursor, limit))
            if endpoint == f"POST {PREFIX}faults":
                self._books.faults.set(body)
            if endpoint == f"POST {PREFIX}clock":
                self._books.advance(body.get("advance_s", 0))
                return json_reply(200, {"now": self._books.now()})
            if endpoint == f"POST {PREFIX}disputes":
                return json_reply(200, disputes.by_hand(self._books, body))
        except (ValueError, TypeError) as wrong:
            return problem(400, "invalid_request", str(wrong))
        if endpoint in (f"POST {PREFIX}faults", f"GET {PREFIX}faults"):
            return json_reply(200, self._books.faults.as_dict())
        if endpoint == f"GET {PREFIX}calls":
            with self._lock:
                return json_reply(200, {"calls": dict(self._calls)})
        return None


def _object(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body, empty where there is none. Raises ValueError."""
    body = json.loads(raw or b"{}")
    if type(body) is not dict:
        raise ValueError("the body is no JSON object")
    return body

"""HTTP calls of hooks, by the engine that calls gateways: bounded, and to the URL that is named alone.

    from aegis_worker.hooks.http import HttpAnswer, call

    answer = call("POST", "https://fraud.example/score", {"amount": 1999}, timeout_s=0.4)
    if not isinstance(answer, HttpAnswer) or answer.status != 200:
        raise ConnectionError  # the hook's failure policy holds

`NotSent`: nothing left this machine. `Unknown`: it may have arrived, and may have been acted on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec.json import encode

from aegis_worker import __version__
from aegis_worker.domain.hosts import PAGE_URL
from aegis_worker.domain.outcomes import NotSent, Unknown
from aegis_worker.exchange.engine import ENGINE
from aegis_worker.exchange.transfers import Peer, Result, Transfer
from aegis_worker.gateways.kit.flows import HttpAnswer

__all__ = ["LONGEST_S", "HttpAnswer", "NotSent", "Unknown", "call"]

LONGEST_S = 30.0
"""No hook may run longer, so no call may take longer."""

_MOST_AT_ONCE, _LONGEST_ANSWER_BYTES = 16, 256 << 10
_HEADERS = {"User-Agent": f"AegisPay/{__version__}", "Accept": "application/json"}
_url = re.compile(PAGE_URL)


def call(
    method: str,
    url: str,
    document: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 1.0,
    may_repeat: bool = False,
    ca_bundle: Path | None = None,
) -> HttpAnswer | NotSent | Unknown:
    """Make one call and wait for it, at most `timeout_s` from resolving the name to the last byte of the answer.

    `document` is sent as JSON. No redirect is followed, no proxy is taken from the environment, and an answer of more than
    256 KiB is Unknown. `may_repeat`: the call changes nothing, so it goes out once more where a kept connection turns out
    to be dead. `ca_bundle`: certificates to trust in place of certifi's, a PEM file. Raises ValueError for a URL that is
    neither https nor, on a loopback address, http, and for a time above LONGEST_S.
    """
    if not _url.fullmatch(url):
        raise ValueError(
            "a hook calls absolute https URLs without a user; http is for loopback addresses only"
        )
    if not 0 < timeout_s <= LONGEST_S:
        raise ValueError(f"a call takes more than 0 and at most {LONGEST_S:g} seconds")
    body = None if document is None else encode(document)
    sent = _HEADERS if body is None else {**_HEADERS, "Content-Type": "application/json"}
    deadline = time.monotonic() + timeout_s
    peer = _peer(timeout_s, ca_bundle)
    result: Result = ENGINE.make(
        Transfer(
            peer, method, url, {**sent, **(headers or {})}, body, may_repeat=may_repeat, deadline=deadline
        )
    )
    return result


@lru_cache(maxsize=64)
def _peer(timeout_s: float, ca_bundle: Path | None) -> Peer:
    """Kept between calls, so that its connections are used again."""
    return Peer(
        connect_timeout_s=timeout_s,
        timeout_s=timeout_s,
        most=_MOST_AT_ONCE,
        max_answer_bytes=_LONGEST_ANSWER_BYTES,
        ca_bundle=ca_bundle,
    )

"""Answers that a gateway did not give. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from aegis_worker.gateways.kit.flows import HttpAnswer

# So that whoever reads the exchange sees it; its value is hidden there.
_MARK = {"Aegis-Injected": "yes"}
_PAYMENT = re.compile(rb"pay_[0-9a-f]{32}")


def error_answer(status: int, retry_after_s: int | None) -> HttpAnswer:
    """An answer of a server, or a proxy, that did not look into the request."""
    headers = {"Content-Type": "text/plain", **_MARK}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    return HttpAnswer(status, headers, b"injected")


def invalid_answer(answer: HttpAnswer) -> HttpAnswer:
    """The answer, broken off in its middle."""
    return HttpAnswer(answer.status, {**answer.headers, **_MARK}, answer.body[: len(answer.body) // 2])


def other_payments_answer(answer: HttpAnswer, also: Sequence[str]) -> HttpAnswer | None:
    """The answer as it would be about another payment: another reference of ours, and other ids where it names `also`.

    None where it names no payment, so that nobody could take it for another's.
    """
    body = _PAYMENT.sub(lambda found: b"pay_" + _other(found[0])[:32], answer.body)
    for name in filter(None, also):
        old = name.encode()
        body = body.replace(old, old[:-8] + _other(old)[: len(old[-8:])])
    return None if body == answer.body else HttpAnswer(answer.status, {**answer.headers, **_MARK}, body)


def _other(name: bytes) -> bytes:
    return hashlib.sha256(b"another" + name).hexdigest().encode()

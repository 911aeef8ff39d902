"""When an event is sent, and as what: the scripts of webhooks. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .altering import as_real_money, of_another_amount, without_signature
from .scripts import Script, Telling

_REPEATED_AFTER_S = (0.0, 0.1, 0.2)
_NOBODY_KNOWS = "emulator_unknown_kind"
_ANOTHER_ACCOUNT = "acct_emulator_other"

# From a secret, the time in seconds since 1970 and what lies in the queue: further headers, and the body that is sent.
Signer = Callable[[str, int, bytes], tuple[dict[str, str], bytes]]


@dataclass(frozen=True, slots=True)
class EventForm:
    """Where an event of a wire format says what it is. `account`: empty where it names none.

    `mode_is_signed`: what says that the money is real lies in the queue already; else it comes with the signature.
    `content_type`: of the body that is sent. `forged` makes another amount of the one in it, `unsigned` takes its signature
    out.
    """

    kind: str
    account: str = ""
    mode_is_signed: bool = True
    content_type: str = "application/json"
    forged: Callable[[bytes], bytes] = of_another_amount
    unsigned: Callable[[bytes], bytes] = without_signature


def times(script: Script, now: float, created_at: float) -> list[float]:
    """When an event that comes about `now` has its turn, in seconds since 1970: once, or each time that it is sent."""
    if script.telling is Telling.LATE:
        return [now + script.telling_s]
    if script.telling is Telling.REPEATED:
        return [now + after_s for after_s in _REPEATED_AFTER_S]
    if script.telling is Telling.REORDERED and now < created_at + script.telling_s:
        return [2 * (created_at + script.telling_s) - now]
    return [now]


def on_the_way(
    event: bytes, script: Script, secret: str, timestamp: int, sign: Signer, form: EventForm
) -> tuple[dict[str, str], bytes]:
    """The headers and the body that are sent for what lies in the queue."""
    telling = script.telling
    before = _altered(event, telling, form)
    if telling is Telling.WRONG_SECRET:
        secret = _another_secret(secret)
    if telling is Telling.OLD:
        timestamp -= script.telling_s
    headers, body = sign(secret, timestamp, before)
    if telling is Telling.FORGED:
        body = form.forged(body)
    elif telling is Telling.UNSIGNED:
        headers, body = {}, form.unsigned(body)
    elif telling is Telling.OTHER_MODE and not form.mode_is_signed:
        body = json.dumps(as_real_money(json.loads(body))).encode()
    elif telling is Telling.MALFORMED:
        body = body[: len(body) // 2]
        if headers:
            headers |= sign(secret, timestamp, body)[0]
    return headers, body


def _altered(event: bytes, telling: Telling, form: EventForm) -> bytes:
    if telling is Telling.UNKNOWN_KIND:
        return _with(event, form.kind, _NOBODY_KNOWS)
    if telling is Telling.OTHER_ACCOUNT and form.account:
        return _with(event, form.account, _ANOTHER_ACCOUNT)
    if telling is Telling.OTHER_MODE and form.mode_is_signed:
        return json.dumps(as_real_money(json.loads(event))).encode()
    return event


def _with(event: bytes, name: str, value: str) -> bytes:
    shown: dict[str, Any] = json.loads(event)
    return json.dumps({**shown, name: value}).encode()


def _another_secret(secret: str) -> str:
    """A secret of the same form: hexadecimal ones stay so."""
    return (
        secret[::-1]
        if secret != secret[::-1]
        else secret.translate(str.maketrans("0123456789", "1234567890"))
    )

"""What the caller gets to see of a call's true answer, the same for every wire format. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Protocol

from .altering import altered
from .replies import Refusal, Reply
from .script_table import OK
from .scripts import Script, Wire

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
# Of these the caller gets to see nothing.
NOT_SAID = frozenset({Wire.DROP, Wire.RESET})


class Wording(Protocol):
    """How a wire format words what goes wrong at its gateway."""

    def failed(self, *, done: bool) -> Reply:
        """A 500; `done`: the call was carried out all the same."""

    def unavailable(self) -> Reply:
        """A 503."""

    def unauthorized(self) -> Reply:
        """The API key is refused."""

    def busy(self) -> Reply:
        """The first call with this idempotency key is still under way."""

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""

    def misspelt(self, message: str) -> Refusal:
        """What the caller asks of the emulator is not there."""


def sent(answer: Reply | None, script: Script, wording: Wording) -> Reply:
    """What goes out in place of the true `answer`, which is None where nothing was done."""
    if script is OK and answer is not None:
        return answer
    shown = _shown(answer, script, wording)
    headers = dict(shown.headers)
    if script.clock_s:
        headers["Date"] = formatdate(time.time() + script.clock_s, usegmt=True)
    after_s = script.answer_after_ms / 1000 + script.commit_after_s
    return replace(shown, headers=headers, wire=script.wire, after_s=after_s, script=script.text)


def _shown(answer: Reply | None, script: Script, wording: Wording) -> Reply:
    instead = _INSTEAD.get(script.wire)
    if instead is not None:
        return instead(answer, script, wording)
    if answer is None:
        return Reply(0, b"") if script.wire in NOT_SAID else wording.failed(done=False)
    if script.wire is Wire.WRONG_TYPE:
        return replace(answer, headers={**answer.headers, "Content-Type": "text/html; charset=utf-8"})
    if script.wire in (Wire.OTHER_PAYMENT, Wire.OTHER_AMOUNT, Wire.OTHER_CURRENCY):
        return replace(answer, body=altered(answer.body, script.wire))
    return answer


_INSTEAD: dict[Wire, Callable[[Reply | None, Script, Wording], Reply]] = {
    Wire.ERROR: lambda answer, script, wording: wording.failed(done=answer is not None),
    Wire.UNAVAILABLE: lambda answer, script, wording: wording.unavailable(),
    Wire.UNAUTHORIZED: lambda answer, script, wording: wording.unauthorized(),
    Wire.BUSY: lambda answer, script, wording: wording.busy(),
    Wire.RATE_LIMIT: lambda answer, script, wording: wording.too_many(script.retry_after_s),
    Wire.GARBAGE: lambda answer, script, wording: Reply(200, b"<html><body>Bad gateway cache"),
    Wire.PROXY_PAGE: lambda answer, script, wording: Reply(502, _PAGE, {"Content-Type": "text/html"}),
    Wire.EMPTY: lambda answer, script, wording: Reply(200, b""),
}

"""What Razorpay does with a POST: faults, a refund's key, then the call, in one transaction.

Only refunds have a key: razorpay.com/docs/api/refunds/normal-refunds-idempotent. A repeat gets the first answer; nothing is
kept of a call that was refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping

from ..choosing import Asked
from ..replies import Refusal, Reply
from ..rows import StoredAnswer
from ..scripts import Effect, Script
from ..sending import sent as sent_as
from ..transaction import Transaction
from . import bodies
from .books import RazorpayBooks
from .calls import KEY, Call, Done, Subject, note_operation
from .captures import capture, captured
from .checkout import pay, payer_of
from .errors import Refused
from .orders import create, ordered
from .refunds import refund, refunded

_SUBJECTS: dict[str, Callable[[RazorpayBooks, Transaction, Call], Subject]] = {
    "create": ordered,
    "pay": payer_of,
    "capture": captured,
    "refund": refunded,
}
_CALLS: dict[str, Callable[[RazorpayBooks, Transaction, Call, Subject, Script], Done]] = {
    "create": create,
    "pay": pay,
    "capture": capture,
    "refund": refund,
}
_SHORTEST_KEY = 10
_KEY = re.compile(r"[A-Za-z0-9_-]+")


class RazorpayGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: RazorpayBooks) -> None:
        self._books = books

    def post(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        return self._books.conduct.answered(lambda: self._call(name, target, headers, raw))

    def _call(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        try:
            is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
            body = bodies.parse_form(name, raw) if is_form else bodies.parse(name, raw)
            key = _key_of(headers) if name == "refund" and self._books.options.key_window_s else None
            about = json.dumps([target, body], sort_keys=True).encode()
            call = Call(name, target, body, key, hashlib.sha256(about).digest(), headers, self._books.now())
            with self._books.transaction() as tx:
                return self._answer(tx, call)
        except Refusal as refused:
            return refused.reply

    def _answer(self, tx: Transaction, call: Call) -> Reply:
        self._books.settle_due(tx, call.now)
        kept = tx.answer_of(call.key, call.now) if call.key else None
        if kept:
            return self._replay(kept, call)
        subject = _SUBJECTS[call.name](self._books, tx, call)
        payment = subject.payment
        # What strikes a charge is shared out between the payer and who captures before.
        asked = Asked(
            subject.operation,
            call.headers,
            subject.script,
            payment.token,
            payment.amount,
            may_be_struck=False,
        )
        script = self._books.conduct.script_for(tx, payment, asked)
        done = None if script.effect is Effect.NOTHING else self._do(tx, call, subject, script)
        sent = sent_as(done.reply if done else None, script, self._books.wording)
        if call.key and done and done.reply.status == 200 and not script.forgets_key:
            self._keep(tx, call, done, sent)
        return sent

    def _do(self, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
        lag_s = self._books.faults.now.status_lag_s if subject.operation == "charge" else 0
        if script.hidden_s or lag_s:
            subject.payment.hidden_until = call.now + max(script.hidden_s, lag_s)
        if script.down_s:
            subject.payment.down_until = call.now + script.down_s
        done = _CALLS[call.name](self._books, tx, call, subject, script)
        if call.name != "create":
            note_operation(tx, call, subject, done)
        return done

    def _keep(self, tx: Transaction, call: Call, done: Done, sent: Reply) -> None:
        ready_at = self._books.conduct.ready_at(call.now, sent)
        expires_at = ready_at + self._books.options.key_window_s
        answer = StoredAnswer(call.request_hash, done.reply.status, done.reply.body, ready_at, expires_at)
        tx.keep_answer(str(call.key), answer)

    def _replay(self, kept: StoredAnswer, call: Call) -> Reply:
        if kept.request_hash != call.request_hash:
            description = "Different request with the same idempotency key has already been processed."
            raise Refused(description, status=409)
        if kept.ready_at > call.now:
            return self._books.wording.busy()
        return Reply(kept.status, kept.body)


def _key_of(headers: Mapping[str, str]) -> str | None:
    """None for a refund without one. Raises Refused(400)."""
    key = headers.get(KEY)
    if key is None:
        return None
    if len(key) < _SHORTEST_KEY:
        raise Refused(f"The idempotency key must be at least {_SHORTEST_KEY} characters long.")
    if _KEY.fullmatch(key) is None:
        raise Refused(
            "The idempotency key must only contain alphanumeric characters, underscores, and hyphens"
        )
    return key

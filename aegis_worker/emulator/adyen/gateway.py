"""What Adyen does with a POST: faults, idempotency key, then the call, in one transaction.

Keys as docs.adyen.com/development-resources/api-idempotency has them: the first answer is kept and repeated, whatever body
comes with the key. While the first call is under way, a second one is told to come back. Nothing is kept of a refused one.
"""

from __future__ import annotations

import time
from dataclasses import replace

from ..ledger import StoredAnswer, Transaction
from ..replies import Reply, json_reply
from ..script_table import OK
from ..scripts import Effect, Script, Wire
from . import bodies
from .books import AdyenBooks
from .calls import Call, Subject, carry_out_call, script_of, subject_of
from .errors import TRANSIENT, Refused, error_reply

_BODY_IS_NOT_COMPARED = b""


class AdyenGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: AdyenBooks) -> None:
        self._books = books

    def post(self, name: str, target: str, key: str | None, raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        faults = self._books.faults.now
        try:
            if faults.refuse_all:
                raise Refused(503, "905", "Unavailable", kind="internal", transient=True)
            if faults.retry_after_s:
                raise _too_many(faults.retry_after_s)
            body = bodies.parse(name, raw)
            if name == "methods":
                return json_reply(200, {"paymentMethods": [{"name": "Cards", "type": "scheme"}]})
            known_key = key if key and self._books.options.key_window_s else None
            call = Call(name, target, body, known_key, _BODY_IS_NOT_COMPARED, time.time())
            with self._books.transaction() as tx:
                reply = self._answer(tx, call)
        except Refused as refused:
            reply = refused.reply
        named = {"Idempotency-Key": key} if key else {}
        headers = {**named, **reply.headers}
        return replace(reply, headers=headers, after_s=reply.after_s + faults.latency_ms / 1000)

    def _answer(self, tx: Transaction, call: Call) -> Reply:
        kept = tx.answer_of(call.key, call.now) if call.key else None
        if kept:
            return _replay(kept, call)
        self._books.settle_due(tx, call.now)
        subject = subject_of(self._books, tx, call)
        script = self._script(tx, subject, call)
        answer = None
        if script.effect is not Effect.NOTHING:
            done = carry_out_call(self._books, tx, call, subject, script)
            answer = json_reply(done.status, done.body)
        sent = _on_the_wire(answer, script)
        self._keep(tx, call, answer, script, sent)
        return sent

    def _script(self, tx: Transaction, subject: Subject | None, call: Call) -> Script:
        if subject is None:
            return OK
        script = script_of(subject, call)
        if script is OK and call.operation == "charge":
            script = self._books.faults.script_for_plain_charge()
        payment = subject.charge.payment
        merchant = payment.merchant_payment_id or payment.reference
        return script if not script.once or tx.is_first_call(merchant, script.name, call.operation) else OK

    def _keep(self, tx: Transaction, call: Call, answer: Reply | None, script: Script, sent: Reply) -> None:
        kept = sent if script.wire is Wire.ERROR and answer else answer
        if call.key and kept:
            ready_at = call.now + sent.after_s + self._books.faults.now.latency_ms / 1000
            expires_at = ready_at + self._books.options.key_window_s
            tx.keep_answer(
                call.key, StoredAnswer(call.request_hash, kept.status, kept.body, ready_at, expires_at)
            )


def _replay(kept: StoredAnswer, call: Call) -> Reply:
    if kept.ready_at > call.now:
        return Refused(422, "704", "request already processed or in progress", transient=True).reply
    return Reply(kept.status, kept.body)


def _on_the_wire(answer: Reply | None, script: Script) -> Reply:
    if script.wire is Wire.RATE_LIMIT:
        return _too_many(script.retry_after_s).reply
    if script.wire is Wire.GARBAGE:
        return Reply(200, b"<html><body>Bad gateway cache")
    if script.wire is Wire.ERROR or answer is None:
        nothing_done = answer is None
        answer = error_reply(500, "905", "Payment details are not supported", "internal")
        if nothing_done:
            answer.headers[TRANSIENT] = "true"
    return replace(answer, wire=script.wire, after_s=script.answer_after_ms / 1000 + script.commit_after_s)


def _too_many(retry_after_s: int) -> Refused:
    return Refused(429, "010", "Too many requests", kind="security", retry_after_s=retry_after_s)

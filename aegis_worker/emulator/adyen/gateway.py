"""What Adyen does with a POST: faults, idempotency key, then the call, in one transaction.

Keys as docs.adyen.com/development-resources/api-idempotency has them: the first answer is kept and repeated, whatever body
comes with the key. While the first call is under way, a second one is told to come back. Nothing is kept of a refused one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..choosing import Asked
from ..replies import Reply, json_reply
from ..rows import StoredAnswer
from ..script_table import OK
from ..scripts import Effect, Script, Wire
from ..sending import sent as sent_as
from ..transaction import Transaction
from . import bodies
from .books import AdyenBooks
from .calls import Call, Subject, carry_out_call, subject_of
from .errors import Refused

_BODY_IS_NOT_COMPARED = b""


class AdyenGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: AdyenBooks) -> None:
        self._books = books

    def post(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        reply = self._books.conduct.answered(lambda: self._call(name, target, headers, raw))
        key = headers.get("idempotency-key")
        named = {"Idempotency-Key": key} if key else {}
        return replace(reply, headers={**named, **reply.headers})

    def _call(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        try:
            body = bodies.parse(name, raw)
            if name == "methods":
                return json_reply(200, {"paymentMethods": [{"name": "Cards", "type": "scheme"}]})
            known_key = headers.get("idempotency-key") if self._books.options.key_window_s else None
            call = Call(name, target, body, known_key, _BODY_IS_NOT_COMPARED, headers, self._books.now())
            with self._books.transaction() as tx:
                return self._answer(tx, call)
        except Refused as refused:
            return refused.reply

    def _answer(self, tx: Transaction, call: Call) -> Reply:
        kept = tx.answer_of(call.key, call.now) if call.key else None
        if kept:
            is_under_way = kept.ready_at > call.now
            return self._books.wording.busy() if is_under_way else Reply(kept.status, kept.body)
        self._books.settle_due(tx, call.now)
        subject = subject_of(self._books, tx, call)
        script = self._script(tx, subject, call)
        answer = None
        if script.effect is not Effect.NOTHING:
            done = carry_out_call(self._books, tx, call, subject, script)
            answer = json_reply(done.status, done.body)
        sent = sent_as(answer, script, self._books.wording)
        self._keep(tx, call, answer, script, sent)
        return sent

    def _script(self, tx: Transaction, subject: Subject | None, call: Call) -> Script:
        if subject is None:
            return OK
        payment = subject.charge.payment
        asked = Asked(call.operation, call.headers, subject.card.script, payment.token, payment.amount)
        return self._books.conduct.script_for(tx, payment, asked)

    def _keep(self, tx: Transaction, call: Call, answer: Reply | None, script: Script, sent: Reply) -> None:
        repeats_error = script.wire is Wire.ERROR and answer and script.stores_error is not False
        kept = sent if repeats_error else answer
        if call.key and kept and not script.forgets_key:
            ready_at = self._books.conduct.ready_at(call.now, sent)
            expires_at = ready_at + self._books.options.key_window_s
            tx.keep_answer(
                call.key, StoredAnswer(call.request_hash, kept.status, kept.body, ready_at, expires_at)
            )

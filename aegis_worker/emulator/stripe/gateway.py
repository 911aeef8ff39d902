"""What the gateway does with a POST: faults, idempotency key, then the call, in one transaction.

Keys as Stripe has them (docs.stripe.com/api/idempotent_requests): once a call has begun, its answer is kept under the key
and repeated, also a decline and a 500. Nothing is kept of a call that was refused before: a mistake in it, a conflict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from ..choosing import Asked
from ..replies import Reply, json_reply
from ..rows import StoredAnswer
from ..script_table import OK
from ..scripts import Effect, Script, Wire
from ..sending import sent as sent_as
from ..transaction import Transaction
from . import forms
from .books import StripeBooks
from .calls import Answer, Subject, carry_out_call, subject_of
from .contests import close_dispute, give_evidence
from .errors import Refused, error_reply
from .intents import Call
from .saved import attach, create_customer


class StripeGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: StripeBooks) -> None:
        self._books = books

    def post(self, name: str, path: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        return self._books.conduct.answered(lambda: self._call(name, path, target, headers, raw))

    def _call(self, name: str, path: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        account, key = headers.get("stripe-account", ""), headers.get("idempotency-key")
        try:
            form = forms.parse(raw)
            request_hash = hashlib.sha256(json.dumps([path, form], sort_keys=True).encode()).digest()
            known_key = f"{account}:{key}" if key and self._books.options.key_window_s else None
            call = Call(name, target, form, account, known_key, request_hash, headers, self._books.now())
            with self._books.transaction() as tx:
                return self._answer(tx, call)
        except Refused as refused:
            return refused.reply

    def _answer(self, tx: Transaction, call: Call) -> Reply:
        kept = tx.answer_of(call.key, call.now) if call.key else None
        if kept:
            return _replay(kept, call, self._books.wording.busy())
        self._books.settle_due(tx, call.now)
        answer: Reply | None
        if call.name in _BESIDE_INTENTS:
            script, answer = OK, json_reply(200, _BESIDE_INTENTS[call.name](self._books, tx, call))
        else:
            subject = subject_of(self._books, tx, call)
            script = self._script(tx, subject, call)
            answer = None if script.effect is Effect.NOTHING else self._do(tx, call, subject, script)
        sent = sent_as(answer, script, self._books.wording)
        self._keep(tx, call, answer, script, sent)
        return sent

    def _script(self, tx: Transaction, subject: Subject, call: Call) -> Script:
        payment = subject.intent.payment
        script = subject.card.script if subject.card else OK
        token = subject.intent.about["test_id"] or ""
        asked = Asked(subject.operation, call.headers, script, token, payment.amount)
        return self._books.conduct.script_for(tx, payment, asked)

    def _do(self, tx: Transaction, call: Call, subject: Subject, script: Script) -> Reply:
        lag_s = max(script.hidden_s, self._books.faults.now.status_lag_s)
        payment = subject.intent.payment
        if subject.operation == "charge" and lag_s:
            payment.hidden_until = call.now + lag_s
        if script.down_s:
            payment.down_until = call.now + script.down_s
        answer: Answer = carry_out_call(self._books, tx, call, subject, script)
        return json_reply(answer.status, answer.body)

    def _keep(self, tx: Transaction, call: Call, answer: Reply | None, script: Script, sent: Reply) -> None:
        kept = sent if script.wire is Wire.ERROR and script.stores_error is not False else answer
        if call.key and kept and not script.forgets_key:
            ready_at = self._books.conduct.ready_at(call.now, sent)
            expires_at = ready_at + self._books.options.key_window_s
            stored = StoredAnswer(call.request_hash, kept.status, kept.body, ready_at, expires_at)
            tx.keep_answer(call.key, stored)


_BESIDE_INTENTS: dict[str, Callable[[StripeBooks, Transaction, Call], dict[str, Any]]] = {
    "customer": lambda books, tx, call: create_customer(books, tx, call.form, call.account, call.now),
    "attach": lambda books, tx, call: attach(books, tx, call.form, call.account, call.target),
    "evidence": give_evidence,
    "close": close_dispute,
}


def _replay(kept: StoredAnswer, call: Call, busy: Reply) -> Reply:
    if kept.request_hash != call.request_hash:
        message = (
            "Keys for idempotent requests can only be used with the parameters they were first used with."
        )
        return error_reply(400, {"type": "idempotency_error", "message": message})
    if kept.ready_at > call.now:
        return busy
    return Reply(kept.status, kept.body, {"Idempotent-Replayed": "true"})

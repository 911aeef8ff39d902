"""What Braintree does with a call that moves money: faults, api_request_key, then the call, in one transaction.

Keys as developer.paypal.com/braintree/graphql/integration_guides/idempotency has them: a repeat shows the transaction as
it is now; one of a call that was declined is refused. Without a key only the check for duplicates holds a repeat back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from ..choosing import Asked
from ..replies import Refusal, Reply
from ..rows import StoredAnswer
from ..scripts import Effect, Script
from ..sending import sent as sent_as
from ..transaction import Transaction
from . import bodies, moves, sales
from .books import BraintreeBooks
from .calls import Call, Done, Subject, note_operation
from .errors import Refused, xml_reply
from .instruments import script_of

_KEPT_S = 30 * 86_400.0
_CREATED = frozenset({"sale", "partial", "refund"})
_CALLS: dict[str, Callable[[BraintreeBooks, Transaction, Call, Subject, Script], Done]] = {
    "sale": sales.sell,
    "submit": moves.submit,
    "partial": moves.submit_part,
    "void": moves.void,
    "refund": moves.refund,
}


class BraintreeGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: BraintreeBooks) -> None:
        self._books = books

    def move(self, name: str, merchant: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        return self._books.conduct.answered(lambda: self._call(name, merchant, target, headers, raw))

    def _call(self, name: str, merchant: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        try:
            body = bodies.parse(name, raw)
            shown = bodies.echoed(name, body)
            request_hash = hashlib.sha256(json.dumps([name, target, body], sort_keys=True).encode()).digest()
            given = bodies.key_of(body, shown)
            if given and not self._books.options.key_window_s:
                raise Refused("key_not_allowed", shown)
            key = f"{merchant}:{given}" if given else None
            now = self._books.now()
            call = Call(name, merchant, target, body, shown, key, request_hash, headers, now)
            with self._books.transaction() as tx:
                return self._answer(tx, call)
        except Refusal as refused:
            return refused.reply

    def _answer(self, tx: Transaction, call: Call) -> Reply:
        kept = tx.answer_of(call.key, call.now) if call.key else None
        self._books.settle_due(tx, call.now)
        if kept:
            return self._replay(tx, kept, call)
        subject = self._subject(tx, call)
        payment = subject.payment
        asked = Asked(call.operation, call.headers, subject.script, payment.token, payment.amount)
        script = self._books.conduct.script_for(tx, payment, asked)
        done, answer = None, None
        if script.effect is not Effect.NOTHING:
            done = self._do(tx, call, subject, script)
            answer = done.declined or _shown(call, done)
        sent = sent_as(answer, script, self._books.wording)
        if call.key and done:
            self._keep(tx, call, done, sent)
        return sent

    def _subject(self, tx: Transaction, call: Call) -> Subject:
        if call.name == "sale":
            return sales.new_sale(self._books, tx, call)
        one = self._books.transaction_of(tx, call.merchant, call.target)
        payment = self._books.payment_of(tx, one)
        script = script_of(payment.token, payment.amount, self._books.options.name)
        if script is None:
            raise AssertionError("unreachable: a sale with an unknown token is refused")
        return Subject(one, payment, script)

    def _do(self, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
        lag_s = max(script.hidden_s, self._books.faults.now.status_lag_s)
        if call.operation == "charge" and lag_s:
            subject.payment.hidden_until = call.now + lag_s
        if script.down_s:
            subject.payment.down_until = call.now + script.down_s
        done = _CALLS[call.name](self._books, tx, call, subject, script)
        note_operation(tx, call, subject, done)
        return done

    def _keep(self, tx: Transaction, call: Call, done: Done, sent: Reply) -> None:
        ready_at = self._books.conduct.ready_at(call.now, sent)
        made = json.dumps([done.id, done.declined is not None]).encode()
        kept = StoredAnswer(call.request_hash, sent.status, made, ready_at, ready_at + _KEPT_S)
        tx.keep_answer(str(call.key), kept)

    def _replay(self, tx: Transaction, kept: StoredAnswer, call: Call) -> Reply:
        if kept.request_hash != call.request_hash:
            raise Refused("key_reused", call.shown)
        if kept.ready_at > call.now:
            return self._books.wording.busy()
        own_id, was_declined = json.loads(kept.body)
        if was_declined:
            raise Refused("key_failed", call.shown)
        one = self._books.transaction_of(tx, call.merchant, own_id)
        return xml_reply(201 if call.name in _CREATED else 200, "transaction", self._books.object(tx, one))


def _shown(call: Call, done: Done) -> Reply:
    return xml_reply(201 if call.name in _CREATED else 200, "transaction", done.shown)

"""What PayPal does with a POST: faults, PayPal-Request-Id, then the call, in one transaction.

Ids of requests as developer.paypal.com/api/rest/reference/idempotency has them: a repeat is answered with what the first
call has made, as that is now. Nothing is kept of a call that was refused or declined. A void takes no id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping

from ..choosing import Asked
from ..demands import demanded
from ..replies import Refusal, Reply, json_reply
from ..rows import StoredAnswer
from ..scripts import Effect, Script, Wire
from ..sending import sent as sent_as
from ..transaction import Transaction
from . import bodies
from .books import PayPalBooks
from .calls import KEY, Call, Done, Subject, note_operation
from .charges import charge, confirm_source, create
from .errors import Refused
from .holds import capture, reauthorize, void
from .orders import charged_order, new_order, sourced_order
from .parts import part_of
from .refunds import refund
from .shapes import minimal

# How long ids are remembered: those of orders, and those of payments.
_ORDERS_KEEP_S, _PAYMENTS_KEEP_S = 6 * 3600.0, 45 * 86_400.0
_WITHOUT_ID = frozenset({"confirm_source", "void"})
_OF_ORDERS = frozenset({"create", "capture_order", "authorize_order"})
_SOURCED = _OF_ORDERS | {"confirm_source"}
_CALLS: dict[str, Callable[[PayPalBooks, Transaction, Call, Subject, Script], Done]] = {
    "create": create,
    "confirm_source": confirm_source,
    "capture_order": charge,
    "authorize_order": charge,
    "capture": capture,
    "reauthorize": reauthorize,
    "void": void,
    "refund": refund,
}


class PayPalGateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: PayPalBooks) -> None:
        self._books = books

    def post(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Carry the call out, and say what to send back."""
        return self._books.conduct.answered(lambda: self._call(name, target, headers, raw))

    def _call(self, name: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        try:
            body = bodies.parse(name, raw)
            request_hash = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
            is_kept = KEY in headers and name not in _WITHOUT_ID and self._books.options.key_window_s
            key = f"{name}:{target}:{headers[KEY]}" if is_kept else None
            call = Call(name, target, body, key, request_hash, headers, self._books.now())
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
        asked = Asked(subject.operation, call.headers, subject.script, payment.token, payment.amount)
        script = self._books.conduct.script_for(tx, payment, asked)
        if call.name in _SOURCED and bodies.always_authenticated(call.body):
            script = demanded(script)
        done, answer = None, None
        if script.effect is not Effect.NOTHING:
            done = self._do(tx, call, subject, script)
            answer = done.declined or _shown(call, done)
        sent = sent_as(answer, script, self._books.wording)
        if call.key and done and done.id and not script.forgets_key:
            self._keep(tx, call, done, script, sent)
        return sent

    def _subject(self, tx: Transaction, call: Call) -> Subject:
        if call.name == "create":
            return new_order(self._books, call)
        if call.name == "confirm_source":
            return sourced_order(self._books, tx, call)
        if call.name in _OF_ORDERS:
            return charged_order(self._books, tx, call)
        return part_of(self._books, tx, call)

    def _do(self, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
        lag_s = max(script.hidden_s, self._books.faults.now.status_lag_s)
        if subject.operation == "charge" and lag_s:
            subject.payment.hidden_until = call.now + lag_s
        if script.down_s:
            subject.payment.down_until = call.now + script.down_s
        done = _CALLS[call.name](self._books, tx, call, subject, script)
        note_operation(tx, call, subject, done)
        return done

    def _keep(self, tx: Transaction, call: Call, done: Done, script: Script, sent: Reply) -> None:
        ready_at = self._books.conduct.ready_at(call.now, sent)
        expires_at = ready_at + (_ORDERS_KEEP_S if call.name in _OF_ORDERS else _PAYMENTS_KEEP_S)
        is_error = script.wire is Wire.ERROR and script.stores_error
        made = json.dumps(["", ""] if is_error else [done.kind, done.id]).encode()
        tx.keep_answer(
            str(call.key), StoredAnswer(call.request_hash, sent.status, made, ready_at, expires_at)
        )

    def _replay(self, tx: Transaction, kept: StoredAnswer, call: Call) -> Reply:
        if kept.request_hash != call.request_hash:
            raise Refused("PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
        if kept.ready_at > call.now:
            return self._books.wording.busy()
        kind, made = json.loads(kept.body)
        if not kind:
            return self._books.wording.failed(done=True)
        shown = self._books.object(tx, kind, made)
        status = 200 if kind == "order" else 201
        return json_reply(status, shown if _all_of_it(call) else minimal(kind, shown))


def _shown(call: Call, done: Done) -> Reply:
    shown = done.shown or {}
    if call.name == "void":
        return json_reply(200, shown) if _all_of_it(call) else Reply(204, b"")
    status = 200 if call.name == "confirm_source" else 201
    return json_reply(status, shown if _all_of_it(call) else minimal(done.kind, shown))


def _all_of_it(call: Call) -> bool:
    return call.headers.get("prefer", "").replace(" ", "") == "return=representation"

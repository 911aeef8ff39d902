"""What the gateway does with a POST: faults, idempotency key, then the operation, in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import bodies, tokens
from .books import OPERATIONS_LIMIT, Books, seen
from .challenges import has_passed
from .choosing import Asked
from .demands import demanded
from .operations import Done, carry_out
from .payments import Payment, Status, new_id
from .replies import Refusal, Reply, error, json_reply
from .rows import Operation, StoredAnswer
from .scripts import Effect, Script, Wire
from .sending import sent as sent_as
from .transaction import Transaction

# Where a payer may be sent away.
_ASKED_ON = frozenset({"authenticate", "charge"})


@dataclass(frozen=True, slots=True)
class _Call:
    operation: str
    body: dict[str, Any]
    key: str | None
    request_hash: bytes
    headers: Mapping[str, str]
    now: float


class Gateway:
    """The gateway without its HTTP server. Safe from several threads: transactions are one at a time."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._options = books.options

    def post(
        self, path: str, operation: str, payment_id: str | None, headers: Mapping[str, str], raw: bytes
    ) -> Reply:
        """Carry out `operation` on a payment, or on a new one, and say what to send back."""
        return self._books.conduct.answered(lambda: self._call(path, operation, payment_id, headers, raw))

    def _call(
        self, path: str, operation: str, payment_id: str | None, headers: Mapping[str, str], raw: bytes
    ) -> Reply:
        try:
            body = bodies.parse(raw)
            request_hash = hashlib.sha256(json.dumps([path, body], sort_keys=True).encode()).digest()
            key = headers.get("idempotency-key")
            known_key = key if self._options.key_window_s else None
            with self._books.transaction() as tx:
                call = _Call(operation, body, known_key, request_hash, headers, self._books.now())
                return self._answer(tx, call, payment_id)
        except Refusal as refusal:
            return refusal.reply

    def _answer(self, tx: Transaction, call: _Call, payment_id: str | None) -> Reply:
        kept = tx.answer_of(call.key, call.now) if call.key else None
        if kept:
            return _replay(kept, call, self._books.wording.busy())
        self._books.settle_due(tx, call.now)
        if payment_id is None:
            payment = _new_payment(call)
        else:
            bodies.check(call.body, bodies.OPERATION, frozenset())
            payment = seen(tx.payment(payment_id), payment_id)
        script = self._script(tx, payment, call)
        true_answer = None
        if script.effect is not Effect.NOTHING:
            true_answer = self._do(tx, payment, call, script, is_new=payment_id is None)
        sent = sent_as(true_answer, script, self._books.wording)
        self._keep(tx, call, script, true_answer, sent)
        return sent

    def _script(self, tx: Transaction, payment: Payment, call: _Call) -> Script:
        try:
            script = tokens.asked_for(payment.token, payment.amount, self._options.name)
        except tokens.UnknownScript as problem:
            raise Refusal(400, "unknown_script", str(problem)) from problem
        asked = Asked(call.operation, call.headers, script, payment.token, payment.amount)
        chosen = self._books.conduct.script_for(tx, payment, asked)
        return demanded(chosen) if payment.demands_3ds and call.operation in _ASKED_ON else chosen

    def _do(self, tx: Transaction, payment: Payment, call: _Call, script: Script, is_new: bool) -> Reply:
        amount = None if is_new else call.body.get("amount")
        try:
            final = call.body.get("final", True)
            passed, charges = self._challenge(tx, payment, call)
            done = carry_out(
                call.operation,
                payment,
                script,
                amount,
                call.now,
                is_new,
                final=final,
                passed=passed,
                charges=charges,
            )
        except Refusal as refusal:
            if not is_new:
                refusal.more["payment"] = self._books.shown(tx, payment, call.now)
            raise
        lag_s = max(script.hidden_s, self._books.faults.now.status_lag_s)
        if call.operation == "charge" and lag_s:
            payment.hidden_until = call.now + lag_s
        if script.down_s:
            payment.down_until = call.now + script.down_s
        self._books.begin_hold(tx, payment, call.now)
        (tx.add if is_new else tx.update)(payment)
        reference = call.body.get("reference", payment.reference)
        row = (payment.id, call.operation, reference, done.amount, call.key, done.error_code, done.at)
        tx.add_operation(Operation(*row, done.ends_as, done.due_at, done.due_error))
        self._books.queue_news(tx, payment, call.now)
        return self._shown(tx, payment, done)

    def _challenge(self, tx: Transaction, payment: Payment, call: _Call) -> tuple[bool, bool]:
        """Of a confirm: whether the payer passed, and whether it was a charge that waited. Raises Refusal."""
        if call.operation != "confirm":
            return True, True
        done = tx.operations(payment.id, call.now, OPERATIONS_LIMIT)
        waited = [one["operation"] for one in done if one["operation"] in ("authenticate", "charge")]
        passed = has_passed(payment.client_secret, call.body.get("challenge_result"))
        if passed is None and payment.status is Status.REQUIRES_ACTION:
            raise Refusal(422, "invalid_challenge_result", "this is no result of the payer's challenge")
        return bool(passed), waited[-1:] != ["authenticate"]

    def _shown(self, tx: Transaction, payment: Payment, done: Done) -> Reply:
        if payment.due_at == done.at:  # a late commit is answered when it has happened
            payment = replace(payment)
            payment.settle()
        body = self._books.shown(tx, payment, done.at)
        if done.error_code:
            return error(done.status, done.error_code, "declined", payment=body)
        return json_reply(done.status, body)

    def _keep(self, tx: Transaction, call: _Call, script: Script, answer: Reply | None, sent: Reply) -> None:
        stores = self._options.replays_errors if script.stores_error is None else script.stores_error
        kept = sent if script.wire is Wire.ERROR and stores else answer
        if call.key and kept and not script.forgets_key:
            ready_at = self._books.conduct.ready_at(call.now, sent)
            expires_at = ready_at + self._options.key_window_s
            stored = StoredAnswer(call.request_hash, kept.status, kept.body, ready_at, expires_at)
            tx.keep_answer(call.key, stored)


def _new_payment(call: _Call) -> Payment:
    body = call.body
    bodies.check(body, bodies.PAYMENT, bodies.PAYMENT_REQUIRED)
    method, metadata = body["payment_method"], body.get("metadata", {})
    return Payment(
        id=new_id("spay"),
        reference=body["reference"],
        merchant_payment_id=metadata.get("merchant_payment_id"),
        amount=body["amount"],
        currency=body["currency"],
        capture_method=body.get("capture_method", "automatic"),
        method=method["type"],
        token=method.get("token", ""),
        metadata=metadata,
        return_url=body.get("return_url", ""),
        statement_descriptor=body.get("statement_descriptor", ""),
        created_at=call.now,
        demands_3ds=body.get("three_ds", False),
    )


def _replay(kept: StoredAnswer, call: _Call, busy: Reply) -> Reply:
    if kept.request_hash != call.request_hash:
        return error(422, "idempotency_mismatch", "this key was used with another request")
    if kept.ready_at > call.now:
        return busy
    return Reply(kept.status, kept.body, {"Idempotent-Replayed": "true"})

"""Look-ups, the ledger as others may read it, and what happens by itself when its time comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from .faults import FaultSwitch
from .ledger import Ledger, Transaction
from .payments import Payment, Status, new_id
from .replies import Refusal, Reply, json_reply

LOOK_UP_LIMIT = 20
OPERATIONS_LIMIT = 200
PAGE_LIMIT = 1000
SETTLE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Options:
    """How this instance differs from others. `key_window_s` 0: it knows no idempotency keys.

    `replays_errors`: a 500 is kept under the key and replayed like any other answer, as Stripe does.
    """

    name: str
    base_url: str
    key_window_s: float = 86_400.0
    replays_errors: bool = False
    sends_webhooks: bool = False


class Books:
    """The ledger with its clock: each reading first carries out what is due by now. Safe from several threads."""

    def __init__(
        self, ledger: Ledger, options: Options, wake_webhooks: Callable[[], None] | None = None
    ) -> None:
        self.options = options
        self.faults = FaultSwitch()
        self._ledger = ledger
        self._wake_webhooks = wake_webhooks

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One ledger transaction; afterwards the webhook sender is told."""
        with self._ledger.transaction() as tx:
            yield tx
        if self._wake_webhooks:
            self._wake_webhooks()

    def look_up(self, payment_id: str) -> Reply:
        """One payment with its operations, as look-ups see it now."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            return self.shown(tx, _shows(seen(tx.payment(payment_id), payment_id), now), now)

        return self._read(read)

    def find(self, reference: str) -> Reply:
        """The payments that have an operation under the merchant's reference."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = [p for p in tx.by_reference(reference, LOOK_UP_LIMIT) if not _is_hidden(p, now)]
            return {
                "reference": reference,
                "data": [self.shown(tx, _shows(payment, now), now) for payment in found],
            }

        return self._read(read)

    def _read(self, read: Callable[[Transaction, float], dict[str, Any]]) -> Reply:
        faults = self.faults.now
        try:
            if faults.refuse_all or faults.status_down:
                raise Refusal(503, "unavailable", "look-ups are down")
            with self.transaction() as tx:
                now = time.time()
                self.settle_due(tx, now)
                reply = json_reply(200, read(tx, now))
        except Refusal as refusal:
            reply = refusal.reply
        return replace(reply, after_s=faults.latency_ms / 1000)

    def shown(self, tx: Transaction, payment: Payment, at: float) -> dict[str, Any]:
        """The payment with what was done to it until `at`, in seconds since 1970, as every answer shows it."""
        return payment.public(self.options.base_url) | {
            "operations": tx.operations(payment.id, at, OPERATIONS_LIMIT)
        }

    def payer_returns(self, payment_id: str) -> Payment | None:
        """The payer did what 3-D Secure asked: go on at once. None for a payment that does not exist."""
        with self.transaction() as tx:
            payment = tx.payment(payment_id)
            if payment and payment.status is Status.REQUIRES_ACTION and not payment.client_secret:
                self._settle(tx, payment, time.time())
        return payment

    def page(self, cursor: int, limit: int) -> dict[str, Any]:
        """What was really charged and refunded. Start at cursor 0 each time: a late commit keeps its early place."""
        with self.transaction() as tx:
            now = time.time()
            self.settle_due(tx, now)
            payments, following = tx.page(cursor, min(limit, PAGE_LIMIT))
            charges = [
                {
                    "payment_id": p.id,
                    "reference": p.reference,
                    "merchant_payment_id": p.merchant_payment_id,
                    "status": p.status,
                    "amount": p.amount,
                    "currency": p.currency,
                    "authorized": p.authorized,
                    "captured": p.captured,
                    "refunded": p.refunded,
                    "captures": tx.amounts(p.id, "capture", now),
                    "refunds": self.refunds(tx, p, now),
                }
                for p in payments
            ]
        return {"gateway": self.options.name, "charges": charges, "next_cursor": following}

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a payment's refunds until `now` that have not failed."""
        return tx.amounts(payment.id, "refund", now)

    def tick(self) -> None:
        """Carry out what is due, and forget old keys."""
        now = time.time()
        with self.transaction() as tx:
            self.settle_due(tx, now)
            tx.forget_keys(now, SETTLE_LIMIT)

    def settle_due(self, tx: Transaction, now: float) -> None:
        """Carry out what is due at `now`."""
        for payment in tx.due(now, SETTLE_LIMIT):
            self._settle(tx, payment, now)

    def _settle(self, tx: Transaction, payment: Payment, now: float) -> None:
        payment.settle()
        tx.update(payment)
        self.queue_news(tx, payment, now)

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Put the payment's status changes in the webhook queue, in the transaction that made them."""
        news, payment.news = payment.news, []
        for kind in news if self.options.sends_webhooks else ():
            self.queue_event(tx, self.event(tx, payment, kind, now), now)

    def queue_event(self, tx: Transaction, event: dict[str, Any], now: float) -> None:
        """Put an event in the webhook queue."""
        tx.queue_webhook(event["id"], json.dumps(event).encode(), now)

    def event(self, tx: Transaction, payment: Payment, kind: str, now: float) -> dict[str, Any]:
        """What a webhook says of a status change."""
        shown = payment.public(self.options.base_url)
        return {"id": new_id("sevt"), "type": kind, "created": int(now), "data": shown}


def seen(payment: Payment | None, payment_id: str) -> Payment:
    """The payment, if anybody may see it. Raises Refusal(404)."""
    if payment is None or payment.status is Status.UNBORN:
        raise _no_such(payment_id)
    return payment


def _no_such(payment_id: str) -> Refusal:
    return Refusal(404, "not_found", "no such payment", payment_id=payment_id)


def _is_hidden(payment: Payment, now: float) -> bool:
    return payment.status is Status.UNBORN or payment.hidden_until > now


def _shows(payment: Payment, now: float) -> Payment:
    if payment.down_until > now:
        raise Refusal(503, "unavailable", "look-ups are down")
    if _is_hidden(payment, now):
        raise _no_such(payment.id)
    return payment

"""Look-ups, the ledger as others may read it, and what happens by itself when its time comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from . import disputes, tokens
from .choosing import Reach
from .conduct import Conduct
from .ledger import Ledger
from .payments import Payment, Status, new_id
from .replies import Refusal, Reply, json_reply
from .rows import Document
from .scripts import MOVING, OPERATIONS, Script
from .sending import Wording
from .telling import times
from .transaction import Transaction
from .wording import SandboxWording

LOOK_UP_LIMIT = 20
OPERATIONS_LIMIT = 200
DISPUTES_LIMIT = 20
SETTLE_LIMIT = 200


# What is told of a payment whose money was just taken.
_TAKE_MONEY = frozenset({"payment.succeeded", "payment.captured"})


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
    """The ledger with its clock: each reading first carries out what is due by now. Safe from several threads.

    `reach`: what the wire format can be told to do. `wording`: how it words what goes wrong at its gateway.
    """

    reach: ClassVar[Reach] = Reach("sandbox", frozenset(OPERATIONS), MOVING)
    wording: ClassVar[Wording] = SandboxWording()

    def __init__(
        self, ledger: Ledger, options: Options, wake_webhooks: Callable[[], None] | None = None
    ) -> None:
        self.options = options
        self.conduct = Conduct(self.reach, self.wording)
        self.faults = self.conduct.choice.faults
        self._ledger = ledger
        self._wake_webhooks = wake_webhooks

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One ledger transaction; afterwards the webhook sender is told."""
        with self._ledger.transaction() as tx:
            yield tx
        if self._wake_webhooks:
            self._wake_webhooks()

    def now(self) -> float:
        """What time it is for this instance, in seconds since 1970."""
        return self._ledger.now()

    def advance(self, seconds: float) -> None:
        """So much later it is from now on. Raises ValueError."""
        self._ledger.advance(seconds)

    def look_up(self, payment_id: str) -> Reply:
        """One payment with its operations, as look-ups see it now."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            return self._looked_up(tx, _shows(seen(tx.payment(payment_id), payment_id), now), now)

        return self._read(read)

    def _looked_up(self, tx: Transaction, payment: Payment, now: float) -> dict[str, Any]:
        disputed = bool(tx.documents_of(payment.id, disputes.KIND, 1))
        return self.shown(tx, payment, now) | {"disputed": disputed}

    def find(self, reference: str) -> Reply:
        """The payments that have an operation under the merchant's reference."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            found = [p for p in tx.by_reference(reference, LOOK_UP_LIMIT) if not _is_hidden(p, now)]
            return {
                "reference": reference,
                "data": [self._looked_up(tx, _shows(payment, now), now) for payment in found],
            }

        return self._read(read)

    def _read(self, read: Callable[[Transaction, float], dict[str, Any]]) -> Reply:
        faults = self.faults.now
        try:
            with self.transaction() as tx:
                now = self.now()
                self.settle_due(tx, now)
                reply = json_reply(200, read(tx, now))
        except Refusal as refusal:
            reply = refusal.reply
        if faults.refuse_all or faults.status_down:
            reply = self.wording.unavailable()
        return replace(reply, after_s=faults.latency_ms / 1000)

    def shown(self, tx: Transaction, payment: Payment, at: float) -> dict[str, Any]:
        """The payment with what was done to it until `at`, in seconds since 1970, as every answer shows it."""
        return payment.public(self.options.base_url) | {
            "operations": tx.operations(payment.id, at, OPERATIONS_LIMIT)
        }

    def payer_acts(self, payment_id: str, *, passes: bool) -> Payment | None:
        """The payer passed 3-D Secure on its page, or failed it: go on at once. None for a payment that does not exist."""
        with self.transaction() as tx:
            payment = tx.payment(payment_id)
            if payment and payment.status is Status.REQUIRES_ACTION and not payment.client_secret:
                if not passes:
                    payment.schedule(0, Status.FAILED, "authentication_failed")
                elif self.script_of(tx, payment).lapses:
                    payment.schedule(0, self._after_the_payer(tx, payment))
                self._settle(tx, payment, self.now())
        return payment

    def _after_the_payer(self, tx: Transaction, payment: Payment) -> Status:
        """What the payment becomes for a payer who passes; charges have waited for it, unless only the payer was asked."""
        done = tx.operations(payment.id, self.now(), OPERATIONS_LIMIT)
        asked = [one["operation"] for one in done if one["operation"] in ("authenticate", "charge")]
        return Status.AUTHENTICATED if asked[-1:] == ["authenticate"] else payment.charged_status

    def captures(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of what was captured of a hold until `now`, each by itself, and has not failed."""
        return tx.amounts(payment.id, "capture", now)

    def refunds(self, tx: Transaction, payment: Payment, now: float) -> list[int]:
        """The amounts of a payment's refunds until `now` that have not failed."""
        return tx.amounts(payment.id, "refund", now)

    def tick(self) -> None:
        """Carry out what is due, and forget old keys."""
        now = self.now()
        with self.transaction() as tx:
            self.settle_due(tx, now)
            tx.forget_keys(now, SETTLE_LIMIT)

    def settle_due(self, tx: Transaction, now: float) -> None:
        """Carry out what is due at `now`."""
        for payment in tx.due(now, SETTLE_LIMIT):
            self._settle(tx, payment, now)
        for document in tx.due_documents(now, SETTLE_LIMIT):
            self.settle_document(tx, document, now)
        for payment_id, done in tx.settle_operations(now, SETTLE_LIMIT):
            self._settled(tx, payment_id, done, now)

    def settle_document(self, tx: Transaction, document: Document, now: float) -> None:
        """Make of it what is due."""
        if document.kind == disputes.KIND:
            ended = disputes.advanced(document, document.body["ends_as"])
            disputes.change(self, tx, document, ended, now)

    def _settled(self, tx: Transaction, payment_id: str, done: dict[str, Any], now: float) -> None:
        payment = tx.payment(payment_id)
        if payment is None:
            raise AssertionError("unreachable: operations are done on payments")
        if done["status"] == "failed":
            payment.take_back(done["operation"], done["amount"])
            tx.update(payment)
        if self.options.sends_webhooks:
            kind = f"{done['operation']}.{done['status']}"
            self.queue_event(tx, self.event(tx, payment, kind, now) | {"operation": done}, now, payment)

    def _settle(self, tx: Transaction, payment: Payment, now: float) -> None:
        payment.settle()
        self.begin_hold(tx, payment, now)
        tx.update(payment)
        self.queue_news(tx, payment, now)

    def begin_hold(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Have what has just been held released by itself, in its time."""
        if payment.status is Status.AUTHORIZED and payment.due_at is None:
            payment.schedule(now + self.script_of(tx, payment).hold_s, Status.VOIDED)

    def queue_news(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Put the payment's status changes in the webhook queue, in the transaction that made them."""
        news, payment.news = payment.news, []
        for kind in news if self.options.sends_webhooks else ():
            self.queue_event(tx, self.event(tx, payment, kind, now), now, payment)
        if payment.captured and not _TAKE_MONEY.isdisjoint(news):
            disputes.contest(self, tx, payment, now)

    def script_of(self, tx: Transaction, payment: Payment) -> Script:
        """The script of the payment's charge."""
        return (
            tokens.named(payment.given_script) if payment.given_script else self.script_of_token(tx, payment)
        )

    def script_of_token(self, tx: Transaction, payment: Payment) -> Script:
        """The script that the payment's token or amount names."""
        return tokens.asked_for(payment.token, payment.amount, self.options.name)

    def charge_id(self, tx: Transaction, payment: Payment) -> str:
        """By what the merchant knows the charge."""
        return payment.id

    def new_dispute_id(self) -> str:
        """The id of a dispute that is opened now."""
        return new_id("dp")

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """Whose the payment is, where the wire format knows accounts."""
        return {}

    def tell_of_dispute(self, tx: Transaction, before: Document | None, after: Document, now: float) -> None:
        """Put what webhooks say of a change of a dispute in their queue; `before` is None for a new one."""
        for event in self.dispute_events(before, after, now) if self.options.sends_webhooks else ():
            self.queue_event(tx, event, now, tx.payment(str(after.payment_id)))

    def dispute_events(self, before: Document | None, after: Document, now: float) -> list[dict[str, Any]]:
        """What webhooks say of a change of a dispute; `before` is None for a new one."""
        kind, shown = disputes.kind_of(before, after), disputes.public(after)
        return [{"id": new_id("sevt"), "type": kind, "created": int(now), "data": shown}]

    def look_up_dispute(self, dispute_id: str) -> Reply:
        """One dispute as it stands."""

        def read(tx: Transaction, now: float) -> dict[str, Any]:
            dispute = tx.document(disputes.KIND, dispute_id)
            if dispute is None:
                raise Refusal(404, "not_found", "no such dispute", dispute_id=dispute_id)
            return disputes.public(dispute)

        return self._read(read)

    def queue_event(
        self, tx: Transaction, event: dict[str, Any], now: float, payment: Payment | None
    ) -> None:
        """Put an event about the payment in the webhook queue, as the script of its webhooks has it."""
        self.queue_webhook(tx, event["id"], event, now, payment)

    def queue_webhook(
        self, tx: Transaction, event_id: str, event: dict[str, Any], now: float, payment: Payment | None
    ) -> None:
        """Put an event with this id in the webhook queue, as the script of the payment's webhooks has it."""
        body = json.dumps(event).encode()
        if payment is None or not payment.webhook_script:
            tx.queue_webhook(event_id, body, now)
            return
        script = tokens.named(payment.webhook_script)
        for at in times(script, now, payment.created_at):
            tx.queue_webhook(event_id, body, at, payment.webhook_script)

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

"""docs/reference/events.md: what each event says, when it comes, and the form in which it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain import disputes, entities, holds
from aegis_worker.domain import payment as domain
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import REASONS, DisputeReport
from aegis_worker.domain.entities import EntityKind, Order
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Operation
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.domain.screening import Action, Finding, Screening, approved, screened
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.transitions import ALLOWED_AFTER_THE_END, LEADS_TO, EventType
from aegis_worker.persistence.published import PublishedEvent
from aegis_worker.pipeline.operations.charge import facts as charge

from .markdown import code, codes, table

_PAYMENT = Payment(
    id="pay_01a1fdef7b3a766da7ca332b7f16f8ae",
    merchant_id="m_1",
    terms=PaymentTerms(Money(1999, "USD"), {"type": "card"}, reference="order-1042"),
)
_REF = "spay_18ea0cff7852580bddd5190b"
_GATEWAY = "sandbox_a"
_AT = datetime(2026, 11, 21, 11, 48, 12, 950_000, tzinfo=UTC)

_DISPUTE = "dsp_01a1fdef7b3a766da7ca332b7f16f8b1"
_DISPUTED = DisputeReport(
    "dp_18ea0cff", _REF, Money(1999, "USD"), DisputeStatus.LOST, "lost", "fraudulent", "10.4", _AT
)

# When each event comes.
_WHEN: Mapping[EventType, str] = {
    EventType.INITIATED: "a payment was accepted, in the commit that accepts it",
    EventType.SCREENED: "hooks and rules were asked before the first attempt; told once, and only where any apply",
    EventType.ACTION_REQUIRED: "a gateway wants the payer to do something, such as 3-D Secure; told once",
    EventType.AUTHENTICATED: "a gateway accepts the payer",
    EventType.PROCESSING: "a charge may be at this gateway from now on, in the commit before its call",
    EventType.RETRY_ATTEMPTED: "another hop begins, because the one before did not charge",
    EventType.IN_DOUBT: "a gateway may or may not have charged; told once a doubt",
    EventType.RESOLVED: "the doubt is over: a gateway answered, or a person decided",
    EventType.AUTHORIZED: "the gateway holds the funds, and they are not captured",
    EventType.SUCCEEDED: "the gateway charged",
    EventType.FAILED: "nothing was charged, and nothing more is tried",
    EventType.CANCEL_REQUESTED: "the merchant cancelled it while a charge was under way or its payer had to act",
    EventType.CANCELLED: "the merchant cancelled it: nothing had been sent, or what was held is released",
    EventType.REVIEW_REQUIRED: "a person has to look",
    EventType.REVIEWED: "a person approved or rejected what was held back before it was sent",
    EventType.AUTHORIZATION_EXPIRING: "what is held is released at `capture_before`: told 24 h and 2 h before, each once",
    EventType.DUPLICATE_DETECTED: "a gateway holds a charge that the payment does not stand on",
    EventType.DUPLICATE_REVERSED: "that charge was released or given back",
    EventType.CAPTURE_REQUESTED: "a capture was accepted, or found at the gateway (`origin`); its amount is reserved",
    EventType.CAPTURE_SUCCEEDED: "the gateway captured it; the last or a final one is followed by `payment.succeeded`",
    EventType.CAPTURE_FAILED: "it was not captured, and its amount is free again; `late`: it had succeeded before",
    EventType.REFUND_REQUESTED: "a refund was accepted, or found at the gateway (`origin`); its amount is reserved",
    EventType.REFUND_SUCCEEDED: "the gateway refunded it",
    EventType.REFUND_FAILED: "it was not refunded, and its amount is free again; `late`: it had succeeded before",
    EventType.DISPUTE_OPENED: "the payer's bank questions the charge; told once a dispute",
    EventType.DISPUTE_UPDATED: "its status, amount, reason or deadline is another; `accepted` and `closed` end it too",
    EventType.DISPUTE_WON: "the merchant keeps the money",
    EventType.DISPUTE_LOST: "the payer keeps it",
}

FIELDS: Mapping[str, str] = {
    "amount": "what was asked for, in minor units; in every event",
    "currency": "ISO 4217; in every event",
    "reference": "the merchant's own reference, or null; in every event",
    "state": "the payment's state from now on; only where the event changes it",
    "capture_method": "`automatic` or `manual`",
    "payment_method": "the kind of method alone, such as `card`",
    "mode": "`live` or `test`, as the key that the payment was made with; in every event",
    "customer_id": "the merchant's own id of who pays, or null",
    "scheduled_at": "when it is to be charged; only of a payment for later",
    "gateway": "the gateway that the event is about",
    "screening": (
        "`action` that holds: `allow`, `flag`, `require_three_ds`, `review` or `block`. Which hook or rule said so, and "
        "why, is for operators: [`aegis explain`](commands.md#aegis-explain)"
    ),
    "kind": "of a review: `doubt` (what happened at a gateway is in question) or `fraud` (nothing was sent yet)",
    "decision": "`approved` or `rejected`",
    "gateway_ref": "the gateway's id of the charge",
    "attempt": "the number of the attempt, from 1",
    "next_action": "`type` of what the payer has to do (`redirect`, `sdk` or `qr`) and `expires_at`, or null there",
    "from": "the gateway that did not charge",
    "to": "the gateway that is tried now",
    "reason": "why, in words; of a dispute one of " + ", ".join(f"`{reason}`" for reason in REASONS),
    "how": "how it was found out, or what was done, in words",
    "resolution": "what a person decided: `charged` or `not_charged`; only where a person did",
    "checked": "what the gateway said to a person's decision; only where a person decided",
    "authorized_minor": "what the gateway holds or took, in minor units",
    "captured_minor": "what the gateway took, in minor units",
    "last_error": (
        "null, or `code`, `category`, `advised_action`, `gateway`, `gateway_code` and `message`: see "
        "[errors](errors.md#why-a-payment-failed)"
    ),
    "amount_minor": "the charge too many, the capture, the refund or what is disputed, in minor units",
    "capture_id": "the capture: `GET /v1/captures/{id}`",
    "refund_id": "the refund: `GET /v1/refunds/{id}`",
    "final": "whether the rest of the hold is released",
    "error": "why it failed, with the fields of `last_error`",
    "late": "whether it had succeeded before",
    "origin": "`gateway`: somebody asked for it at the gateway itself; absent where the merchant ordered it here",
    "dispute_id": "the dispute: `GET /v1/disputes/{id}`",
    "status": f"how the dispute stands: {', '.join(f'`{status}`' for status in DisputeStatus)}",
    "dispute_currency": "that of the disputed amount, ISO 4217",
    "before": "`status`, `amount_minor` and `dispute_currency` as they were, or null where the dispute is new",
    "own_charge": "whether it is about the charge that the payment stands on",
    "gateway_reason": "the gateway's own code for why, or null",
    "respond_by": "until when the gateway takes evidence, or null",
    "policy": "what is done about it: `refund`, `void` or `hold` (`AEGIS_LATE_CHARGE_POLICY`)",
}
IN_EVERY_EVENT = frozenset({"mode", "amount", "currency", "reference", "state"})


def example() -> str:
    """An event as webhooks and the stream carry it."""
    fact = _FACTS[EventType.SUCCEEDED]
    event = PublishedEvent(
        payment_id=_PAYMENT.id,
        seq=3,
        type=fact.type,
        data=fact.data,
        at=_AT,
        merchant_id=_PAYMENT.merchant_id,
        mode=_PAYMENT.mode,
        amount_minor=_PAYMENT.amount.minor,
        currency=_PAYMENT.amount.currency,
        reference=_PAYMENT.reference,
    )
    return f"```json\n{json.dumps(json.loads(event.payload()), indent=2)}\n```"


def events() -> str:
    """Every event: when it comes, the state that it leads to, its own fields of `data`."""
    rows = [(code(kind.wire), _leads_to(kind), _WHEN[kind], codes(fields_of(kind))) for kind in EventType]
    return table(("event", "leads to", "comes when", "its own fields of `data`"), rows)


def fields() -> str:
    """Every field of `data`."""
    return table(("field", "is"), [(code(name), meaning) for name, meaning in FIELDS.items()])


def fields_of(kind: EventType) -> list[str]:
    """The fields of `data` that an event of this type has in addition to the common ones."""
    return [name for name in _FACTS[kind].data if name not in IN_EVERY_EVENT] if kind in _FACTS else []


def _leads_to(kind: EventType) -> str:
    state = LEADS_TO.get(kind)
    if state is not None:
        return str(state)
    after_the_end = ", also after the end" if kind in ALLOWED_AFTER_THE_END else ""
    return f"the same{after_the_end}"


def _facts() -> dict[EventType, Fact]:
    """One fact of each type with all fields that it may have, made by the code's own functions if there are any."""
    captured = Approved(_REF, captured=True)
    held = Approved(_REF, captured=False, capture_before=datetime(2026, 12, 4, tzinfo=UTC))
    captured_part = Order(EntityKind.CAPTURE, "cap_01a1fdef7b3a766da7ca332b7f16f8af", 1, 500)
    refunded_part = Order(EntityKind.REFUND, "ref_01a1fdef7b3a766da7ca332b7f16f8b0", 1, 500)
    error = describe_error("insufficient_funds", gateway=_GATEWAY, gateway_code="51", message="")
    doubtful = _in_doubt()
    made: list[Fact] = [
        domain.initiated(replace(_PAYMENT, terms=replace(_PAYMENT.terms, scheduled_at=_AT))),
        screened(Screening((Finding("rule high-value", Action.FLAG),))),
        *charge.opened(_PAYMENT, Operation.PROCESS, _GATEWAY, 1),
        domain.retried(_GATEWAY, "sandbox_b", "insufficient_funds"),
        *charge.approved(_PAYMENT, Operation.AUTHENTICATE, _GATEWAY, captured),
        *charge.approved(_PAYMENT, Operation.PROCESS, _GATEWAY, captured),
        *charge.approved(_PAYMENT, Operation.PROCESS, _GATEWAY, held),
        *domain.in_doubt(_PAYMENT, _GATEWAY, "read timeout"),
        *domain.resolved(doubtful, "the gateway was asked"),
        *domain.failed(error),
        domain.duplicate_detected(_PAYMENT, 1, _GATEWAY, _REF, "refund"),
        domain.duplicate_reversed(_PAYMENT, 1, _GATEWAY, _REF, "refunded"),
        *(
            fact
            for order in (captured_part, refunded_part)
            for fact in (
                entities.requested(order),
                entities.succeeded(order, _GATEWAY, _REF),
                entities.entity_failed(order, error),
            )
        ),
        *disputes.opened(_PAYMENT, _GATEWAY, _DISPUTED, _DISPUTE)[1],
        *disputes.opened(_PAYMENT, _GATEWAY, replace(_DISPUTED, status=DisputeStatus.WON), _DISPUTE)[1],
        *disputes.moved(
            disputes.opened(_PAYMENT, _GATEWAY, _DISPUTED, _DISPUTE)[0],
            replace(_DISPUTED, status=DisputeStatus.UNDER_REVIEW),
        )[1],
        # The code makes these where it decides: settling an answer, handing a job to a person, a person's decision.
        Fact(EventType.ACTION_REQUIRED, {"gateway": _GATEWAY, "gateway_ref": _REF, "next_action": {}}),
        Fact(EventType.CANCEL_REQUESTED),
        holds.expiring(_PAYMENT),
        Fact(EventType.CANCELLED, {"gateway": _GATEWAY, "gateway_ref": _REF, "reason": "voided"}),
        Fact(EventType.REVIEW_REQUIRED, {"reason": "no answer", "kind": "doubt"}),
        approved(Screening((Finding("rule high-value", Action.REVIEW),)), 1_795_000_000.0),
        Fact(EventType.RESOLVED, {"resolution": "charged", "checked": "confirmed"}),
    ]
    found: dict[EventType, Fact] = {}
    for fact in made:
        before: Mapping[str, Any] = found[fact.type].data if fact.type in found else {}
        found[fact.type] = Fact(fact.type, {**before, **fact.data})
    return found


def _in_doubt() -> Payment:
    facts = [domain.initiated(_PAYMENT), *domain.in_doubt(_PAYMENT, _GATEWAY, "read timeout")]
    return _PAYMENT.record(facts)[0]


_FACTS = _facts()

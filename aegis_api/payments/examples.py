"""Examples of payments, rendered by the same functions as real answers, so that they can't drift apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from aegis_api.jobs.examples import A_JOB, JOB
from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.exchanges import CallKind, Exchange, NotedAnswer, NotedRequest
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.observability.redaction import HIDDEN
from aegis_worker.queries.exchanges import StoredExchange
from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.views.attempts import attempt_body
from aegis_worker.views.events import event_body
from aegis_worker.views.jobs import accepted_job_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.payments import payment_body

from .accepting import terms_of

_ACCEPTED_AT, _ANSWERED_AT = A_JOB.created_at, A_JOB.updated_at
_GATEWAY_REF = "ch_8c1f"

PAYMENT_REQUEST: Mapping[str, Any] = {
    "amount": 1999,
    "currency": "USD",
    "payment_method": {"type": "card", "token": "tok_visa", "network": "visa"},
    "reference": "order-1042",
    "customer": {"id": "cus_117", "email": "asha@shop.example", "country": "IN"},
    "description": "Two tickets",
    "statement_descriptor": "BLUE TICKETS",
    "payer": {
        "email": "asha@shop.example",
        "ip": "203.0.113.7",
        "billing_address": {
            "line1": "12 MG Road",
            "city": "Bengaluru",
            "postal_code": "560001",
            "country": "IN",
        },
    },
    "order_lines": [{"name": "Ticket", "quantity": 2, "unit_amount": 999, "reference": "sku-7"}],
    "metadata": {"cart": "c-81", "items": 2},
}

CONFIRM_REQUEST: Mapping[str, Any] = {"gateway_data": {"challenge_result": "cres_4f0c"}}

_asked = Payment(
    id=A_JOB.payment_id,
    merchant_id="mer_example",
    terms=terms_of(PAYMENT_REQUEST),
)
AN_INITIATED_PAYMENT, (_first,) = _asked.record([initiated(_asked)])
_succeeded = replace(
    AN_INITIATED_PAYMENT,
    state=State.SUCCESS,
    version=3,
    gateway="sandbox_a",
    gateway_ref=_GATEWAY_REF,
    authorized_minor=1999,
    captured_minor=1999,
)
AN_ATTEMPT = Attempt(
    operation=Operation.PROCESS,
    number=1,
    gateway="sandbox_a",
    gateway_key=f"{A_JOB.payment_id}-p1",
    request_hash="",
    status=AttemptStatus.APPROVED,
    gateway_ref=_GATEWAY_REF,
    outcome=StoredOutcome(captured=True),
    lease_epoch=1,
    sends=1,
    checks=0,
    not_found_count=0,
    sent_at_s=0.0,
    first_not_found_at_s=None,
)
A_STORED_ATTEMPT = StoredAttempt(
    AN_ATTEMPT,
    payment_id=A_JOB.payment_id,
    decision={"candidates": ["sandbox_a", "sandbox_b"]},
    latency_ms=41.7,
    sent_at=_ACCEPTED_AT,
    answered_at=_ANSWERED_AT,
    last_checked_at=None,
)

A_STORED_PAYMENT = StoredPayment(_succeeded, _ACCEPTED_AT, _ANSWERED_AT)
PAYMENT = payment_body(_succeeded, _ACCEPTED_AT, _ANSWERED_AT)
JOB_ANSWER = {"job": JOB}
ACCEPTED = {
    **payment_body(AN_INITIATED_PAYMENT, _ACCEPTED_AT, _ACCEPTED_AT),
    "job": accepted_job_body(A_JOB.id),
}
DECIDED = {**PAYMENT, "job": JOB}
PAYMENTS = list_body([PAYMENT], A_JOB.payment_id)
EVENTS = list_body(
    [
        event_body(
            StoredEvent(A_JOB.payment_id, _first.seq, EventType(_first.type), _first.data, _ACCEPTED_AT)
        )
    ],
    None,
)
AN_EXCHANGE = StoredExchange(
    AN_ATTEMPT.operation,
    AN_ATTEMPT.number,
    CallKind.SEND,
    _ACCEPTED_AT,
    Exchange(
        41.7,
        NotedRequest(
            "POST",
            "/v1/charges",
            {"Authorization": HIDDEN, "Idempotency-Key": AN_ATTEMPT.gateway_key},
            bytes=196,
            body={
                "amount": 1999,
                "currency": "USD",
                "payment_method": {"type": "card", "token": HIDDEN},
                "reference": AN_ATTEMPT.gateway_key,
            },
        ),
        NotedAnswer(
            201,
            {"content-type": "application/json"},
            bytes=412,
            body={"id": _GATEWAY_REF, "status": "succeeded", "amount": 1999},
        ),
    ),
)
ATTEMPTS = list_body([attempt_body(A_STORED_ATTEMPT, [AN_EXCHANGE])], None)

"""What a hook is shown at each point: plain data that cannot be changed, because it is sent to another process.

Amounts are in minor units, times carry their offset. No card number, security code or secret is in any of them, and a
payment's token only in the body that pre_validation sees. Who pays (`payer`) is personal data: it is shown at
pre_validation, validate_customer and fraud_check only, and must not come back in a reason or a problem. A mapping is the
hook's own copy: what it changes there nobody sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from aegis_worker.domain.modes import Mode


class CardFacts(Struct, frozen=True, omit_defaults=True):
    """What is known of a card of the vault. `fingerprint`: the same for the same number at the same merchant."""

    network: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str | None = None


class PaymentFacts(Struct, frozen=True, omit_defaults=True):
    """A payment as it was asked for. `method`: the type of its payment method.

    `id` and `created_at`: None before it is accepted. `card`: None unless it is paid by a card of the vault.
    """

    id: str | None
    merchant_id: str
    mode: Mode
    amount_minor: int
    currency: str
    method: str
    created_at: datetime | None = None
    card: CardFacts | None = None
    capture_method: str = "automatic"
    customer_id: str | None = None
    customer_country: str | None = None
    reference: str | None = None
    description: str | None = None
    statement_descriptor: str | None = None
    metadata: Mapping[str, Any] = {}
    order_lines: Sequence[Mapping[str, Any]] | None = None
    off_session: bool = False
    off_session_reason: str | None = None
    setup_future_usage: str | None = None
    scheduled_at: datetime | None = None


class RawBody(Struct, frozen=True, omit_defaults=True):
    """pre_validation: the body of a request to pay, as JSON. Whatever stood in it as a card is left out."""

    merchant_id: str
    mode: Mode
    body: Mapping[str, Any]


class Validating(Struct, frozen=True, omit_defaults=True):
    """post_validation and validate_payment: a payment whose fields are valid and which is not accepted yet."""

    payment: PaymentFacts


class Customer(Struct, frozen=True, omit_defaults=True):
    """validate_customer: who pays, by the names of the API's `customer` and `payer`. Personal data."""

    payment: PaymentFacts
    customer: Mapping[str, Any]
    payer: Mapping[str, Any] = {}


class Enriching(Struct, frozen=True, omit_defaults=True):
    """enrich: a payment before it is screened and routed."""

    payment: PaymentFacts


class FraudCheck(Struct, frozen=True, omit_defaults=True):
    """fraud_check: a payment before its first call to a gateway, with who pays where that is known. Personal data."""

    payment: PaymentFacts
    customer: Mapping[str, Any] = {}
    payer: Mapping[str, Any] = {}


class GatewayFacts(Struct, frozen=True, omit_defaults=True):
    """A gateway that may take the payment, as routing knows it. Latency in ms, None without data; `score` 0 to 1."""

    name: str
    score: float = 1.0
    breaker: str = "CLOSED"
    approved: int = 0
    judged: int = 0
    latency_mean_ms: float | None = None
    fee_fixed_minor: int | None = None
    fee_basis_points: int | None = None


class Routing(Struct, frozen=True, omit_defaults=True):
    """route: a payment and the gateways that may take it, in configured order. `facts`: what enrich hooks have added."""

    payment: PaymentFacts
    gateways: Sequence[GatewayFacts]
    facts: Mapping[str, Any] = {}


class BeforeOperation(Struct, frozen=True, omit_defaults=True):
    """before_operation: a call that is about to be made. `number`: which attempt of the payment it is, from 1."""

    payment: PaymentFacts
    operation: str
    gateway: str
    number: int
    amount_minor: int


class OperationError(Struct, frozen=True, omit_defaults=True):
    """on_error: a call that did not do what it was made for, and what is going to be done about it.

    `outcome`: declined; not_sent (nothing left us); unknown (money may have moved). `code`: the decline code, or the kind
    of what went wrong. `attempts`: how many the payment has had. `next`: what happens if no hook asks for something else.
    """

    payment: PaymentFacts
    operation: str
    gateway: str
    number: int
    outcome: Literal["declined", "not_sent", "unknown"]
    code: str
    attempts: int
    next: str


class OperationEnded(Struct, frozen=True, omit_defaults=True):
    """after_operation: an operation of a payment came to its end. It may come more than once: dedupe on `event_id`."""

    event_id: str
    operation: str
    payment_id: str
    merchant_id: str
    mode: Mode
    outcome: str
    amount_minor: int
    currency: str
    gateway: str | None
    code: str | None
    entity_id: str | None
    at: datetime


class EventFacts(Struct, frozen=True, omit_defaults=True):
    """listen: one event, as webhooks carry it. It may come more than once: dedupe on `id`. `type`: `payment.succeeded`."""

    id: str
    type: str
    created_at: datetime
    payment_id: str
    seq: int
    merchant_id: str
    mode: Mode
    data: Mapping[str, Any]


class Count(Struct, frozen=True, omit_defaults=True):
    """How many events of a kind there were, and the sum of their amounts."""

    type: str
    mode: Mode
    currency: str
    count: int
    amount_minor: int
    gateway: str | None = None
    code: str | None = None


class Numbers(Struct, frozen=True, omit_defaults=True):
    """metrics: what a batch of events came to. A batch may come twice: its numbers are for graphs, not for books."""

    counts: Sequence[Count]

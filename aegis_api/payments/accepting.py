"""Makes a payment command from a validated body and the request's headers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.money import Money
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.domain.text import same_name
from aegis_worker.domain.trails import NO_TRAIL, Trail
from aegis_worker.errors import MethodRefused
from aegis_worker.intake import ConfirmCommand, PaymentCommand, placed
from aegis_worker.routing.eligibility import Candidate
from aegis_worker.strict_json import request_hmac

from .vaulted import Method

# The scope of idempotency keys: it is the same for single payments and for the lines of a batch.
PAYMENTS_ROUTE = "POST /v1/payments"
CONFIRM_ROUTE = "POST /v1/payments/{id}/confirm"
_NOT_OF_THE_TERMS = frozenset({"amount", "currency", "payer"})
_CANONICAL: Mapping[str, Callable[[Any], str]] = {"reference": same_name, "scheduled_at": rfc3339}


def command_of(
    owner: Owner,
    route: str,
    key: str,
    body: Mapping[str, Any],
    *,
    secret: str,
    gateways: Collection[Candidate],
    method: Method | None = None,
    trail: Trail = NO_TRAIL,
) -> PaymentCommand:
    """The command for a body that PaymentRequestSchema has validated.

    The HMAC covers the body as sent, without defaults: if a later version changes a default, an old request must still
    match its repetition. Reference and time enter the HMAC in canonical form, so that the same one, spelt as another door
    spells it, is still the same request. `gateways`: those that are configured. `method`: how the card vault has it, where
    the payment is paid by a card of the vault. `trail`: of the request.
    """
    asked = {**body, **{name: spelt(body[name]) for name, spelt in _CANONICAL.items() if name in body}}
    refused = None
    if method is not None:
        asked, body = {**asked, "payment_method": method.asked}, {**body, "payment_method": method.stored}
        refused = method.refused
    terms = terms_of(body)
    try:
        terms = terms if refused else placed(terms, owner.mode, gateways)
    except MethodRefused as error:
        refused = error
    return PaymentCommand(
        owner=owner,
        route=route,
        idempotency_key=key,
        request_hmac=request_hmac(secret, route, asked),
        terms=terms,
        payer=Payer(body["payer"]) if body.get("payer") else None,
        refused=refused,
        trail=trail,
    )


def confirm_command(
    owner: Owner, payment_id: str, key: str, body: Mapping[str, Any], *, secret: str, trail: Trail = NO_TRAIL
) -> ConfirmCommand:
    """The command for a body that ConfirmRequestSchema has validated.

    Keys have one scope for all payments, so the HMAC covers the payment's id. The digest is of the data alone: the same
    data is the same confirm, whichever key it comes with.
    """
    data = body["gateway_data"]
    return ConfirmCommand(
        owner=owner,
        payment_id=payment_id,
        route=CONFIRM_ROUTE,
        idempotency_key=key,
        request_hmac=request_hmac(secret, CONFIRM_ROUTE, {"payment_id": payment_id, **body}),
        digest=request_hmac(secret, f"gateway_data {payment_id}", data),
        gateway_data=data,
        trail=trail,
    )


def terms_of(body: Mapping[str, Any]) -> PaymentTerms:
    """The terms in a body that PaymentRequestSchema has validated. Both use the same field names.

    The payer of a payment for later is not there when it is charged.
    """
    given = {name: value for name, value in body.items() if name not in _NOT_OF_THE_TERMS}
    if "scheduled_at" in given:
        given["off_session"] = True
    return PaymentTerms(Money(body["amount"], body["currency"]), **given)

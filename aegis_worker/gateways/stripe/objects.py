"""PaymentIntents and refunds as Stripe shows them in answers, look-ups and errors, and what identifies them. Pure.

Source: docs.stripe.com/api/payment_intents/object, docs.stripe.com/api/refunds/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.actions import NextAction, Redirect, Sdk
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.outcomes import Operation

from ..kit.identity import EVERYTHING, Carries, Declared, Shown
from ..kit.reading import (
    Unreadable,
    address,
    child,
    identifier,
    minor_units,
    moment_s,
    network_transaction_id,
    one_of,
)
from .amounts import AMOUNTS
from .errors import StripeError, error_in

# A refund does not say its mode. A cancelled intent carries the key of its creation, and that of its cancelling nowhere;
# its id says that it is the one.
_SHOWS = {
    **dict.fromkeys(Operation, replace(EVERYTHING, mode=True)),
    **dict.fromkeys((Operation.VOID, Operation.CLOSE), Carries(gateway_ref=True, currency=True, mode=True)),
    Operation.REFUND: EVERYTHING,
}
# A refusal that names no intent shows nothing that could be compared.
IDENTITY = Declared(answers=_SHOWS, look_ups=_SHOWS)
_STATUSES = frozenset(
    {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "canceled",
        "succeeded",
    }
)
_REFUND_STATUSES = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})


class Intent(Struct, frozen=True):
    """A PaymentIntent. Sums in ISO's minor units; `refunded_minor` and `capture_before` are None where the charge was
    not shown with it.

    `is_held`: its funds are held first, and captured later. `captures`: by the key of each capture that we ordered, its
    sum.
    """

    id: str
    status: str
    reference: str | None
    minor: int
    currency: str
    received_minor: int
    refunded_minor: int | None
    captures: Mapping[str, int]
    capture_before: datetime | None
    disputed: bool
    error: StripeError | None
    client_secret: str
    redirect_url: str
    cancelled_because: str
    mode: Mode
    is_held: bool
    network_transaction_id: str | None

    def shown_for(self, operation: Operation, reference: str) -> Shown:
        """What it shows of one operation on it. `reference`: that of a capture, as it stands in the metadata."""
        if operation is Operation.CAPTURE:
            minor = self.captures.get(reference)
            return Shown({reference} if minor is not None else (), self.id, minor, self.currency, self.mode)
        if operation in (Operation.VOID, Operation.CLOSE):
            return Shown((), self.id, None, self.currency, self.mode)
        references = {self.reference} if self.reference else set[str]()
        return Shown(references, self.id, self.minor, self.currency, self.mode)

    def action(self, publishable_key: str) -> NextAction:
        """What the payer has to do: by redirect, or else Stripe.js in the shop's page finds out with the secret."""
        if self.redirect_url:
            return Redirect(self.redirect_url)
        return Sdk("stripe", {"client_secret": self.client_secret, "publishable_key": publishable_key})


class Refund(Struct, frozen=True):
    """A refund of an intent, in ISO's minor units."""

    id: str
    status: str
    reference: str | None
    intent_id: str
    minor: int
    currency: str
    failure_reason: str

    def shown(self) -> Shown:
        """What an answer with this refund shows."""
        return Shown({self.reference} if self.reference else (), self.intent_id, self.minor, self.currency)


def read_intent(body: Mapping[str, Any]) -> Intent:
    """The intent in an answer. Raises Unreadable."""
    _check_object(body, "payment_intent")
    code, metadata = _currency(body), _texts(body, "metadata")
    status = one_of(body, "status", _STATUSES)
    charge = body.get("latest_charge")
    action = child(body, "next_action") if status == "requires_action" else {}
    return Intent(
        id=identifier(body, "id"),
        status=status,
        reference=metadata.get("reference"),
        minor=_amount(body, "amount", code),
        currency=code,
        received_minor=_amount(body, "amount_received", code),
        refunded_minor=_amount(charge, "amount_refunded", code) if isinstance(charge, dict) else None,
        captures={
            name: AMOUNTS.read(int(value), code)
            for name, value in metadata.items()
            if name not in ("reference", "merchant_payment_id") and value.isascii() and value.isdecimal()
        },
        capture_before=_capture_before(_card_of(charge)),
        disputed=isinstance(charge, dict) and charge.get("disputed") is True,
        error=error_in(child(body, "last_payment_error")) if body.get("last_payment_error") else None,
        client_secret=identifier(body, "client_secret") if body.get("client_secret") else "",
        redirect_url=address(child(action, "redirect_to_url"), "url")
        if action.get("type") == "redirect_to_url"
        else "",
        cancelled_because=identifier(body, "cancellation_reason") if body.get("cancellation_reason") else "",
        mode=read_mode(body),
        is_held=body.get("capture_method") == "manual",
        network_transaction_id=network_transaction_id(_card_of(charge), "network_transaction_id"),
    )


def _card_of(charge: Any) -> Mapping[str, Any]:
    """What a charge says of its card (docs.stripe.com/api/charges/object, `payment_method_details.card`); empty without."""
    details = charge.get("payment_method_details") if isinstance(charge, dict) else None
    card = details.get("card") if isinstance(details, dict) else None
    return card if isinstance(card, dict) else {}


def _capture_before(card: Mapping[str, Any]) -> datetime | None:
    """When the hold ends."""
    if card.get("capture_before") is None:
        return None
    return datetime.fromtimestamp(moment_s(card, "capture_before"), UTC)


def read_refund(body: Mapping[str, Any]) -> Refund:
    """The refund in an answer. Raises Unreadable."""
    _check_object(body, "refund")
    code = _currency(body)
    return Refund(
        id=identifier(body, "id"),
        status=one_of(body, "status", _REFUND_STATUSES),
        reference=_texts(body, "metadata").get("reference"),
        intent_id=identifier(body, "payment_intent"),
        minor=_amount(body, "amount", code),
        currency=code,
        failure_reason=identifier(body, "failure_reason") if body.get("failure_reason") else "",
    )


def _check_object(body: Mapping[str, Any], kind: str) -> None:
    if body.get("object") != kind:
        raise Unreadable(f"no {kind}")


def _currency(body: Mapping[str, Any]) -> str:
    value = body.get("currency")
    if type(value) is not str or value != value.lower() or value.upper() not in EXPONENTS:
        raise Unreadable("currency is no currency")
    return value.upper()


def _amount(body: Mapping[str, Any], name: str, code: str) -> int:
    return AMOUNTS.read(minor_units(body, name), code)


def _texts(body: Mapping[str, Any], name: str) -> dict[str, str]:
    value = child(body, name)
    if any(type(text) is not str or len(text) > 500 for text in value.values()):
        raise Unreadable(f"{name} holds what is no text")
    return value


def read_mode(body: Mapping[str, Any]) -> Mode:
    """What an object or an event says of itself. Raises Unreadable."""
    value = body.get("livemode")
    if type(value) is not bool:
        raise Unreadable("livemode is neither true nor false")
    return "live" if value else "test"

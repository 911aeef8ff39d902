"""The calls to Stripe. Pure: each function returns a call as a value.

A charge takes two: an intent is created, which moves nothing, and then confirmed by its id, so that a look-up by id settles
every doubt about the money. Source: docs.stripe.com/api/payment_intents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.cards import Card, is_vaulted
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.terms import PaymentTerms

from ..kit.flows import HttpCall
from ..requests import GatewayRequest, StatusQuery
from .amounts import AMOUNTS
from .forms import form

# The one that the adapter was written and tested for, by the parameters of Stripe's SDK 16: docs.stripe.com/api/versioning.
API_VERSION = "2026-10-28.endive"
_CARD = "card"
_ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")
# Of what the shop's page collected: docs.stripe.com/payments/finalize-payments-on-the-server.
_CONFIRMATION_TOKEN = "ctoken_"


def headers_for(api_key: str, account: str | None) -> dict[str, str]:
    """The head of every call. `account`: the connected account that it acts for; None for the key's own."""
    headers = {
        "Authorization": f"Bearer {api_key}",
        "Stripe-Version": API_VERSION,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return headers | ({"Stripe-Account": account} if account else {})


def call_for(
    request: GatewayRequest, headers: Mapping[str, str], card: Card | None = None, *, multicapture: bool
) -> HttpCall:
    """The call of an operation, under its idempotency key. `card`: that of the vault which it carries, where it does.

    Raises AmountNotTaken.
    """
    path, fields = _WRITTEN[request.operation](request, multicapture)
    if card is not None:
        fields["payment_method_data"] = _by_number(card)
    return HttpCall(
        "POST", f"/v1/{path}", {**headers, "Idempotency-Key": request.idempotency_key}, form(fields)
    )


def look_up_intent(query: StatusQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that shows an intent with its newest charge."""
    path = f"/v1/payment_intents/{_quoted(query.gateway_ref)}?expand[]=latest_charge"
    return HttpCall("GET", path, headers, only_reads=True)


def look_up_refund(query: StatusQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that shows a refund by its own id, or, where we were never told it, those of the intent."""
    if query.own_ref is not None:
        return HttpCall("GET", f"/v1/refunds/{_quoted(query.own_ref)}", headers, only_reads=True)
    return list_refunds(query.gateway_ref, None, headers)


def list_refunds(intent_id: str | None, after: str | None, headers: Mapping[str, str]) -> HttpCall:
    """The call that lists the refunds of an intent, newest first, from the one after `after` on."""
    start = "" if after is None else f"&starting_after={_quoted(after)}"
    path = f"/v1/refunds?payment_intent={_quoted(intent_id)}&limit=100{start}"
    return HttpCall("GET", path, headers, only_reads=True)


def probe_call(headers: Mapping[str, str]) -> HttpCall:
    """A call that moves nothing, with a right that the key needs anyway."""
    return HttpCall("GET", "/v1/refunds?limit=1", headers, only_reads=True)


def _create(request: GatewayRequest, multicapture: bool) -> tuple[str, dict[str, Any]]:
    terms = request.terms
    options = {"card": {"request_multicapture": "if_available"}}
    fields = {
        "amount": AMOUNTS.written(terms.amount),
        "currency": terms.amount.currency.lower(),
        "capture_method": terms.capture_method,
        "allowed_payment_method_types": [_CARD],
        **_instrument(terms.payment_method),
        "payment_method_options": options if multicapture and not request.capture else None,
        "description": terms.description,
        "shipping": _shipping(request),
        "setup_future_usage": terms.setup_future_usage,
        "statement_descriptor_suffix": terms.statement_descriptor,
        "metadata": {"reference": request.idempotency_key, "merchant_payment_id": request.payment_id},
    }
    return "payment_intents", fields


def _instrument(given: Mapping[str, Any]) -> dict[str, Any]:
    """A payment method's id, or a token's; `cus_…/pm_…` is a payment method that is saved with that customer.

    A confirmation token comes with the confirmation, and so does a card of the vault: only there it is needed.
    """
    if is_vaulted(given):
        return {}
    customer, slash, method = given.get("token", "").rpartition("/")
    if method.startswith(_CONFIRMATION_TOKEN):
        return {"customer": customer if slash else None}
    if method.startswith("tok_"):
        return {"payment_method_data": {"type": _CARD, "card": {"token": method}}}
    return {"payment_method": method, "customer": customer if slash else None}


def _by_number(card: Card) -> dict[str, Any]:
    """A card as Stripe takes it from accounts that it lets send card numbers: docs.stripe.com/security/guide, "raw card
    data", and docs.stripe.com/api/payment_intents/confirm, `payment_method_data`.
    """
    return {
        "type": _CARD,
        _CARD: {
            "number": card.number,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "cvc": card.cvc,
        },
        "billing_details": {"name": card.holder},
    }


def _shipping(request: GatewayRequest) -> dict[str, Any] | None:
    """Where the goods go. Stripe wants a name with the address."""
    place = request.payer.details.get("shipping_address") if request.payer is not None else None
    if not place or not place.get("name"):
        return None
    return {"name": place["name"], "address": {name: place.get(name) for name in _ADDRESS}}


def _confirm(request: GatewayRequest, multicapture: bool) -> tuple[str, dict[str, Any]]:
    """With a return URL, 3-D Secure is done by redirect; without one, by Stripe.js in the shop's page.

    A payer who is not there can do neither: Stripe declines where the issuer wants it.
    """
    return_url = request.terms.return_url
    given = request.terms.payment_method
    method = "" if is_vaulted(given) else given.get("token", "").rpartition("/")[2]
    fields = {
        # Only the charge says until when funds are held, and by what later payments may refer to it.
        "expand": ["latest_charge"] if not request.capture or _is_referred_to(request.terms) else None,
        "confirmation_token": method if method.startswith(_CONFIRMATION_TOKEN) else None,
        "mandate": request.terms.mandate,
        "off_session": request.terms.off_session or None,
        "payment_method_options": _on_the_card(request),
        "return_url": return_url or None,
        "use_stripe_sdk": None if return_url or request.terms.off_session else True,
    }
    return f"payment_intents/{_quoted(request.gateway_ref)}/confirm", fields


def _on_the_card(request: GatewayRequest) -> dict[str, Any] | None:
    """How the card is to be charged. `any` has the payer authenticated whatever Stripe's own rules say, and the issuer may
    do so without asking the payer: docs.stripe.com/payments/3d-secure/authentication-flow, "manual three DS".
    """
    options = _agreed(request.terms) | ({"request_three_d_secure": "any"} if request.three_ds else {})
    return {_CARD: options} if options else None


def _agreed(terms: PaymentTerms) -> dict[str, Any]:
    """Of a card by number, which Stripe does not keep: the payment at which its holder agreed, through whichever gateway.

    Stripe's reference leaves `mit_exemption` out. Source: github.com/activemerchant/active_merchant, `add_ntid` of
    lib/active_merchant/billing/gateways/stripe_payment_intents.rb.
    """
    if terms.network_transaction_id is None or not is_vaulted(terms.payment_method):
        return {}
    return {"mit_exemption": {"network_transaction_id": terms.network_transaction_id}}


def _is_referred_to(terms: PaymentTerms) -> bool:
    """Whether the card is kept, or was."""
    return bool(terms.setup_future_usage or terms.off_session)


def _capture(request: GatewayRequest, multicapture: bool) -> tuple[str, dict[str, Any]]:
    """The capture's key goes into the intent's metadata, by which a look-up can tell it from another capture."""
    units = AMOUNTS.written(request.amount)
    fields = {
        "amount_to_capture": units,
        "final_capture": request.final if multicapture else None,
        "metadata": {request.idempotency_key: units},
    }
    return f"payment_intents/{_quoted(request.gateway_ref)}/capture", fields


def _cancel(request: GatewayRequest, multicapture: bool) -> tuple[str, dict[str, Any]]:
    return f"payment_intents/{_quoted(request.gateway_ref)}/cancel", {}


def _refund(request: GatewayRequest, multicapture: bool) -> tuple[str, dict[str, Any]]:
    fields = {
        "payment_intent": request.gateway_ref,
        "amount": AMOUNTS.written(request.amount),
        "metadata": {"reference": request.idempotency_key, "merchant_payment_id": request.payment_id},
    }
    return "refunds", fields


def _quoted(gateway_ref: str | None) -> str:
    return quote(gateway_ref or "", safe="")


_WRITTEN = {
    Operation.INITIATE: _create,
    Operation.PROCESS: _confirm,
    Operation.CAPTURE: _capture,
    Operation.VOID: _cancel,
    Operation.REFUND: _refund,
    Operation.CLOSE: _cancel,
}

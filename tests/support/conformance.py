"""What the conformance suite drives each adapter that ships with: its emulator, its cards, its own reasons to skip."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from Adyen.util import generate_notification_sig
from braintree.util.crypto import Crypto

from aegis_worker.domain.cards import Card
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.braintree.adapter import BraintreeAdapter
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.gateways.razorpay.adapter import RazorpayAdapter
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.lab.conformance.emulator import request_to
from aegis_worker.lab.conformance.numbered import NumberedCard
from aegis_worker.lab.conformance.subject import Body, Signed, Subject
from support.adyen_process import ADYEN_ACCOUNT, ADYEN_KEY, library_finds, post_json, running_adyen
from support.braintree_process import (
    BRAINTREE_MERCHANT,
    BRAINTREE_PRIVATE,
    BRAINTREE_PUBLIC,
    running_braintree,
    simulated,
)
from support.braintree_process import sdk as braintree_sdk
from support.paypal_process import (
    PAYPAL_ACCOUNT,
    PAYPAL_CLIENT,
    PAYPAL_SECRET,
    PayPalClient,
    running_paypal,
)
from support.razorpay_process import (
    RAZORPAY_ACCOUNT,
    RAZORPAY_KEY_ID,
    RAZORPAY_SECRET,
    RazorpayClient,
    payer_pays,
    running_razorpay,
)
from support.sandbox_process import API_KEY, Sandbox, running_sandbox
from support.stripe_process import STRIPE_KEY, running_stripe, sdk


def _challenge_passed(emulator: Sandbox, data: Mapping[str, Any]) -> Body:
    shown: dict[str, Body] = emulator.call("GET", f"/challenge?client_secret={data['client_secret']}").json
    return shown["passed"]


def _refund_at_stripe(emulator: Sandbox, ref: str, minor: int) -> None:
    sdk(emulator.url).v1.refunds.create({"payment_intent": ref, "amount": minor})


def _changed(body: Body, **fields: Any) -> Body:
    """A payment of the sandbox, with the same changes on the operations that it shows."""
    operations = [{**done, **fields} for done in body["operations"]]
    return {**body, **fields, "operations": operations}


def _saved_at_stripe(emulator: Sandbox) -> str:
    client = sdk(emulator.url).v1
    customer = client.customers.create({"email": "asha@example.com"}).id
    return f"{customer}/{client.payment_methods.attach('pm_card_visa', {'customer': customer}).id}"


def _refund_at_adyen(emulator: Sandbox, ref: str, minor: int) -> None:
    amount = {"value": minor, "currency": "USD"}
    body = {"merchantAccount": ADYEN_ACCOUNT, "reference": "by hand", "amount": amount}
    assert post_json(emulator, f"/payments/{ref}/refunds", body).status == 201


def _signed_by_adyen(emulator: Sandbox, body: bytes, at_s: int, secrets: Sequence[str]) -> Signed:
    """Under the first secret: there is one signature in an item, and no time."""
    notification = json.loads(_without_signature(body))
    for wrapped in notification["notificationItems"]:
        item = wrapped["NotificationRequestItem"]
        signature = generate_notification_sig(item, secrets[0]).decode()
        item["additionalData"] = {"hmacSignature": signature}
    return {}, json.dumps(notification).encode()


def _without_signature(body: bytes) -> bytes:
    notification = json.loads(body)
    for wrapped in notification["notificationItems"]:
        wrapped["NotificationRequestItem"].pop("additionalData", None)
    return json.dumps(notification).encode()


def _other_at_adyen(body: Body) -> Body:
    others = {"merchantReference": "another", "reference": "another", "paymentPspReference": "ANOTHERPSP"}
    return {**body, **{name: value for name, value in others.items() if name in body}}


def _refund_at_paypal(emulator: Sandbox, ref: str, minor: int) -> None:
    client = PayPalClient(emulator.url)
    (unit,) = client.get(f"/v2/checkout/orders/{ref}").json["purchase_units"]
    amount = {"currency_code": "USD", "value": f"{minor / 100:.2f}"}
    capture_id = unit["payments"]["captures"][0]["id"]
    assert client.post(f"/v2/payments/captures/{capture_id}/refund", {"amount": amount}).status == 201


def _signed_by_paypal(emulator: Sandbox, body: bytes, at_s: int, secrets: Sequence[str]) -> Signed:
    """For the first webhook id: a transmission is for one."""
    netloc, query = urlsplit(emulator.url).netloc, f"webhook_id={quote(secrets[0])}&at={at_s}"
    signed = request_to(netloc, "POST", f"/_sandbox/webhook-signatures?{query}", body, {})
    return signed.json, body


def _trusting_the_emulator(emulator: Sandbox) -> dict[str, Any]:
    root = Path(tempfile.gettempdir()) / f"paypal-root-{urlsplit(emulator.url).port}.pem"
    root.write_bytes(emulator.call("GET", "/_sandbox/webhook-root").body)
    return {"ca_bundle": root}


def _with_unit(body: Body, unit: Mapping[str, Any], **fields: Any) -> Body:
    """An order with the changes on its purchase unit, or what was made of one with the same changes."""
    if "purchase_units" not in body:
        return {**body, **unit}
    return {**body, **fields, "purchase_units": [{**body["purchase_units"][0], **unit}]}


def _other_money_at_paypal(body: Any) -> Any:
    """The answer with other amounts wherever it has some."""
    if isinstance(body, list):
        return [_other_money_at_paypal(one) for one in body]
    if not isinstance(body, dict):
        return body
    if "currency_code" in body:
        return {**body, "value": "77.77"}
    return {name: _other_money_at_paypal(inner) for name, inner in body.items()}


def _paid_at_razorpay(emulator: Sandbox, data: Mapping[str, Any], token: str) -> Body:
    """What Checkout gives the shop's page. While a bank decides it gives nothing."""
    said: Body = payer_pays(emulator.url, data["order_id"], token).json
    return said if "razorpay_signature" in said or "error" in said else {}


def _refund_at_razorpay(emulator: Sandbox, ref: str, minor: int) -> None:
    client = RazorpayClient(emulator.url)
    (payment,) = client.get(f"/v1/orders/{ref}/payments").json["items"]
    assert client.post(f"/v1/payments/{payment['id']}/refund", {"amount": minor}).status == 200


def _each_at_razorpay(body: Body, change: Callable[[Body], Body]) -> Body:
    """The answer with the change on each object that it shows."""
    return {**body, "items": [change(one) for one in body["items"]]} if "items" in body else change(body)


def _other_at_razorpay(body: Body) -> Body:
    others = {"receipt": "another", "order_id": "order_other"}
    changed = {name: value for name, value in others.items() if name in body}
    return {**body, **changed, **({"id": "order_other"} if body.get("entity") == "order" else {})}


def _signed_by_razorpay(emulator: Sandbox, body: bytes, at_s: int, secrets: Sequence[str]) -> Signed:
    """Under the first secret: there is one signature, and no time."""
    made = hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest()
    return {"X-Razorpay-Signature": made, "X-Razorpay-Event-Id": "evt_by_hand"}, body


def _settled_at_braintree(emulator: Sandbox, ref: str) -> None:
    simulated(braintree_sdk(emulator.url)).settle_transaction(ref)


def _refund_at_braintree(emulator: Sandbox, ref: str, minor: int) -> None:
    _settled_at_braintree(emulator, ref)
    assert braintree_sdk(emulator.url).transaction.refund(ref, f"{minor / 100:.2f}").is_success


def notification(body: bytes) -> bytes:
    """The XML that a notification of Braintree's holds."""
    fields = dict(parse_qsl(body.decode()))
    return base64.b64decode(fields.get("bt_payload", ""))


def _notification_form(xml: bytes, *secrets: str) -> bytes:
    """A notification with a signature under each of these private keys."""
    payload = base64.encodebytes(xml)
    pairs = [f"{BRAINTREE_PUBLIC}|{Crypto.sha1_hmac_hash(secret, payload)}" for secret in secrets]
    return urlencode({"bt_signature": "&".join(pairs), "bt_payload": payload}).encode()


def _signed_by_braintree(emulator: Sandbox, body: bytes, at_s: int, secrets: Sequence[str]) -> Signed:
    at = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    told = re.sub(rb"(<timestamp[^>]*>)[^<]*", rb"\g<1>" + at, notification(body))
    return {}, _notification_form(told, *secrets)


SANDBOX = Subject(
    name="sandbox",
    adapter=SandboxAdapter,
    api_key=API_KEY,
    emulator=running_sandbox,
    signature_header="Sandbox-Signature",
    other_payment=lambda body: _changed(body, id="spay_other", reference="another"),
    other_money=lambda body: _changed(body, amount=body["amount"] + 1),
    page_token="tok_sdk",
    brought_back=_challenge_passed,
    skips={
        "three_d_secure_without_the_payer": "waits for a payer who is not there",
    },
)
STRIPE = Subject(
    name="stripe",
    adapter=StripeAdapter,
    api_key=STRIPE_KEY,
    emulator=running_stripe,
    signature_header="Stripe-Signature",
    other_payment=lambda body: {**body, "id": "pi_other", "metadata": {"reference": "another"}},
    other_money=lambda body: {**body, "amount": body["amount"] + 1},
    refund_by_hand=_refund_at_stripe,
    page_token="tok_3ds_1",
    pending_refund="pm_card_pendingRefund",
    late_refund="pm_card_refundFail",
    page_made="ctoken_visa",
    saved_card=_saved_at_stripe,
    skips={
        "what_the_payer_brought_back": "is asked for the intent: its payers bring nothing back",
        "a_confirm_with_nonsense": "is asked for the intent: its payers bring nothing back",
    },
    cards={
        "insufficient_funds": NumberedCard(Card("4000000000009995", 3, 2040, "737")),
        "three_d_secure": NumberedCard(Card("4000000000003220", 3, 2040, "737")),
    },
    for_others={"connected": True},
    options={"multicapture": True, "publishable_key": "pk_test_shop", "absence_window_s": 0},
)
_INERT = "moves nothing before what the payer brought back is handed over: there is no door to close"
ADYEN = Subject(
    name="adyen",
    adapter=AdyenAdapter,
    api_key=ADYEN_KEY,
    emulator=running_adyen,
    other_payment=_other_at_adyen,
    other_money=lambda body: {**body, "amount": {**body["amount"], "value": body["amount"]["value"] + 1}},
    refund_by_hand=_refund_at_adyen,
    page_token="tok_3ds_120",
    brought_back=lambda emulator, data: library_finds(emulator, data["token"])["passed"],
    saved_card=lambda emulator: "shopper_7/tok_visa",
    page_secret="token",
    pending_refund="tok_visa",
    late_refund="tok_refund_failed",
    charged="payment.authorized",
    account=ADYEN_ACCOUNT,
    secret=lambda name: hashlib.sha256(name.encode()).hexdigest(),
    signed=_signed_by_adyen,
    unsigned=_without_signature,
    of_unknown_kind=lambda body: body.replace(b"AUTHORISATION", b"WEATHER.CHANGED"),
    skips={
        "three_d_secure_abandoned_and_the_door_closed": _INERT,
        "a_payer_who_comes_after_the_door_was_closed": _INERT,
        "a_late_success_while_the_door_is_closed": _INERT,
        "a_charge_after_the_door_was_closed": "charges in one call",
        "a_hold_says_when_it_ends": "says in no answer how long it holds",
        "several_captures": "releases the rest with a capture, unless the account has several",
        "a_refund_that_is_pending": "takes every refund in and decides later",
        "another_accounts_payment": "is asked about nothing; an event of another account is foreign",
        "an_id_that_nobody_has": "is asked about nothing by an id",
        "an_old_event": "signs no time",
        "a_warning": "does not tell how a request for information ends",
    },
    cards={
        "insufficient_funds": NumberedCard(Card("5555555555554444", 3, 2040, "737", "NOT_ENOUGH_BALANCE")),
        "three_d_secure": NumberedCard(Card("4917610000000000", 3, 2040, "737")),
    },
    options={"return_url": "https://shop.test/back"},
)
_INERT_ORDER = "can't cancel an order, and approving one moves nothing: there is no door to close"
PAYPAL = Subject(
    name="paypal",
    adapter=PayPalAdapter,
    api_key=PAYPAL_SECRET,
    emulator=running_paypal,
    other_payment=lambda body: _with_unit(body, {"invoice_id": "another"}, id="ANOTHER"),
    other_money=_other_money_at_paypal,
    refund_by_hand=_refund_at_paypal,
    saved_card=lambda emulator: "tok_visa",
    account=PAYPAL_ACCOUNT,
    signed=_signed_by_paypal,
    of_unknown_kind=lambda body: re.sub(rb'"event_type": ?"[^"]*"', b'"event_type":"WEATHER.CHANGED"', body),
    vouched=_trusting_the_emulator,
    words={
        "stolen_card": "lost_card",
        "authentication_failed": "authentication_expired",
        "issuer_unavailable": "try_again_later",
    },
    shows_disputes=False,
    told_of=lambda paid: paid.request.payment_id,
    skips={
        "three_d_secure_in_the_shops_page": "authenticates cards on its own page",
        "what_the_payer_brought_back": "is asked for the order: its payers bring nothing back",
        "a_confirm_with_nonsense": "is asked for the order: its payers bring nothing back",
        "three_d_secure_abandoned_and_the_door_closed": _INERT_ORDER,
        "a_payer_who_comes_after_the_door_was_closed": _INERT_ORDER,
        "a_late_success_while_the_door_is_closed": _INERT_ORDER,
        "a_charge_after_the_door_was_closed": _INERT_ORDER,
    },
    options={"client_id": PAYPAL_CLIENT, "return_url": "https://shop.test/back", "absence_window_s": 0},
)
_IN_CHECKOUT = "is paid in Checkout"
_MAY_TRY_AGAIN = "lets a payer whose payment failed try again, until the shop says that they gave up"
RAZORPAY = Subject(
    name="razorpay",
    adapter=RazorpayAdapter,
    api_key=RAZORPAY_SECRET,
    emulator=running_razorpay,
    other_payment=lambda body: _each_at_razorpay(body, _other_at_razorpay),
    other_money=lambda body: _each_at_razorpay(body, lambda one: {**one, "amount": one["amount"] + 1}),
    refund_by_hand=_refund_at_razorpay,
    page_token="tok_3ds_120",
    page_secret="order_id",
    brought_back=lambda emulator, data: _paid_at_razorpay(emulator, data, "tok_ok"),
    paid_there=_paid_at_razorpay,
    account=RAZORPAY_ACCOUNT,
    signed=_signed_by_razorpay,
    of_unknown_kind=lambda body: re.sub(rb'"event": ?"[^"]*"', b'"event":"weather.changed"', body, count=1),
    words={"stolen_card": "restricted_card"},
    shows_disputes=False,
    skips={
        "three_d_secure_by_redirect": _IN_CHECKOUT,
        "a_charge_after_three_d_secure_that_we_demanded": _IN_CHECKOUT,
        "three_d_secure_failed": _MAY_TRY_AGAIN,
        "a_decline_is_found_by_a_look_up": _MAY_TRY_AGAIN,
        "pending_then_success": "goes on waiting for its payer while a bank decides",
        "pending_then_failure": _MAY_TRY_AGAIN,
        "a_500_that_may_be_stored": "keeps no answer of a charge under a key",
        "too_many_calls": "keeps a payer who has paid: the capture that it did not take is in doubt",
        "an_unknown_token": _IN_CHECKOUT,
        "a_hold_says_when_it_ends": "ends a hold three days after its payment, whatever the emulator is told",
        "a_dispute_that_was_accepted": "calls it lost",
        "another_accounts_payment": "has keys of one account; an event of another is foreign",
        "an_old_event": "signs no time",
    },
    options={"key_id": RAZORPAY_KEY_ID, "absence_window_s": 0},
)
_IN_THE_BROWSER = "does 3-D Secure in the browser, before anything is posted"
BRAINTREE = Subject(
    name="braintree",
    adapter=BraintreeAdapter,
    api_key=BRAINTREE_PRIVATE,
    emulator=running_braintree,
    other_payment=lambda body: re.sub("<(order-id|id)>[^<]*", r"<\1>another", body),
    other_money=lambda body: re.sub("<amount>[^<]*", "<amount>77.77", body),
    read=bytes.decode,
    write=str.encode,
    settle=_settled_at_braintree,
    refund_by_hand=_refund_at_braintree,
    saved_card=lambda emulator: "shopper_7/tok_visa",
    charged="payment.settled",
    account=BRAINTREE_MERCHANT,
    signed=_signed_by_braintree,
    unsigned=lambda body: _notification_form(notification(body)),
    of_unknown_kind=lambda body: _notification_form(
        re.sub(b"<kind>[^<]*", b"<kind>weather.changed", notification(body))
    ),
    tampered=lambda body: body.replace(b"%7C", b"%7C0", 1),
    opened=notification,
    words={"issuer_unavailable": "generic_decline", "authentication_failed": "authentication_required"},
    skips={
        "a_500_that_may_be_stored": "keeps no 500: the same call again is told that its nonce was used",
        **dict.fromkeys(
            (
                "three_d_secure_by_redirect",
                "three_d_secure_failed",
                "three_d_secure_without_the_payer",
            ),
            _IN_THE_BROWSER,
        ),
        "an_old_event": "delivers for a day",
    },
    # Braintree's test cards are declined by the sum.
    cards={"insufficient_funds": NumberedCard(Card("4111111111111111", 3, 2040, "737"), 200_100)},
    options={
        "public_key": BRAINTREE_PUBLIC,
        "merchant_accounts": {"USD": "emulated_usd"},
        "absence_window_s": 0,
    },
)
SUBJECTS = {subject.name: subject for subject in (SANDBOX, STRIPE, ADYEN, PAYPAL, BRAINTREE, RAZORPAY)}

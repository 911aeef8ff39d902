"""What the conformance suite drives each adapter with: the gateway's emulator, its cards, its own reasons to skip."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from Adyen.util import generate_notification_sig
from msgspec.structs import replace

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Noted
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, gateway_key, parse_gateway_key
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Approved,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.base import Adapter, GatewayEvent
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, Recall
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from support.adyen_process import (
    ADYEN_ACCOUNT,
    ADYEN_KEY,
    library_finds,
    post_json,
    running_adyen,
)
from support.gateway_calls import sent
from support.merchant_server import Sink
from support.payers import request_to
from support.paypal_process import (
    PAYPAL_ACCOUNT,
    PAYPAL_CLIENT,
    PAYPAL_SECRET,
    PayPalClient,
    running_paypal,
)
from support.sandbox_process import API_KEY, Sandbox, eventually, running_sandbox
from support.stripe_process import STRIPE_KEY, running_stripe, sdk

WEBHOOK_SECRET = "whsec_conformance"
# No scenario but one waits for it, and a busy machine may take seconds to answer.
TIMEOUT_S = 20.0
_TELLS_WITHIN_S = 3.0
Body = dict[str, Any]
Signed = tuple[Mapping[str, str], bytes]


@dataclass(frozen=True)
class Subject:
    """One gateway. `skips`: by scenario, the gateway's own reason why it has no such thing.

    `other_payment` and `other_money` change the body of an answer so that it is about something else than what was asked.
    `pending_refund` and `late_refund`: of cards whose refunds are pending, or fail after they had succeeded.
    `page_token`: of a card that wants 3-D Secure in the shop's page, and `page_secret` what its action holds for the
    library there. `brought_back`: what the payer brings from there, by the action's data. `saved_card`: saves a card with a
    customer, and gives the token that stands for both. `charged`: what an event says of a charge. `secret`: a webhook
    secret by its name. `signed`: headers and body of a webhook that was made at a time, under several secrets; `unsigned`:
    its body without a signature; `of_unknown_kind`: its body, of another event. `for_others`: options of a table that acts
    for another account. `vouched`: settings that say who vouches for its webhooks. `words`: by our code of a decline, the
    one that its word for it becomes. `shows_disputes`: whether a charge shows that it is disputed. `told_of`: what each
    event about a charge names.
    """

    name: str
    adapter: Callable[[GatewayConfig], Adapter]
    api_key: str
    emulator: Callable[..., AbstractContextManager[Sandbox]]
    signature_header: str
    other_payment: Callable[[Body], Body]
    other_money: Callable[[Body], Body]
    refund_by_hand: Callable[[Sandbox, str, int], None]
    page_token: str
    pending_refund: str
    late_refund: str
    brought_back: Callable[[Sandbox, Mapping[str, Any]], Body] = lambda emulator, data: {}
    saved_card: Callable[[Sandbox], str] = lambda emulator: ""
    page_secret: str = "client_secret"
    charged: str = "payment.succeeded"
    account: str | None = None
    secret: Callable[[str], str] = lambda name: name
    signed: Callable[[Sandbox, bytes, int, Sequence[str]], Signed] | None = None
    unsigned: Callable[[bytes], bytes] = lambda body: body
    of_unknown_kind: Callable[[bytes], bytes] = lambda body: body.replace(
        b'"type": "payment', b'"type": "weather.changed.payment', 1
    )
    options: Mapping[str, Any] = field(default_factory=dict)
    for_others: Mapping[str, Any] = field(default_factory=dict)
    vouched: Callable[[Sandbox], Mapping[str, Any]] = lambda emulator: {}
    words: Mapping[str, str] = field(default_factory=dict)
    shows_disputes: bool = True
    told_of: Callable[[Paid], str] = lambda paid: paid.charge
    skips: Mapping[str, str] = field(default_factory=dict)

    def config(self, base_url: str, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        given: dict[str, Any] = {
            "name": self.name,
            "adapter": self.name,
            "base_url": base_url,
            "api_key": self.api_key,
            "account": self.account,
            "webhook_secrets": (self.secret(WEBHOOK_SECRET),),
            "timeout_s": TIMEOUT_S,
            "options": self.options,
        }
        return GatewayConfig(**given | changes)

    @contextmanager
    def running(self, folder: Path, shop: Sink) -> Iterator[Sandbox]:
        """Its emulator, which sends its webhooks to `shop`."""
        flags = ("--webhook-url", shop.url(f"/{self.name}"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        env = {"SANDBOX_WEBHOOK_SECRET": self.secret(WEBHOOK_SECRET)}
        with self.emulator(folder, *flags, env=env) as emulator:
            yield emulator


@dataclass(frozen=True)
class Paid:
    """A charge: its last call, what came of it, and what the gateway called it."""

    request: GatewayRequest
    outcome: Outcome
    ref: str | None

    @property
    def charge(self) -> str:
        """The gateway's id of the charge."""
        assert self.ref is not None, self.outcome
        return self.ref


class Till:
    """Charges at one gateway, over the engine, as the product would."""

    def __init__(self, subject: Subject, emulator: Sandbox, shop: Sink, **config: Any) -> None:
        self.subject, self.emulator, self.shop = subject, emulator, shop
        self.adapter = subject.adapter(self.config(**config))
        self.gateway = LoadedGateway(self.adapter, read_told=self._read_told)
        self.noted: list[Noted] = []

    def config(self, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        return self.subject.config(self.emulator.url, **self.subject.vouched(self.emulator), **changes)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """What a webhook says that comes now. Raises InvalidWebhook."""
        return verified(self.gateway, headers, body)

    def waiting_at_most(self, timeout_s: float) -> Till:
        """The same till, which waits less for each answer."""
        return Till(self.subject, self.emulator, self.shop, timeout_s=timeout_s)

    @property
    def can_be_asked(self) -> bool:
        """Whether the gateway has look-ups. What one without has told by itself is read in their place."""
        return bool(self.gateway.capabilities.look_ups)

    def _read_told(self, recall: Recall) -> list[Told]:
        """What has arrived of the payment, or of the dispute."""
        arrived = [
            event
            for one in self.shop.at(f"/{self.subject.name}")
            for event in self.heard(one.headers, one.body)
        ]
        if recall.dispute_ref is not None:
            found = [event for event in arrived if event.dispute_ref == recall.dispute_ref]
        else:
            ours = parse_gateway_key(recall.reference or "")
            places = [parse_gateway_key(event.reference or "") for event in arrived]
            refs = {
                event.gateway_ref
                for event, place in zip(arrived, places, strict=True)
                if place is not None and ours is not None and place[0] == ours[0]
            }
            found = [event for event in arrived if event.gateway_ref in refs]
        return [
            Told(event.event_id, event.kind, event.reference, event.gateway_ref, event.amount)
            for event in found
        ]

    def pay(
        self,
        token: str = "tok_ok",
        *,
        minor: int = 1999,
        hold: bool = False,
        return_url: str | None = None,
        off_session: bool | None = None,
    ) -> Paid:
        """All steps of a charge, until one does not simply succeed."""
        method = "manual" if hold else "automatic"
        card = {"type": "card", "token": token}
        terms = PaymentTerms(
            Money(minor, "USD"),
            card,
            method,  # type: ignore[arg-type]
            return_url=return_url,
            off_session=off_session,
        )
        return self.go_on(f"pay_{uuid.uuid4().hex}", terms)

    def go_on(
        self, payment_id: str, terms: PaymentTerms, ref: str | None = None, *, payer: Payer | None = None
    ) -> Paid:
        """The steps of a charge from the first."""
        for operation in self.gateway.capabilities.steps:
            key = gateway_key(payment_id, operation, 1)
            request = GatewayRequest(operation, payment_id, key, terms, ref, payer=payer)
            outcome = sent(self.gateway, request, self.noted.append)
            ref = getattr(outcome, "gateway_ref", None) or ref
            if not isinstance(outcome, Approved):
                break
        return Paid(request, outcome, ref)

    def payer_passes(self, url: str) -> None:
        """What the payer does on the page of 3-D Secure."""
        self.emulator.call("POST", f"{urlsplit(url).path}/pass")

    def begin(self) -> Paid:
        """A payment at the gateway that was not charged yet."""
        terms = PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"}, "automatic")
        payment_id = f"pay_{uuid.uuid4().hex}"
        key = gateway_key(payment_id, Operation.INITIATE, 1)
        request = GatewayRequest(Operation.INITIATE, payment_id, key, terms)
        outcome = sent(self.gateway, request)
        return Paid(request, outcome, getattr(outcome, "gateway_ref", None))

    def charge(self, begun: Paid) -> Paid:
        """Charge what was begun."""
        key = gateway_key(begun.request.payment_id, Operation.PROCESS, 1)
        request = replace(
            begun.request, operation=Operation.PROCESS, idempotency_key=key, gateway_ref=begun.charge
        )
        return Paid(request, sent(self.gateway, request), begun.ref)

    def again(self, paid: Paid) -> Outcome:
        """The same call under the same key."""
        return sent(self.gateway, paid.request)

    def ask(self, paid: Paid) -> Lookup:
        """What became of the call. Of a gateway that can't be asked, once it has told, or has not for a while."""
        query = self.query(paid)
        if not self.can_be_asked:
            eventually(lambda: is_heard_of(self.gateway.ask_and_wait(query)), _TELLS_WITHIN_S)
        begin = partial(self.gateway.ask, query, note=self.noted.append)
        said: Lookup = wait_for(begin, self.gateway.config.slowest_call_s, STUCK)
        return said

    def found_code(self, code: str) -> str:
        """The code of a decline that a look-up finds, which was `code` at the gateway. What was told gives no reason."""
        return self.word(code) if self.can_be_asked else "generic_decline"

    def word(self, code: str) -> str:
        """The code of a decline, which was `code` at the emulator: some gateways have one word for several reasons."""
        return self.subject.words.get(code, code)

    def query(self, paid: Paid) -> StatusQuery:
        """The look-up of the call."""
        request = paid.request
        is_charge = request.operation in self.gateway.capabilities.steps
        own_ref = None if is_charge else getattr(paid.outcome, "gateway_ref", None)
        ref = paid.ref if is_charge else request.gateway_ref
        key = request.idempotency_key
        return StatusQuery(request.operation, key, ref, request.amount, own_ref, capture=request.capture)

    def order(
        self, operation: Operation, paid: Paid, minor: int = 1999, *, number: int = 0, final: bool = True
    ) -> Paid:
        """A capture, void or refund of a charge, the `number`th of its payment."""
        request = replace(
            paid.request,
            operation=operation,
            idempotency_key=gateway_key(paid.request.payment_id, operation, FIRST_ORDERED + number),
            terms=replace(paid.request.terms, amount=Money(minor, "USD")),
            gateway_ref=paid.charge,
            final=final,
        )
        order = Paid(request, sent(self.gateway, request), paid.ref)
        if not isinstance(order.outcome, Pending) or self.can_be_asked:
            return order
        # It was taken in. What becomes of it is told a moment later.
        said = self.ask(order)
        assert is_heard_of(said)
        assert not isinstance(said, NotFound)
        return Paid(request, said, paid.ref)

    def close(self, paid: Paid) -> Paid:
        """The door behind a charge, shut."""
        request = replace(
            paid.request,
            operation=Operation.CLOSE,
            idempotency_key=gateway_key(paid.request.payment_id, Operation.CLOSE, 1),
            gateway_ref=paid.charge,
        )
        return Paid(request, sent(self.gateway, request), paid.ref)

    def confirm(self, paid: Paid, data: Body) -> Paid:
        """What the payer brought back, handed to the gateway."""
        request = replace(
            paid.request,
            operation=Operation.CONFIRM,
            idempotency_key=gateway_key(paid.request.payment_id, Operation.CONFIRM, 1),
            gateway_ref=paid.charge,
            confirm=Confirm(1, "digest", data),
        )
        return Paid(request, sent(self.gateway, request), paid.ref)

    def ask_dispute(self, dispute_ref: str, charge_ref: str) -> DisputeLookup:
        """How a dispute stands, as the product asks."""
        return self.gateway.ask_dispute_and_wait(DisputeQuery(dispute_ref, charge_ref))

    def dispute_by_hand(self, paid: Paid, minor: int) -> str:
        """The payer disputes a part; the gateway's id of the dispute."""
        body = {"payment_id": paid.charge, "amount": minor}
        dispute_ref = str(self.emulator.post("/_sandbox/disputes", body).json["id"])
        self._wait_for_news(dispute_ref, 0)
        return dispute_ref

    def advance(self, dispute_ref: str, status: str) -> None:
        """The dispute goes on at the gateway."""
        known = len(self._read_told(Recall(dispute_ref=dispute_ref)))
        answer = self.emulator.post("/_sandbox/disputes", {"id": dispute_ref, "status": status})
        assert answer.status == 200, answer.body
        self._wait_for_news(dispute_ref, known)

    def _wait_for_news(self, dispute_ref: str, known: int) -> None:
        """Of a gateway that can't be asked, until it has told more of the dispute than is known."""
        recall = Recall(dispute_ref=dispute_ref)
        assert self.can_be_asked or eventually(lambda: len(self._read_told(recall)) > known)

    def booked(self, paid: Paid) -> list[dict[str, Any]]:
        """What the gateway's own ledger says of the payment."""
        ours = paid.request.payment_id
        return [row for row in self.emulator.ledger() if row["merchant_payment_id"] == ours]

    def captured(self, paid: Paid) -> list[int]:
        """The sum of each of its charges in the ledger that took money."""
        return [row["captured"] for row in self.booked(paid) if row["captured"]]

    def settled(self, paid: Paid, kind: type) -> Lookup | Outcome:
        """The look-up's answer, once it is one of this kind. What was only approved is charged then, as by the product."""
        assert eventually(lambda: isinstance(self.ask(paid), kind)), self.ask(paid)
        said = self.ask(paid)
        steps = self.gateway.capabilities.steps
        is_halfway = paid.request.operation in steps[:-1]
        return self.charge(paid).outcome if is_halfway and isinstance(said, Approved) else said

    def events(self, paid: Paid) -> list[tuple[Mapping[str, str], bytes]]:
        """Headers and body of each webhook about the charge, once there is one."""
        about = self.subject.told_of(paid).encode()

        def there() -> list[tuple[Mapping[str, str], bytes]]:
            arrived = self.shop.at(f"/{self.subject.name}")
            return [(one.headers, one.body) for one in arrived if about in one.body]

        assert eventually(lambda: bool(there()))
        return there()

    def told(self, paid: Paid) -> list[GatewayEvent]:
        """What they say."""
        return [event for headers, body in self.events(paid) for event in self.heard(headers, body)]

    def signed(self, body: bytes, at_s: int, *secrets: str) -> Signed:
        """Headers and body of a webhook such as the gateway sends: one signature for each secret."""
        if self.subject.signed is not None:
            return self.subject.signed(self.emulator, body, at_s, secrets)
        message = b"%d." % at_s + body
        made = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
        header = ",".join([f"t={at_s}", *(f"v1={one}" for one in made)])
        return {self.subject.signature_header: header}, body

    def by_hand(
        self, flow: Flow[Any], change: Callable[[Body], Body] = lambda body: body
    ) -> tuple[Any, list[HttpCall]]:
        """What a flow returns whose answers are `change`d on their way, and the calls that it made."""
        calls: list[HttpCall] = []
        try:
            step = next(flow)
            while True:
                assert isinstance(step, HttpCall)
                calls.append(step)
                netloc = urlsplit(self.emulator.url).netloc
                got = request_to(netloc, step.method, step.path, step.body or b"", step.headers)
                body = json.dumps(change(json.loads(got.body))).encode()
                step = flow.send(HttpAnswer(got.status, got.headers, body))
        except StopIteration as end:
            return end.value, calls


def _refund_at_sandbox(emulator: Sandbox, ref: str, minor: int) -> None:
    assert emulator.post(f"/v1/payments/{ref}/refund", {"amount": minor}).status == 200


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


def verified(gateway: LoadedGateway, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
    """The events of a webhook that comes now. Raises InvalidWebhook."""
    events = gateway.verify_webhook(headers, body, datetime.now(UTC))
    assert not isinstance(events, NotSent | Unknown), events
    return events


def is_heard_of(said: Lookup) -> bool:
    """Whether the gateway knows of it, or has told of it by itself."""
    is_untold = isinstance(said, Unknown) and said.kind is UnknownKind.NO_LOOK_UP
    return not (is_untold or isinstance(said, NotFound))


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


SANDBOX = Subject(
    name="sandbox",
    adapter=SandboxAdapter,
    api_key=API_KEY,
    emulator=running_sandbox,
    signature_header="Sandbox-Signature",
    other_payment=lambda body: _changed(body, id="spay_other", reference="another"),
    other_money=lambda body: _changed(body, amount=body["amount"] + 1),
    refund_by_hand=_refund_at_sandbox,
    page_token="tok_sdk",
    pending_refund="tok_pending_1_on_refund",
    late_refund="tok_fails_late_1",
    brought_back=_challenge_passed,
    skips={
        "three_d_secure_without_the_payer": "waits for a payer who is not there",
        "a_saved_card_with_its_customer": "saves no cards",
        "a_token_of_the_shops_page_that_comes_with_the_confirmation": "charges in one call",
        "another_accounts_payment": "has one account",
        "the_other_mode": "its answers name no mode",
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
    saved_card=_saved_at_stripe,
    skips={
        "what_the_payer_brought_back": "is asked for the intent: its payers bring nothing back",
        "a_confirm_with_nonsense": "is asked for the intent: its payers bring nothing back",
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
    signature_header="",
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
        "a_token_of_the_shops_page_that_comes_with_the_confirmation": "charges in one call",
        "a_hold_says_when_it_ends": "says in no answer how long it holds",
        "several_captures": "releases the rest with a capture, unless the account has several",
        "a_refund_that_is_pending": "takes every refund in and decides later",
        "another_accounts_payment": "is asked about nothing; an event of another account is foreign",
        "the_other_mode": "its answers name no mode",
        "an_id_that_nobody_has": "is asked about nothing by an id",
        "an_old_event": "signs no time",
        "a_warning": "does not tell how a request for information ends",
    },
    options={"return_url": "https://shop.test/back"},
)
_INERT_ORDER = "can't cancel an order, and approving one moves nothing: there is no door to close"
PAYPAL = Subject(
    name="paypal",
    adapter=PayPalAdapter,
    api_key=PAYPAL_SECRET,
    emulator=running_paypal,
    signature_header="",
    other_payment=lambda body: _with_unit(body, {"invoice_id": "another"}, id="ANOTHER"),
    other_money=_other_money_at_paypal,
    refund_by_hand=_refund_at_paypal,
    page_token="",
    pending_refund="tok_pending_1_on_refund",
    late_refund="tok_fails_late_1",
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
        "a_token_of_the_shops_page_that_comes_with_the_confirmation": "takes what is in its vault",
        "the_other_mode": "its answers name no mode",
    },
    options={"client_id": PAYPAL_CLIENT, "return_url": "https://shop.test/back", "absence_window_s": 0},
)
SUBJECTS = {subject.name: subject for subject in (SANDBOX, STRIPE, ADYEN, PAYPAL)}

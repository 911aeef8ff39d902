"""What the conformance suite drives each adapter with: the gateway's emulator, its cards, its own reasons to skip."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Noted
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, gateway_key
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Lookup, Operation, Outcome
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.base import Adapter, GatewayEvent
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from support.gateway_calls import sent
from support.merchant_server import Sink
from support.payers import request_to
from support.sandbox_process import API_KEY, Sandbox, eventually, running_sandbox
from support.stripe_process import STRIPE_KEY, running_stripe, sdk

WEBHOOK_SECRET = "whsec_conformance"
# No scenario but one waits for it, and a busy machine may take seconds to answer.
TIMEOUT_S = 20.0
Body = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One gateway. `skips`: by scenario, the gateway's own reason why it has no such thing.

    `other_payment` and `other_money` change the body of an answer so that it is about something else than what was asked.
    `pending_refund` and `late_refund`: of cards whose refunds are pending, or fail after they had succeeded.
    `page_token`: of a card that wants 3-D Secure in the shop's page. `brought_back`: what the payer brings from there, by
    the action's data. `saved_card`: saves a card with a customer, and gives the token that stands for both.
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
    options: Mapping[str, Any] = field(default_factory=dict)
    skips: Mapping[str, str] = field(default_factory=dict)

    def config(self, base_url: str, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        given: dict[str, Any] = {
            "name": self.name,
            "adapter": self.name,
            "base_url": base_url,
            "api_key": self.api_key,
            "webhook_secrets": (WEBHOOK_SECRET,),
            "timeout_s": TIMEOUT_S,
            "options": self.options,
        }
        return GatewayConfig(**given | changes)

    @contextmanager
    def running(self, folder: Path, shop: Sink) -> Iterator[Sandbox]:
        """Its emulator, which sends its webhooks to `shop`."""
        flags = ("--webhook-url", shop.url(f"/{self.name}"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
        with self.emulator(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET}) as emulator:
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
        self.adapter = subject.adapter(subject.config(emulator.url, **config))
        self.gateway = LoadedGateway(self.adapter)
        self.noted: list[Noted] = []

    def waiting_at_most(self, timeout_s: float) -> Till:
        """The same till, which waits less for each answer."""
        return Till(self.subject, self.emulator, self.shop, timeout_s=timeout_s)

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
        """What became of the call."""
        begin = partial(self.gateway.ask, self.query(paid), note=self.noted.append)
        said: Lookup = wait_for(begin, self.gateway.config.slowest_call_s, STUCK)
        return said

    def query(self, paid: Paid) -> StatusQuery:
        """The look-up of the call."""
        request = paid.request
        is_charge = request.operation in self.gateway.capabilities.steps
        own_ref = None if is_charge else getattr(paid.outcome, "gateway_ref", None)
        ref = paid.ref if is_charge else request.gateway_ref
        return StatusQuery(request.operation, request.idempotency_key, ref, request.amount, own_ref)

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
        return Paid(request, sent(self.gateway, request), paid.ref)

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
        return str(self.emulator.post("/_sandbox/disputes", body).json["id"])

    def advance(self, dispute_ref: str, status: str) -> None:
        """The dispute goes on at the gateway."""
        answer = self.emulator.post("/_sandbox/disputes", {"id": dispute_ref, "status": status})
        assert answer.status == 200, answer.body

    def booked(self, paid: Paid) -> list[dict[str, Any]]:
        """What the gateway's own ledger says of the payment."""
        ours = paid.request.payment_id
        return [row for row in self.emulator.ledger() if row["merchant_payment_id"] == ours]

    def captured(self, paid: Paid) -> list[int]:
        """The sum of each of its charges in the ledger that took money."""
        return [row["captured"] for row in self.booked(paid) if row["captured"]]

    def settled(self, paid: Paid, kind: type) -> Lookup:
        """The look-up's answer, once it is one of this kind."""
        assert eventually(lambda: isinstance(self.ask(paid), kind)), self.ask(paid)
        return self.ask(paid)

    def events(self, paid: Paid) -> list[tuple[Mapping[str, str], bytes]]:
        """Headers and body of each webhook about the charge, once there is one."""
        about = paid.charge.encode()

        def there() -> list[tuple[Mapping[str, str], bytes]]:
            arrived = self.shop.at(f"/{self.subject.name}")
            return [(one.headers, one.body) for one in arrived if about in one.body]

        assert eventually(lambda: bool(there()))
        return there()

    def told(self, paid: Paid) -> list[GatewayEvent]:
        """What they say."""
        return [
            event
            for headers, body in self.events(paid)
            for event in self.gateway.parse_webhook(headers, body)
        ]

    def signed(self, body: bytes, at_s: int, *secrets: str) -> dict[str, str]:
        """A signature header such as the gateway makes: one signature for each secret."""
        message = b"%d." % at_s + body
        made = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
        return {self.subject.signature_header: ",".join([f"t={at_s}", *(f"v1={one}" for one in made)])}

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
    options={"multicapture": True, "publishable_key": "pk_test_shop", "absence_window_s": 0},
)
SUBJECTS = {subject.name: subject for subject in (SANDBOX, STRIPE)}

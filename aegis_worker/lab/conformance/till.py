"""A merchant's till at one gateway: charges there over the engine as the product would, and sees the gateway's ledger."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aegis_worker.domain.actions import Sdk
from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note, Noted
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, gateway_key, parse_gateway_key
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
    charges,
)
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.opening import Opener
from aegis_worker.gateways.base import GatewayEvent, PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall, OpenCard, Recall
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery

from .emulator import RunningEmulator, eventually, request_to
from .numbered import METHOD, Drawer, NumberedCard
from .shop import Shop
from .subject import Body, Paid, Signed, Subject

_TELLS_WITHIN_S = 3.0


class Till:
    """Charges at one gateway, over the engine, as the product would."""

    def __init__(self, subject: Subject, emulator: RunningEmulator, shop: Shop, **config: Any) -> None:
        self.subject, self.emulator, self.shop = subject, emulator, shop
        self.adapter = subject.adapter(self.config(**config))
        self.drawer = Drawer()
        self.gateway = LoadedGateway(self.adapter, read_told=self._read_told, opener=Opener(self.drawer))
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
        three_ds: bool = False,
    ) -> Paid:
        """All steps of a charge, until one does not simply succeed. `three_ds`: the payer has to authenticate."""
        method = "manual" if hold else "automatic"
        card = {"type": "card", "token": token}
        terms = PaymentTerms(
            Money(minor, "USD"),
            card,
            method,  # type: ignore[arg-type]
            return_url=return_url,
            off_session=off_session,
        )
        return self.go_on(f"pay_{uuid.uuid4().hex}", terms, three_ds=three_ds)

    def pay_by_number(
        self, given: NumberedCard | None = None, *, hold: bool = False, return_url: str | None = None
    ) -> Paid:
        """As `pay`, with a card of the vault."""
        given = given or NumberedCard()
        self.drawer.card = given.card
        terms = PaymentTerms(
            Money(given.minor, "USD"), METHOD, "manual" if hold else "automatic", return_url=return_url
        )
        return self.go_on(f"pay_{uuid.uuid4().hex}", terms)

    def go_on(
        self,
        payment_id: str,
        terms: PaymentTerms,
        ref: str | None = None,
        *,
        payer: Payer | None = None,
        three_ds: bool = False,
    ) -> Paid:
        """The steps of a charge from the first. Where its payer pays at the gateway, they do so by the token, unless they
        are to be seen on their way there (`three_ds`).
        """
        token = ""
        if self.subject.paid_there is not None:
            token = terms.payment_method["token"]
            terms = replace(terms, payment_method={"type": "card"})
        for operation in self.gateway.capabilities.steps:
            key = gateway_key(payment_id, operation, 1)
            is_by_number = charges(operation) and is_vaulted(terms.payment_method)
            vaulted = OpenCard.of(terms.payment_method) if is_by_number else None
            request = GatewayRequest(
                operation, payment_id, key, terms, ref, payer=payer, vaulted=vaulted, three_ds=three_ds
            )
            outcome = sent(self.gateway, request, self.noted.append)
            ref = getattr(outcome, "gateway_ref", None) or ref
            if isinstance(outcome, ActionRequired) and token and not three_ds:
                request, outcome = self._paid_there(Paid(request, outcome, ref), token)
            if not isinstance(outcome, Approved):
                break
        return Paid(request, outcome, ref)

    def _paid_there(self, waits: Paid, token: str) -> tuple[GatewayRequest, Outcome]:
        """The confirm, if the payer has brought anything back; else the step goes on waiting."""
        assert self.subject.paid_there is not None
        assert isinstance(waits.outcome, ActionRequired)
        assert isinstance(waits.outcome.action, Sdk)
        data = self.subject.paid_there(self.emulator, waits.outcome.action.data, token)
        if not data:
            return waits.request, waits.outcome
        confirmed = self.confirm(waits, data)
        return confirmed.request, confirmed.outcome

    def part(self, minor: int) -> int:
        """As much of a hold of 1999, or all of it where the gateway captures nothing less."""
        return minor if self.gateway.capabilities.partial_captures else 1999

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

    def once_more(self, paid: Paid) -> GatewayRequest:
        """A call like it: the same where its key has the gateway answer again, else one for another payment."""
        if self.gateway.capabilities.keeps_key_s(paid.request.operation):
            return paid.request
        payment_id = f"pay_{uuid.uuid4().hex}"
        key = gateway_key(payment_id, paid.request.operation, 1)
        return replace(paid.request, payment_id=payment_id, idempotency_key=key)

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
        if operation is Operation.REFUND:
            self.subject.settle(self.emulator, paid.charge)
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
        return Paid(request, sent(self.gateway, request, self.noted.append), paid.ref)

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
            return [(one.headers, one.body) for one in arrived if about in self.subject.opened(one.body)]

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
        self, flow: Flow[Any], change: Callable[[Any], Any] = lambda body: body
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
                body = self.subject.write(change(self.subject.read(got.body)))
                step = flow.send(HttpAnswer(got.status, got.headers, body))
        except StopIteration as end:
            return end.value, calls


def sent(gateway: PaymentGateway, request: GatewayRequest, note: Note | None = None) -> Outcome:
    """What came of the request's operation. `note` is told of each exchange."""
    begin = partial(gateway.send, request, note=note)
    outcome: Outcome = wait_for(begin, gateway.config.slowest_call_s, STUCK)
    return outcome


def verified(gateway: LoadedGateway, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
    """The events of a webhook that comes now. Raises InvalidWebhook."""
    events = gateway.verify_webhook(headers, body, datetime.now(UTC))
    assert not isinstance(events, NotSent | Unknown), events
    return events


def is_heard_of(said: Lookup) -> bool:
    """Whether the gateway knows of it, or has told of it by itself."""
    is_untold = isinstance(said, Unknown) and said.kind is UnknownKind.NO_LOOK_UP
    return not (is_untold or isinstance(said, NotFound))

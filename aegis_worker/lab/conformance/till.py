"""A merchant's till at one gateway: charges there over the engine as the product would, and sees the gateway's ledger."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aegis_worker.domain.actions import Sdk
from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.exchanges import Note, Noted
from aegis_worker.domain.gateway_keys import FIRST_ORDERED, gateway_key
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Lookup,
    NotFound,
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
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import OpenCard
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

from .emulator import RunningEmulator, eventually
from .news import News
from .numbered import METHOD, Drawer, NumberedCard
from .shop import Shop
from .subject import Body, Paid, Subject

_TELLS_WITHIN_S = 3.0


class Till:
    """Charges at one gateway, over the engine, as the product would."""

    def __init__(self, subject: Subject, emulator: RunningEmulator, shop: Shop, **config: Any) -> None:
        self.subject, self.emulator, self.shop = subject, emulator, shop
        self.adapter = subject.adapter(self.config(**config))
        self.drawer = Drawer()
        self.news = News(subject, emulator, shop)
        self.gateway = LoadedGateway(self.adapter, read_told=self.news.of, opener=Opener(self.drawer))
        self.news.gateway = self.gateway
        self.noted: list[Noted] = []

    def config(self, **changes: Any) -> GatewayConfig:
        """The gateway's table."""
        return self.subject.config(self.emulator.url, **self.subject.vouched(self.emulator), **changes)

    def waiting_at_most(self, timeout_s: float) -> Till:
        """The same till, which waits less for each answer."""
        return Till(self.subject, self.emulator, self.shop, timeout_s=timeout_s)

    @property
    def can_be_asked(self) -> bool:
        """Whether the gateway has look-ups. What one without has told by itself is read in their place."""
        return bool(self.gateway.capabilities.look_ups)

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


def sent(gateway: PaymentGateway, request: GatewayRequest, note: Note | None = None) -> Outcome:
    """What came of the request's operation. `note` is told of each exchange."""
    begin = partial(gateway.send, request, note=note)
    outcome: Outcome = wait_for(begin, gateway.config.slowest_call_s, STUCK)
    return outcome


def is_heard_of(said: Lookup) -> bool:
    """Whether the gateway knows of it, or has told of it by itself."""
    is_untold = isinstance(said, Unknown) and said.kind is UnknownKind.NO_LOOK_UP
    return not (is_untold or isinstance(said, NotFound))

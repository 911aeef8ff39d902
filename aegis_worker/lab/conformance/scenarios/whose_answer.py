"""Answers and events that are not ours, and secrets that must not be seen, at every gateway."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import ActionRequired, Approved, Operation, Unknown, UnknownKind
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import InvalidWebhook
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer, HttpCall

from ..emulator import eventually, request_to
from ..news import verified
from ..subject import WEBHOOK_SECRET, Paid
from ..till import Till


def test_an_answer_with_other_money(till: Till) -> None:
    for flow in _flows(till, till.pay()):
        said, _ = _by_hand(till, flow, till.subject.other_money)
        assert isinstance(said, Unknown)
        assert said.kind is UnknownKind.MISMATCH


def test_an_answer_about_another_payment(till: Till) -> None:
    for flow in _flows(till, till.pay()):
        said, _ = _by_hand(till, flow, till.subject.other_payment)
        assert isinstance(said, Unknown)
        assert said.kind is UnknownKind.MISMATCH


def test_another_accounts_payment(till: Till) -> None:
    paid = till.pay()
    options = {**till.subject.options, **till.subject.for_others}
    stranger = Till(till.subject, till.emulator, till.shop, account="acct_other", options=options)
    assert isinstance(stranger.ask(paid), Unknown)


def test_the_other_mode(till: Till) -> None:
    paid = till.pay()
    said, _ = _by_hand(till, till.adapter.process(paid.request), lambda body: {**body, "livemode": True})
    assert isinstance(said, Unknown)
    assert said.kind is UnknownKind.MISMATCH


def test_an_id_that_nobody_has(till: Till) -> None:
    paid = till.pay()
    nobody = Paid(paid.request, paid.outcome, f"{paid.charge}0")
    assert not isinstance(till.ask(nobody), Approved)


def test_an_event(till: Till) -> None:
    paid = till.pay()

    def succeeded() -> list[GatewayEvent]:
        return [event for event in till.news.told(paid) if event.kind == till.subject.charged]

    def named() -> set[str]:
        return {event.reference for event in succeeded() if event.reference is not None}

    assert eventually(lambda: bool(named()))
    assert {event.gateway_ref for event in succeeded()} == {paid.ref}
    assert {event.amount for event in succeeded()} == {Money(1999, "USD")}
    assert named() <= paid.request.expected.references


def test_an_event_that_is_delivered_again_is_the_same(till: Till) -> None:
    till.shop.refuse_next(f"/{till.subject.name}")
    paid = till.pay()

    def is_repeated() -> bool:
        events = till.news.told(paid)
        return len({event.event_id for event in events}) < len(events)

    assert eventually(is_repeated)


def test_a_forged_event(till: Till) -> None:
    headers, body = till.news.events(till.pay())[-1]
    with pytest.raises(InvalidWebhook):
        till.news.heard(headers, till.subject.tampered(body))
    with pytest.raises(InvalidWebhook):
        till.news.heard(*till.news.signed(body, round(time.time()), till.subject.secret("another")))
    with pytest.raises(InvalidWebhook):
        till.news.heard({}, till.subject.unsigned(body))


def test_an_old_event(till: Till) -> None:
    _, body = till.news.events(till.pay())[-1]
    with pytest.raises(InvalidWebhook):
        till.news.heard(*till.news.signed(body, round(time.time()) - 3600, WEBHOOK_SECRET))


def test_an_event_while_a_secret_rolls(till: Till) -> None:
    paid = till.pay()
    _, body = till.news.events(paid)[-1]
    both = (till.subject.secret("the old one"), till.subject.secret("the next one"))
    rolling = replace(till.gateway.config, webhook_secrets=both)
    gateway = LoadedGateway(till.subject.adapter(rolling))
    for secret in rolling.webhook_secrets:
        (event,) = verified(gateway, *till.news.signed(body, round(time.time()), secret))
        assert event.gateway_ref == paid.ref


def test_an_event_of_a_kind_that_is_not_known(till: Till) -> None:
    _, body = till.news.events(till.pay())[-1]
    secret = till.subject.secret(WEBHOOK_SECRET)
    signed = till.news.signed(till.subject.of_unknown_kind(body), round(time.time()), secret)
    (event,) = till.news.heard(*signed)
    assert event.kind.lower().startswith("weather.changed")


def test_secrets_are_not_seen(till: Till) -> None:
    if till.subject.why_not("three_d_secure_by_redirect", "charges") is None:
        paid = till.pay("tok_3ds_1")
        assert isinstance(paid.outcome, ActionRequired)
        assert "secret" not in repr(paid.outcome)
        assert "3ds/" not in repr(paid.outcome)
    calls = [call for flow in _flows(till, till.pay()) for call in _by_hand(till, flow)[1]]
    assert calls
    assert till.subject.api_key not in repr(calls)
    assert "tok_ok" not in repr(calls)
    assert till.subject.api_key not in repr(till.gateway.config)
    _are_hidden_in_exchanges(till)


def _are_hidden_in_exchanges(till: Till) -> None:
    """Of what is kept of each call and answer: ids, amounts and statuses, and nothing of who pays or by what."""
    place = {"name": "Asha Canary", "line1": "12 Canary Road", "city": "Canarytown", "country": "IN"}
    payer = Payer({"email": "canary@shop.example", "ip": "203.0.113.211", "shipping_address": place})
    for token in ("tok_ok", "tok_3ds_1", "tok_hard_stolen_card"):
        terms = PaymentTerms(
            Money(1999, "USD"),
            {"type": "card", "token": token},
            customer={"id": "cus_canary", "email": "canary@shop.example"},
            description="canary words",
            return_url="https://shop.example/canary",
            statement_descriptor="CANARY SHOP",
        )
        till.noted.clear()
        paid = till.go_on(f"pay_{uuid.uuid4().hex}", terms, payer=payer)
        till.ask(paid)
        told = [one.told for one in till.noted]
        assert len(told) >= len(till.gateway.capabilities.steps) + till.can_be_asked
        about = [one.replace("19.99", "1999") for one in told]
        assert [one for one in about if "1999" not in one or paid.request.payment_id not in one] == []
        seen = "".join(told)
        for secret in (till.subject.api_key, token, "secret_", "3ds/", "csec_", "203.0.113", "Asha"):
            assert secret not in seen
        assert "canary" not in seen.lower()


def _flows(till: Till, paid: Paid) -> list:  # type: ignore[type-arg]
    """The charge's last call again, or one like it, its look-up where there is one, and a refund with its own."""
    refund = till.order(Operation.REFUND, paid, 300)
    flows = [till.adapter.process(till.once_more(paid)), till.adapter.refund(refund.request)]
    return [*flows, till.adapter.get_status(till.query(paid))] if till.can_be_asked else flows


def _by_hand(
    till: Till, flow: Flow[Any], change: Callable[[Any], Any] = lambda body: body
) -> tuple[Any, list[HttpCall]]:
    """What a flow returns whose answers are `change`d on their way, and the calls that it made."""
    calls: list[HttpCall] = []
    try:
        step = next(flow)
        while True:
            assert isinstance(step, HttpCall)
            calls.append(step)
            netloc = urlsplit(till.emulator.url).netloc
            got = request_to(netloc, step.method, step.path, step.body or b"", step.headers)
            body = till.subject.write(change(till.subject.read(got.body)))
            step = flow.send(HttpAnswer(got.status, got.headers, body))
    except StopIteration as end:
        return end.value, calls

"""A payment's terms: what is remembered of them is what versions before remembered, and each has its column."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from aegis_api.payments.accepting import PAYMENTS_ROUTE, command_of
from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.terms import columns, row_of_terms, terms_from_row

EVERY_TERM = PaymentTerms(
    amount=Money(1999, "USD"),
    payment_method={"type": "card", "token": "tok_visa", "network": "visa"},
    capture_method="manual",
    reference="order-1",
    customer={"id": "cus_117", "country": "IN"},
    description="Two tickets é",
    return_url="https://shop.example/return",
    metadata={"cart": "c-81"},
)
DESCRIBED = replace(EVERY_TERM, statement_descriptor="BLUE TICKETS")
SCHEDULED = replace(EVERY_TERM, off_session=True, scheduled_at=datetime(2026, 12, 1, 9, tzinfo=UTC))


def test_a_fingerprint_is_what_it_was_before_there_were_terms() -> None:
    request = GatewayRequest(Operation.CAPTURE, "pay_1", "pay_1-c1", EVERY_TERM, "ch_1")
    as_stored_then = "056a55840c8af200acb8ca88f33c3b4cb0ab94f9d230fdfa0da590e0d418e50b"
    assert request.fingerprint() == as_stored_then


def test_a_fingerprint_covers_the_terms_that_a_gateway_is_sent() -> None:
    request = GatewayRequest(Operation.PROCESS, "pay_1", "pay_1-p1", EVERY_TERM)
    others = [
        replace(EVERY_TERM, **change)
        for change in (
            {"amount": Money(1998, "USD")},
            {"payment_method": {"type": "upi", "vpa": "a@b"}},
            {"capture_method": "automatic"},
            {"customer": {"id": "cus_118"}},
            {"description": None},
            {"return_url": None},
            {"statement_descriptor": "BLUE TICKETS"},
            {"statement_descriptor": "RED TICKETS"},
            {"off_session": True},
            {"mandate": "mandate_1"},
            {"setup_future_usage": "on_session"},
            {"setup_future_usage": "off_session"},
            {"off_session": True, "off_session_reason": "recurring"},
            {"off_session": True, "network_transaction_id": "016120310293123"},
            {"order_lines": [{"name": "Ticket", "quantity": 2, "unit_amount": 999}]},
        )
    ]
    prints = {replace(request, terms=terms).fingerprint() for terms in [EVERY_TERM, *others]}
    assert len(prints) == 1 + len(others)


def test_a_fingerprint_covers_no_term_that_gateways_are_not_told() -> None:
    request = GatewayRequest(Operation.PROCESS, "pay_1", "pay_1-p1", SCHEDULED)
    at_once = replace(request, terms=replace(SCHEDULED, scheduled_at=None))
    assert request.fingerprint() == at_once.fingerprint()


def test_the_same_time_spelt_in_two_ways_is_the_same_request() -> None:
    body = {"amount": 1, "currency": "USD", "payment_method": {"type": "card", "token": "tok_ok"}}
    hmacs = {
        command_of(
            Owner("m_1", "test"),
            PAYMENTS_ROUTE,
            "key",
            PaymentRequestSchema().load({**body, "scheduled_at": at}),
            secret="s" * 32,
            gateways=(),
        ).request_hmac
        for at in ("2026-12-01T09:00:00Z", "2026-12-01T10:00:00.000+01:00")
    }
    assert len(hmacs) == 1


def test_a_fingerprint_covers_what_is_sent_of_the_payer_but_no_personal_data() -> None:
    request = GatewayRequest(Operation.PROCESS, "pay_1", "pay_1-p1", EVERY_TERM)
    asha = replace(request, payer=Payer({"email": "asha@shop.example", "ip": "203.0.113.7"}))
    someone_else = replace(request, payer=Payer({"ip": "203.0.113.8", "email": "ben@shop.example"}))
    less = replace(request, payer=Payer({"ip": "203.0.113.7"}))
    assert asha.fingerprint() == someone_else.fingerprint()
    assert len({one.fingerprint() for one in (request, asha, less)}) == 3


def test_a_payer_prints_the_names_of_its_fields_only() -> None:
    payer = Payer({"ip": "203.0.113.7", "email": "asha@shop.example"})
    request = GatewayRequest(Operation.PROCESS, "pay_1", "pay_1-p1", EVERY_TERM, payer=payer)
    for text in (repr(payer), str(payer), f"{payer}", repr(request)):
        assert "Payer(email, ip)" in text
        assert "asha" not in text
        assert "203.0" not in text


def test_the_hmac_of_a_request_is_what_it_was_before_there_were_terms() -> None:
    body = {
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_ok"},
        "reference": "order-1",
        "metadata": {"a": 1},
    }
    command = command_of(
        Owner("m_1", "test"),
        PAYMENTS_ROUTE,
        "key",
        PaymentRequestSchema().load(body),
        secret="s" * 32,
        gateways=(),
    )
    as_stored_then = "f64a7a88859f4c76031b7394535ac5ea869e02985e426288beb59eb3ed1310b3"
    assert command.request_hmac.hex() == as_stored_then


def test_terms_come_back_from_their_columns() -> None:
    bare = PaymentTerms(Money(5, "JPY"), {"type": "card", "token": "tok_ok"})
    for terms in (EVERY_TERM, DESCRIBED, SCHEDULED, bare):
        unset = {column.name: None for column in columns()}
        written = row_of_terms(terms)
        if "scheduled_at" in written:
            written["scheduled_at"] = datetime.fromisoformat(written["scheduled_at"])
        assert terms_from_row(unset | written) == terms

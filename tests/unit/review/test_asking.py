"""What a gateway is asked before a person's decision takes effect."""

from __future__ import annotations

from support.attempts import an_attempt
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.review.asking import ask
from aegis_worker.review.case import Case

PAYMENT = Payment("pay_1", "m_1", PaymentTerms(Money(1999, "USD"), {"type": "card"}))


def test_a_charge_is_asked_about_by_its_own_id_and_not_by_that_of_its_refund() -> None:
    gateway = ScriptedGateway("a")
    refund = an_attempt("refund", status="UNKNOWN", gateway_ref="re_1")
    case = Case(PAYMENT, None, None, [an_attempt(gateway_ref="ch_1"), refund])
    ask({"a": gateway}, case, case.charges)
    assert [query.gateway_ref for query in gateway.look_ups] == ["ch_1"]

"""What a comparison makes of a gateway that answers with another charge than the one that it was asked about."""

from __future__ import annotations

import pytest
from support.plain_payment import a_payment
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.charges import StandingCharge
from aegis_worker.domain.outcomes import Approved, Declined, Lookup
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType
from aegis_worker.gateways.comparison import Comparison, compare

OWN = StandingCharge("a", "pay_1-p1", "ch_1", 3600.0, is_own=True)


def compared(said: Lookup) -> Comparison:
    gateway = ScriptedGateway("a")
    gateway.look_up = lambda query: said
    charged = {"gateway": "a", "gateway_ref": "ch_1", "authorized_minor": 1999, "captured_minor": 1999}
    begun = Fact(EventType.PROCESSING, {"gateway": "a", "attempt": 1})
    payment, _ = a_payment().record(
        [Fact(EventType.INITIATED, {}), begun, Fact(EventType.SUCCEEDED, charged)]
    )
    return compare({"a": gateway}, payment, [OWN], [])


def test_the_payments_own_charge_agrees() -> None:
    assert not compared(Approved("ch_1", captured_minor=1999, refunded_minor=0)).differs


@pytest.mark.parametrize(
    "anothers", [Approved("ch_9", captured_minor=1999), Declined("generic_decline", "05", gateway_ref="ch_9")]
)
def test_another_charge_is_not_taken_for_the_payments_own(anothers: Lookup) -> None:
    found = compared(anothers)
    assert (found.differs, found.is_charged_too_often, found.has_news) == (True, False, False)
    assert "it shows ch_9, asked was about ch_1" in found.in_words

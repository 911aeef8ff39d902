"""A draft of routing on past payments: counted and computed by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.null.adapter import NullAdapter
from aegis_worker.resilience.permits import Counted
from aegis_worker.routing.config import checked_routing
from aegis_worker.routing.past import Measured, PastHop, PastPayment, counted, health_of, past_hop
from aegis_worker.routing.policy import RoutingConfig
from aegis_worker.routing.simulate import Compared, Simulation

A = GatewayConfig("a", "null", "", "", fee_fixed_minor=30, fee_basis_points=290)
B = GatewayConfig(
    "b", "null", "", "", fee_fixed_minor=10, fee_basis_points=100, currencies=frozenset({"USD"})
)
C = GatewayConfig("c", "null", "", "")
B_FIRST = RoutingConfig(fallback=("b",))
# With the default prior, 9 approved of 10: a is expected to approve 54 of 100, b 90.
MEASURED = {"a": Measured(90, 45, 100.0, 200.0), "b": Measured(90, 81, 300.0, 400.0)}
APPROVED = PastHop("a", Counted.APPROVED, True, 120.0)
DECLINED = PastHop("a", Counted.DECLINED, False, 80.0)
PAYER = PastHop("a", Counted.PAYER, False, 50.0)
NOT_SENT = PastHop("a", Counted.ERROR, False, None)
PENDING = PastHop("a", Counted.PENDING, None, 40.0)


def past(hop: PastHop | None, minor: int = 1000, currency: str = "USD", **fields: Any) -> PastPayment:
    card = {"type": "card", "token": "tok_ok"}
    return PastPayment(
        replace(Payment("pay_1", "m_1", PaymentTerms(Money(minor, currency), card)), **fields), hop
    )


def simulated(
    *pasts: PastPayment, config: RoutingConfig = B_FIRST, measured: Any = MEASURED, seed: int = 1
) -> Simulation:
    simulation = Simulation([NullAdapter(gateway) for gateway in (A, B, C)], measured, config, seed)
    for one in pasts:
        simulation.add(one)
    return simulation


HISTORY = (
    past(APPROVED),
    past(DECLINED),
    past(PAYER),
    past(PastHop("b", Counted.APPROVED, True, 310.0), minor=2000),
    past(dataclasses.replace(APPROVED, latency_ms=100.0), currency="EUR"),
    past(NOT_SENT),
    past(PENDING),
    past(None),
    past(PastHop("c", Counted.APPROVED, True, 10.0)),
)


def test_payments_are_counted_where_they_went_and_where_they_would_have_gone() -> None:
    simulation = simulated(*HISTORY)
    assert (simulation.payments, simulation.never_sent, simulation.no_gateway) == (9, 1, 0)
    assert simulation.was == {"a": 6, "b": 1, "c": 1}
    assert simulation.would_be == {"b": 8, "a": 1}
    assert simulation.moved == 6
    assert simulation.moves == {("a", "b"): 5, (None, "b"): 1, ("c", "b"): 1}


def test_what_stays_came_out_as_it_did_and_what_moves_as_its_new_gateway_does() -> None:
    simulation = simulated(*HISTORY)
    # 1, 0, 0 for the payer's reasons, 1 at b, 1 in EUR, 0 not sent, 1 at c; pending and never sent say nothing.
    assert (simulation.success.payments, simulation.success.was) == (7, 4)
    assert simulation.success.would_be == pytest.approx(0.9 + 0.9 + 0 + 1 + 1 + 0.9 + 0.9)


def test_latencies_are_those_that_were_and_means_for_what_moves() -> None:
    simulation = simulated(*HISTORY)
    was = 120 + 80 + 50 + 310 + 100 + 40 + 10
    assert simulation.latency_ms == Compared(7, was, 5 * 300 + 310 + 100)


def test_fees_are_compared_where_both_are_known() -> None:
    simulation = simulated(*HISTORY)
    # 10.00 costs 0.59 at a and 0.20 at b, 20.00 costs 0.30 at b; c has no fees.
    assert simulation.fees == {"USD": Compared(6, 5 * 59 + 30, 5 * 20 + 30), "EUR": Compared(1, 59, 59)}
    assert simulation.fees_unknown == 1


def test_a_gateway_without_data_is_expected_to_do_as_the_drafts_prior_says() -> None:
    simulation = simulated(past(DECLINED), config=checked_routing({"fallback": ["c"]}, ("a", "b", "c")))
    assert simulation.success == Compared(1, 0, 0.9)
    assert simulation.latency_ms.payments == 0


def test_a_payment_that_no_gateway_takes_is_counted_with_why() -> None:
    off = [dataclasses.replace(gateway, enabled=False) for gateway in (A, C)]
    known = [NullAdapter(gateway) for gateway in (off[0], B, off[1])]
    simulation = Simulation(known, MEASURED, B_FIRST)
    simulation.add(past(APPROVED, currency="EUR"))
    assert (simulation.no_gateway, simulation.moved) == (1, 0)
    assert simulation.moves == {("a", None): 1}
    assert dict(simulation.most_reasons()) == {
        "a is switched off": 1,
        "b does not take EUR": 1,
        "c is switched off": 1,
    }
    assert simulation.success.payments == 0


def test_rules_are_counted_those_that_never_decide_too() -> None:
    def rule(id_: str, **condition: Any) -> dict[str, Any]:
        return {"id": id_, "priority": 1, "enabled": True, "conditions": [condition], "gateway": "c"}

    config = checked_routing(
        {
            "rules": [
                rule("large", field="amount", operator="gt", value=1500),
                rule("never", field="currency", operator="eq", value="JPY"),
            ]
        },
        ("a", "b", "c"),
    )
    assert simulated(*HISTORY, config=config).rules == {"large": 1, "never": 0}


def test_turns_are_taken_and_the_seed_decides_about_chance() -> None:
    in_turn = RoutingConfig(strategy="ROUND_ROBIN")
    assert simulated(*[past(APPROVED)] * 6, config=in_turn).would_be == {"a": 2, "b": 2, "c": 2}
    drawn = checked_routing({"strategy": "WEIGHTED", "shares": {"a": 1, "b": 3}}, ("a", "b", "c"))
    runs = [simulated(*[past(APPROVED)] * 400, config=drawn, seed=seed).would_be for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert runs[0]["b"] == pytest.approx(300, abs=40)


def test_a_gateway_is_as_healthy_as_its_record() -> None:
    health = health_of(A, MEASURED["a"])
    assert (health.judged, health.approved, health.latency_mean_ms) == (90, 45, 100.0)
    assert health.score == pytest.approx(0.5 + 0.3 * 0.5 + 0.1 + 0.1)
    assert health_of(A, Measured()).score == 1.0


@pytest.mark.parametrize(
    ("operation", "status", "said", "result", "approved", "answered"),
    [
        ("process", "APPROVED", None, Counted.APPROVED, True, True),
        ("initiate", "APPROVED", None, Counted.PENDING, None, True),
        ("process", "DECLINED", "soft", Counted.DECLINED, False, True),
        ("process", "DECLINED", "technical", Counted.DECLINED, False, True),
        ("authenticate", "DECLINED", "action", Counted.PAYER, False, True),
        ("process", "DECLINED", "fraud", Counted.PAYER, False, True),
        ("process", "NOT_SENT", "NETWORK_ERROR", Counted.ERROR, False, False),
        ("process", "NOT_SENT", "RATE_LIMIT", Counted.RATE_LIMITED, False, False),
        ("process", "UNKNOWN", None, Counted.ERROR, None, False),
        ("process", "PENDING", None, Counted.PENDING, None, True),
        ("authenticate", "ACTION_REQUIRED", None, Counted.PENDING, None, True),
        ("process", "SENT", None, Counted.PENDING, None, False),
    ],
)
def test_a_hop_is_what_its_last_step_says(
    operation: str, status: str, said: str | None, result: Counted, approved: bool | None, answered: bool
) -> None:
    assert counted(operation, status, said) is result
    hop = past_hop("a", operation, status, said, 12.5)
    assert (hop.counted, hop.approved, hop.latency_ms) == (result, approved, 12.5 if answered else None)


def test_what_another_gateway_declined_before_says_nothing_about_this_one() -> None:
    assert counted("process", "DECLINED", "soft", declined_before=True) is Counted.PAYER
    assert counted("process", "APPROVED", None, declined_before=True) is Counted.APPROVED

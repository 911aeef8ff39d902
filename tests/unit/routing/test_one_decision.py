"""Whoever asks where a payment may go is told the same: a worker with a batch, the simulation, and a decision by itself.

Gateways differ in what they can do (mode, tokens, methods, holds, amounts), and so do payments.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields
from support.payments import OpenGates, in_configured_order
from support.plain_payment import a_payment

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import METHODS, Payment
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import AmountLimits, GatewayConfig
from aegis_worker.gateways.kit.amounts import Amounts
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.routes import routed
from aegis_worker.pipeline.work import NOBODY
from aegis_worker.routing.past import PastPayment
from aegis_worker.routing.policy import RoutingConfig
from aegis_worker.routing.router import Decision, decide
from aegis_worker.routing.simulate import Simulation


@dataclass(frozen=True)
class Gateway:
    """A gateway as routing sees it."""

    config: GatewayConfig
    capabilities: Capabilities


NAMES = ("a", "b", "c")
CURRENCIES = ("USD", "EUR", "BHD")
COUNTRIES = ("DE", "IN")
FIELDS = {
    "card": "token",
    "upi": "vpa",
    "net_banking": "bank_code",
    "wallet": "provider",
    "pay_later": "provider",
}


@st.composite
def a_gateway(draw: st.DrawFn, name: str) -> Gateway:
    config = GatewayConfig(
        name,
        "scripted",
        "",
        "",
        mode=draw(st.sampled_from(("test", "live"))),
        enabled=draw(st.integers(0, 9)) > 0,
        currencies=draw(st.frozensets(st.sampled_from(CURRENCIES), max_size=2)),
        countries=draw(st.frozensets(st.sampled_from(COUNTRIES), max_size=1)),
        methods=draw(st.frozensets(st.sampled_from(sorted(METHODS)), max_size=2)),
        amounts=draw(st.sampled_from(({}, {"USD": AmountLimits(1000, 5000)}))),
    )
    able = Capabilities(
        (Operation.PROCESS,),
        60.0,
        0.0,
        amounts=draw(st.sampled_from((Amounts(), Amounts(steps={"BHD": 10})))),
        methods={
            type_: draw(st.sampled_from((frozenset(), frozenset({FIELDS[type_]}))))
            for type_ in draw(st.frozensets(st.sampled_from(sorted(METHODS)), min_size=1))
        },
        bare_tokens=draw(st.sampled_from((None, re.compile("tok_.+")))),
        holds=draw(st.booleans()),
    )
    return Gateway(config, able)


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    type_ = draw(st.sampled_from(sorted(METHODS)))
    method: dict[str, Any] = {"type": type_}
    ways: tuple[dict[str, Any], ...] = (
        {"token": "tok_visa"},
        {"token": "pm_visa"},
        {"token": "pm_visa", "gateway": draw(st.sampled_from(NAMES))},
        {"tokens": dict.fromkeys(draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)), "pm_visa")},
    )
    if type_ == "card":
        method |= draw(st.sampled_from(ways))
    elif draw(st.booleans()):
        method[FIELDS[type_]] = "named"
    country = draw(st.sampled_from((None, *COUNTRIES)))
    return a_payment(
        mode=draw(st.sampled_from(("test", "live"))),
        amount=Money(draw(st.sampled_from((500, 1995, 1999, 9000))), draw(st.sampled_from(CURRENCIES))),
        payment_method=method,
        capture_method=draw(st.sampled_from(("automatic", "manual"))),
        customer={} if country is None else {"country": country},
    )


def decided_by_a_worker(gateways: list[Gateway], batch: list[Payment]) -> list[Decision]:
    """What a worker decides for these payments, claimed together."""
    nothing: Any = None
    parts = PipelineParts(
        jobs=nothing,
        gateways=cast(Any, {gateway.config.name: gateway for gateway in gateways}),
        locks=nothing,
        gates=OpenGates(),
        routing=in_configured_order,
        policy=nothing,
        hint=lambda queue: None,
        worker="test",
        lease_s=90,
        batch=64,
        calls_in_flight=8,
        run_limit_s=5,
    )
    jobs = [ClaimedJob(payment.id, "process", 1, 0, payment, ()) for payment in batch]
    return [work.route.decision for work in routed(parts, in_configured_order(), jobs, NOBODY)]


@settings(max_examples=40)
@given(st.tuples(*map(a_gateway, NAMES)), st.lists(payments(), min_size=1, max_size=12))
def test_a_worker_and_the_simulation_have_the_same_candidates_and_reasons(
    three: tuple[Gateway, ...], batch: list[Payment]
) -> None:
    gateways = list(three)
    batch = [with_fields(payment, id=f"pay_{number:032x}") for number, payment in enumerate(batch)]
    alone = [decide(payment, gateways, {}, RoutingConfig(), random.Random(1)) for payment in batch]
    worker = decided_by_a_worker(gateways, batch)
    assert [(one.candidates, one.left_out) for one in worker] == [
        (one.candidates, one.left_out) for one in alone
    ]
    simulation = Simulation(gateways, {}, RoutingConfig())
    for payment in batch:
        simulation.add(PastPayment(payment, None))
    assert simulation.would_be == Counter(one.candidates[0] for one in alone if one.candidates)
    assert simulation.left_out == Counter(pair for one in alone for pair in one.left_out.items())
    untaken = [one for one in alone if not one.candidates]
    assert simulation.no_gateway == len(untaken)
    assert simulation.reasons == Counter(
        f"{name} {why}" for one in untaken for name, why in one.left_out.items()
    )


def test_the_simulation_says_what_a_gateway_can_not_do() -> None:
    able = Capabilities((Operation.PROCESS,), 60.0, 0.0, bare_tokens=re.compile("tok_.+"))
    whole_fils = replace(able, amounts=Amounts(steps={"BHD": 10}), holds=False)
    gateways = [Gateway(GatewayConfig(name, "scripted", "", ""), able) for name in ("a", "b")]
    gateways[0] = replace(gateways[0], capabilities=whole_fils)
    simulation = Simulation(gateways, {}, RoutingConfig())
    for payment in (a_payment(amount=Money(12_345, "BHD")), a_payment(capture_method="manual")):
        simulation.add(PastPayment(payment, None))
    assert simulation.would_be == {"b": 2}
    assert dict(simulation.most_left_out()) == {
        ("a", "can't take 12.345 BHD exactly"): 1,
        ("a", "can't hold funds to be captured later"): 1,
    }

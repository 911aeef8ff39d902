"""Examples of the routes about routing, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_api.http.version_routes import versions_example
from aegis_api.payments.examples import AN_INITIATED_PAYMENT
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.versions import Version
from aegis_worker.queries.past_payments import Span
from aegis_worker.queries.simulation import Simulated
from aegis_worker.resilience.permits import Counted
from aegis_worker.routing.changes import ROUTING as ROUTING_KIND
from aegis_worker.routing.changes import installed_routing
from aegis_worker.routing.config import RoutingConfig, routing_document
from aegis_worker.routing.experiment import ArmOutcome
from aegis_worker.routing.past import Measured, PastHop, PastPayment
from aegis_worker.routing.policy import AbTest, Arm
from aegis_worker.routing.simulate import Simulation
from aegis_worker.views.experiments import experiment_body
from aegis_worker.views.simulations import simulation_body
from aegis_worker.views.versions import held_body

_REASON = "the new contract with sandbox_b begins today"
_CONFIG = {"strategy": "COST_OPTIMIZED", "fallback": ["sandbox_a", "sandbox_b"]}
_AT = datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC)
_version = Version(
    version=7,
    document=routing_document(RoutingConfig("COST_OPTIMIZED", ("sandbox_a", "sandbox_b"))),
    actor="key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
    reason=_REASON,
    created_at=_AT,
)

ROUTING = held_body(installed_routing(RoutingConfig(), ("sandbox_a", "sandbox_b")), _version)
ROUTING_PUT = {"config": _CONFIG, "reason": _REASON}
VERSIONS = versions_example(ROUTING_KIND, _version)


def _simulated() -> Simulated:
    configs = [
        GatewayConfig("sandbox_a", "sandbox", "", "", fee_fixed_minor=30, fee_basis_points=290),
        GatewayConfig("sandbox_b", "sandbox", "", "", fee_fixed_minor=10, fee_basis_points=100),
    ]
    measured = {"sandbox_a": Measured(980, 902, 212.4, 489.0), "sandbox_b": Measured(20, 19, 148.1, 302.0)}
    simulation = Simulation(
        [SandboxAdapter(config) for config in configs], measured, RoutingConfig("COST_OPTIMIZED")
    )
    payment = AN_INITIATED_PAYMENT
    for approved in (True, False, True):
        said = Counted.APPROVED if approved else Counted.DECLINED
        simulation.add(PastPayment(payment, PastHop("sandbox_a", said, approved, 198.2)))
    span = Span(_AT - timedelta(days=7), payment.id, payment.id, simulation.payments)
    return Simulated(simulation, span, complete=True)


SIMULATION_REQUEST = {"config": _CONFIG, "since": "2026-11-14T09:30:00Z", "limit": 5000}
SIMULATION = simulation_body(_simulated())
EXPERIMENT = experiment_body(
    "b-instead-of-a",
    RoutingConfig("AB_TEST", ab_test=AbTest("b-instead-of-a", (Arm("sandbox_a", 50), Arm("sandbox_b", 50)))),
    {
        "sandbox_a": ArmOutcome(1040, 912, 120, 3, 5, 1035, 221_490.0),
        "sandbox_b": ArmOutcome(1011, 948, 61, 0, 2, 1010, 149_480.0),
    },
    Span(_AT - timedelta(days=7), AN_INITIATED_PAYMENT.id, AN_INITIATED_PAYMENT.id, 2100),
)

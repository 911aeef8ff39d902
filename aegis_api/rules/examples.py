"""Examples of the routes about rules, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_api.http.version_routes import versions_example
from aegis_api.payments.examples import AN_INITIATED_PAYMENT
from aegis_worker.persistence.versions import Version
from aegis_worker.queries.past_payments import Span
from aegis_worker.queries.rules_simulation import SimulatedRules
from aegis_worker.rules.changes import RULES as RULES_KIND
from aegis_worker.rules.changes import installed_rules
from aegis_worker.rules.config import checked_rules_document, rules_document
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.simulate import RulesSimulation
from aegis_worker.views.rules_simulations import rules_simulation_body
from aegis_worker.views.versions import held_body

_REASON = "a wave of stolen cards"
_CONFIG = {
    "card_testing": {"cards_per_ip": 4, "window": "1h"},
    "rules": [
        {
            "id": "large",
            "action": "review",
            "conditions": [{"field": "amount", "operator": "gt", "value": 1000}],
        },
    ],
}
_AT = datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC)
_rules = checked_rules_document(_CONFIG)
_version = Version(
    version=3,
    document=rules_document(_rules),
    actor="key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
    reason=_REASON,
    created_at=_AT,
)


def _simulated() -> SimulatedRules:
    simulation = RulesSimulation(_rules)
    payment = AN_INITIATED_PAYMENT
    simulation.add(Asked(payment), None)
    return SimulatedRules(
        simulation, Span(_AT - timedelta(days=7), payment.id, payment.id, simulation.payments), complete=True
    )


RULES = held_body(installed_rules(RulesConfig()), _version)
RULES_PUT = {"config": _CONFIG, "reason": _REASON}
VERSIONS = versions_example(RULES_KIND, _version)
SIMULATION_REQUEST = {"config": _CONFIG, "since": "2026-11-14T09:30:00Z", "limit": 5000}
SIMULATION = rules_simulation_body(_simulated())

"""The JSON form of a simulation of rules."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.rules_simulation import SimulatedRules
from aegis_worker.rules.config import rules_document
from aegis_worker.rules.simulate import ASSUMPTIONS, Tally, amounts_of


def rules_simulation_body(simulated: SimulatedRules) -> dict[str, Any]:
    """What the rules would have done with past payments."""
    simulation = simulated.simulation
    return {
        "object": "rules_simulation",
        "since": rfc3339(simulated.span.since),
        "payments": simulation.payments,
        "complete": simulated.complete,
        "config": rules_document(simulation.config),
        "actions": [
            {"action": action.value, **_tally(tally)}
            for action, tally in reversed(simulation.actions.items())
        ],
        "rules": [
            {"rule": source.removeprefix("rule "), **_tally(tally), "examples": tally.examples}
            for source, tally in simulation.rules.items()
        ],
        "changed": [
            {"from": was.value if was is not None else None, "to": would_be.value, "payments": count}
            for (was, would_be), count in simulation.changed.most_common()
        ],
        "assumptions": list(ASSUMPTIONS),
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "payments": tally.payments,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "disputed": tally.disputed,
        "amounts": list(amounts_of(tally)),
    }

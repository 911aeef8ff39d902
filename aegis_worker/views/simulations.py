"""The JSON form of a simulation of routing."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.simulation import Simulated
from aegis_worker.routing.config import routing_document
from aegis_worker.routing.past import Measured
from aegis_worker.routing.simulate import ASSUMPTIONS, Compared, Simulation

from .values import rounded


def simulation_body(simulated: Simulated) -> dict[str, Any]:
    """Where payments would have gone, and with what results."""
    simulation = simulated.simulation
    return {
        "object": "routing_simulation",
        "since": rfc3339(simulated.span.since),
        "payments": simulation.payments,
        "complete": simulated.complete,
        "seed": simulation.seed,
        "config": routing_document(simulation.config),
        "gateways": _gateways(simulation),
        "moved": simulation.moved,
        "never_sent": simulation.never_sent,
        "no_gateway": simulation.no_gateway,
        "explored": simulation.explored,
        "moves": [
            {"from": was, "to": would_be, "payments": count}
            for (was, would_be), count in simulation.most_moves()
        ],
        "rules": [{"id": rule, "payments": count} for rule, count in simulation.rules.items()],
        "left_out": [
            {"gateway": gateway, "reason": reason, "payments": count}
            for (gateway, reason), count in simulation.most_left_out()
        ],
        "not_taken": [{"reason": reason, "payments": count} for reason, count in simulation.most_reasons()],
        "success": _compared(simulation.success, 4, "rate"),
        "latency": _compared(simulation.latency_ms, 1, "mean_ms"),
        "fees": [
            {
                "currency": currency,
                "payments": compared.payments,
                "was_minor": int(compared.was),
                "would_be_minor": int(compared.would_be),
            }
            for currency, compared in sorted(simulation.fees.items())
        ],
        "fees_unknown": simulation.fees_unknown,
        "assumptions": list(ASSUMPTIONS),
    }


def _gateways(simulation: Simulation) -> list[dict[str, Any]]:
    configured = [gateway.config.name for gateway in simulation.gateways]
    names = [*configured, *sorted(set(simulation.was) - set(configured))]
    return [
        {
            "gateway": name,
            "was": simulation.was[name],
            "would_be": simulation.would_be[name],
            **_measured(simulation.measured.get(name, Measured())),
            "expected_success_rate": (
                round(simulation.expected_rate(name), 4) if name in configured else None
            ),
        }
        for name in names
    ]


def _measured(measured: Measured) -> dict[str, Any]:
    rate = round(measured.approved / measured.judged, 4) if measured.judged else None
    return {
        "judged": measured.judged,
        "approved": measured.approved,
        "success_rate": rate,
        "latency_mean_ms": rounded(measured.latency_mean_ms, 1),
        "latency_p95_ms": rounded(measured.latency_p95_ms, 1),
    }


def _compared(compared: Compared, digits: int, unit: str) -> dict[str, Any]:
    """Means over the payments for which both sides are known."""
    payments = compared.payments
    return {
        "payments": payments,
        f"was_{unit}": rounded(compared.was / payments if payments else None, digits),
        f"would_be_{unit}": rounded(compared.would_be / payments if payments else None, digits),
    }

"""What a simulation of routing came to, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis_worker.queries.simulation import Simulated
from aegis_worker.views.simulations import simulation_body

from .amounts import sum_in_words
from .output import print_facts, print_table, remark


def print_simulation(simulated: Simulated) -> None:
    """What came of it, for a person, with what it assumes."""
    body = simulation_body(simulated)
    print_facts(
        "Simulation",
        {
            "payments accepted since (UTC)": simulated.span.since,
            "payments": body["payments"],
            "strategy": body["config"]["strategy"],
            "would go elsewhere": body["moved"],
            "that nobody takes": body["no_gateway"] or None,
            "never sent": body["never_sent"] or None,
            "explorations": body["explored"] or None,
        },
    )
    columns = ("gateway", "was", "would be", "change", "approved", "expected", "mean ms", "p95 ms")
    rows = [
        (
            one["gateway"],
            one["was"],
            one["would_be"],
            f"{one['would_be'] - one['was']:+d}",
            _percent(one["success_rate"]),
            _percent(one["expected_success_rate"]),
            one["latency_mean_ms"],
            one["latency_p95_ms"],
        )
        for one in body["gateways"]
    ]
    print_table("Payments by first gateway", columns, rows)
    print_table("What that comes to", ("", "was", "would be", "of payments"), list(_outcomes(body)))
    if body["moves"]:
        moves = [(one["from"] or "none", one["to"] or "none", one["payments"]) for one in body["moves"]]
        print_table("Moves", ("from", "to", "payments"), moves)
    if body["rules"]:
        print_table("Rules", ("rule", "decided"), [(one["id"], one["payments"]) for one in body["rules"]])
    if body["left_out"]:
        left_out = [(one["gateway"], one["reason"], one["payments"]) for one in body["left_out"]]
        print_table("No candidates", ("gateway", "why", "payments"), left_out)
    if body["not_taken"]:
        reasons = [(one["reason"], one["payments"]) for one in body["not_taken"]]
        print_table("Why nobody takes them", ("reason", "payments"), reasons)
    for assumption in body["assumptions"]:
        remark(f"- {assumption}")


def _outcomes(body: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    success, latency = body["success"], body["latency"]
    yield (
        "approved at the first gateway",
        _percent(success["was_rate"]),
        _percent(success["would_be_rate"]),
        success["payments"],
    )
    yield "mean latency, ms", latency["was_mean_ms"], latency["would_be_mean_ms"], latency["payments"]
    for fees in body["fees"]:
        currency = fees["currency"]
        yield (
            f"fees in {currency}",
            sum_in_words(fees["was_minor"], currency),
            sum_in_words(fees["would_be_minor"], currency),
            fees["payments"],
        )


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{100 * rate:.1f} %"

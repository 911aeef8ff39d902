"""Route a batch of claimed jobs: one look at health and configuration for all, one decision for each."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.persistence.mapping import ClaimedJob
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.router import Decision, decide, needs_turn

from .parts import PipelineParts
from .work import Route, Work


def routed(parts: PipelineParts, table: RoutingTable, jobs: Sequence[ClaimedJob]) -> list[Work]:
    """The jobs as work, each with where its payment may go."""
    health = parts.gates.health()
    configs = [gateway.config for gateway in parts.gateways.values()]
    capabilities = {name: gateway.capabilities for name, gateway in parts.gateways.items()}
    retries = {config.name: config.retry for config in configs}
    turn = parts.gates.turns(len(jobs)) if needs_turn(table.config) else 0
    works = []
    for place, job in enumerate(jobs):
        decision = decide(
            job.payment,
            configs,
            health,
            table.config,
            parts.rng,
            turn=turn + place,
            paused=table.paused,
            hooks=parts.routing_hooks,
        )
        route = Route(_as_decided(job, decision), capabilities, retries, table.version)
        works.append(Work(job, job.payment, list(job.attempts), route, parts.rng))
    return works


def _as_decided(job: ClaimedJob, decision: Decision) -> Decision:
    """For a payment that was routed before, the order of its first hop, of the gateways that may take it now."""
    first = next((attempt.candidates for attempt in job.attempts if attempt.candidates), ())
    if not first:
        return decision
    kept = [name for name in first if name in decision.candidates]
    others = [name for name in decision.candidates if name not in first]
    return Decision((*kept, *others), decision.left_out, decision.back_in_s, decision.strategy)

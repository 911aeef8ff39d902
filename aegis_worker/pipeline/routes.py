"""Route a batch of claimed jobs: one look at health and configuration for all, one decision for each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from aegis_worker.domain.confirms import deciding_last
from aegis_worker.domain.instruments import likeness
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.router import Decision, decide, goes_by_eligibility, needs_turn

from .parts import PipelineParts
from .work import Route, Work


def routed(parts: PipelineParts, table: RoutingTable, jobs: Sequence[ClaimedJob]) -> list[Work]:
    """The jobs as work, each with where its payment may go."""
    health = parts.gates.health()
    gateways = list(parts.gateways.values())
    configs = {name: gateway.config for name, gateway in parts.gateways.items()}
    capabilities = {name: gateway.capabilities for name, gateway in parts.gateways.items()}
    turns = count(_first_turn(parts, table, jobs))
    # With the shipped routing most payments of a batch get the same decision, and finding it costs a tenth of making it.
    alike: dict[Any, Decision] | None = {} if goes_by_eligibility(table.config, parts.routing_hooks) else None
    works = []
    for job in jobs:
        payment = job.payment
        terms, country = payment.terms, payment.customer.get("country")
        key = payment.mode, terms.amount, likeness(terms.payment_method), country, terms.capture_method
        decision = alike.get(key) if alike is not None else None
        if decision is None:
            decision = decide(
                payment,
                gateways,
                health,
                table.config,
                parts.rng,
                turn=0 if job.attempts else next(turns),
                paused=table.paused,
                hooks=parts.routing_hooks,
            )
            if alike is not None:
                alike[key] = decision
        route = Route(as_decided(job, decision), capabilities, configs, table.version)
        attempts = deciding_last(job.payment, job.attempts)
        held_until_s = job.claimed_at_s + parts.lease_s
        works.append(Work(job, job.payment, attempts, route, held_until_s=held_until_s))
    return works


def as_decided(job: ClaimedJob, decision: Decision) -> Decision:
    """For a payment that was routed before, the order of its first hop, of the gateways that may take it now."""
    first = next((attempt.candidates for attempt in job.attempts if attempt.candidates), ())
    if not first:
        return decision
    kept = [name for name in first if name in decision.candidates]
    others = [name for name in decision.candidates if name not in first]
    return Decision((*kept, *others), decision.left_out, decision.back_in_s, decision.strategy)


def _first_turn(parts: PipelineParts, table: RoutingTable, jobs: Sequence[ClaimedJob]) -> int:
    """Only payments that were never tried take turns in the round robin. Otherwise a gateway with two candidates would get
    half of all traffic.
    """
    untried = sum(not job.attempts for job in jobs)
    return parts.gates.turns(untried) if untried and needs_turn(table.config) else 0

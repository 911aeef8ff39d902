"""Route a batch of claimed jobs: one look at health and configuration for all, one decision for each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.confirms import deciding_last
from aegis_worker.domain.instruments import likeness
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.payment import Payment
from aegis_worker.hooks import GatewayFacts
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.eligibility import sort_out
from aegis_worker.routing.router import Decision, decide, goes_by_eligibility, needs_turn

from .operations.asking import may_be_screened
from .parts import PipelineParts
from .work import Asks, Route, Work

# Of a payment that hooks and rules are asked about first: what they say may decide where it goes.
_UNDECIDED = Decision((), {}, because="nobody was asked yet")


def routed(parts: PipelineParts, table: RoutingTable, jobs: Sequence[ClaimedJob], asks: Asks) -> list[Work]:
    """The jobs as work, each with where its payment may go, unless `asks` has it screened before."""
    waiting = {job.id for job in jobs if may_be_screened(job)} if asks.screening else set()
    routing = _Routing(parts, table, sum(not job.attempts and job.id not in waiting for job in jobs))
    works = []
    for job in jobs:
        route = routing.undecided if job.id in waiting else routing.route(job.payment, job.attempts)
        attempts = deciding_last(job.payment, job.attempts)
        held_until_s = job.claimed_at_s + parts.lease_s
        works.append(Work(job, job.payment, attempts, route, held_until_s=held_until_s, asks=asks))
    return works


def routed_once_screened(
    parts: PipelineParts, table: RoutingTable, payments: Sequence[Payment]
) -> list[Route]:
    """Where these payments may go, which were never tried and have been screened."""
    routing = _Routing(parts, table, len(payments))
    return [routing.route(payment, ()) for payment in payments]


def gateways_for(
    parts: PipelineParts, table: RoutingTable, payments: Sequence[Payment]
) -> list[tuple[GatewayFacts, ...]]:
    """The gateways that may take each of the payments, in configured order, as routing hooks are shown them."""
    health, gateways = parts.gates.health(), list(parts.gateways.values())
    shown = {}
    for gateway in gateways:
        known, config = health.get(gateway.config.name), gateway.config
        shown[config.name] = (
            GatewayFacts(config.name)
            if known is None
            else GatewayFacts(
                config.name,
                score=known.score,
                breaker=known.state.value,
                approved=known.approved,
                judged=known.judged,
                latency_mean_ms=known.latency_mean_ms,
            )
        )
    return [
        tuple(shown[config.name] for config in sort_out(payment, gateways, health, table.paused)[0])
        for payment in payments
    ]


class _Routing:
    """One look at health and configuration, and the decisions made by it. `untried`: how many take a turn of the round
    robin. Only payments that were never tried do. Otherwise a gateway with two candidates would get half of all traffic.
    """

    def __init__(self, parts: PipelineParts, table: RoutingTable, untried: int) -> None:
        self._table, self._rng = table, parts.rng
        self._health = parts.gates.health()
        self._gateways = list(parts.gateways.values())
        self._configs = {name: gateway.config for name, gateway in parts.gateways.items()}
        self._capabilities = {name: gateway.capabilities for name, gateway in parts.gateways.items()}
        self._turns = count(parts.gates.turns(untried) if untried and needs_turn(table.config) else 0)
        # With the shipped routing most payments of a batch get the same decision, and finding it costs a tenth of making
        # it.
        self._alike: dict[Any, Decision] | None = {} if goes_by_eligibility(table.config) else None

    @property
    def undecided(self) -> Route:
        """Where nothing is decided yet."""
        return self._as_route(_UNDECIDED)

    def route(self, payment: Payment, attempts: Sequence[Attempt]) -> Route:
        """Where the payment may go. One that was routed before keeps the order of its first hop."""
        alike = self._alike if payment.screening is None else None
        if alike is None:
            return self._as_route(as_decided(attempts, self._decide(payment, attempts)))
        terms, country = payment.terms, payment.customer.get("country")
        key = payment.mode, terms.amount, likeness(terms.payment_method), country, terms.capture_method
        decision = alike.get(key)
        if decision is None:
            decision = alike[key] = self._decide(payment, attempts)
        return self._as_route(as_decided(attempts, decision))

    def _decide(self, payment: Payment, attempts: Sequence[Attempt]) -> Decision:
        return decide(
            payment,
            self._gateways,
            self._health,
            self._table.config,
            self._rng,
            turn=0 if attempts else next(self._turns),
            paused=self._table.paused,
        )

    def _as_route(self, decision: Decision) -> Route:
        return Route(decision, self._capabilities, self._configs, self._table.version)


def as_decided(attempts: Sequence[Attempt], decision: Decision) -> Decision:
    """For a payment that was routed before, the order of its first hop, of the gateways that may take it now."""
    first = next((attempt.candidates for attempt in attempts if attempt.candidates), ())
    if not first:
        return decision
    kept = [name for name in first if name in decision.candidates]
    others = [name for name in decision.candidates if name not in first]
    return Decision((*kept, *others), decision.left_out, decision.back_in_s, decision.strategy)

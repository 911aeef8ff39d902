"""A draft of the routing configuration, tried on the payments of a period. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis_worker.persistence.database import Database
from aegis_worker.routing.eligibility import Candidate
from aegis_worker.routing.policy import RoutingConfig
from aegis_worker.routing.simulate import Simulation

from . import past_payments
from .past_payments import Span


@dataclass(frozen=True, slots=True)
class Simulated:
    """The result. `complete`: every payment of `span` was replayed, and not only as many as the time allowed."""

    simulation: Simulation
    span: Span
    complete: bool


def simulate(
    database: Database,
    span: Span,
    gateways: Sequence[Candidate],
    config: RoutingConfig,
    *,
    seed: int,
    budget_s: float | None = None,
    replayed: Callable[[int], object] = lambda payments: None,
) -> Simulated:
    """Replay these payments, the newest first, for no longer than about `budget_s`.

    `replayed` is called with the number of payments done since its last call. Raises DatabaseUnavailable.
    """
    ends_at = None if budget_s is None else time.monotonic() + budget_s
    with database.read() as connection:
        measured = past_payments.measure(connection, span)
    simulation = Simulation(gateways, measured, config, seed)
    for page in past_payments.pages(database, span):
        if ends_at is not None and time.monotonic() > ends_at:
            return Simulated(simulation, span, complete=False)
        for past in page:
            simulation.add(past)
        replayed(len(page))
    return Simulated(simulation, span, complete=True)

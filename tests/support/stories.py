"""For tests of stories: tables under a story's clock, and a gateway whose answers the test chooses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aegis_worker.domain.outcomes import Approved, Lookup, NotFound, Operation, Outcome
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.lab.stories.installation import StoryGateway, StoryInstallation, StoryTables, story_tables
from aegis_worker.lab.stories.stepped import SteppedWorker
from aegis_worker.pipeline.work import Policy
from aegis_worker.resilience.permits import Verdict

LEASE_S = 90.0
POLICY = Policy(max_attempts=3, verify_ladder_s=(10.0, 30.0, 60.0), poison_cap=5)


@contextmanager
def tables_of_stories(stores: Stores) -> Iterator[StoryTables]:
    """In a database of their own: those of other tests end each other's connections."""
    url = stores.postgres.further_database("aegis_stories", "stories")
    with story_tables(url, "told") as tables:
        yield tables


class Ledger:
    """Which keys a gateway has charged, as often as it was called."""

    def __init__(self, installation: StoryInstallation, *names: str) -> None:
        self.charged: list[str] = []
        self.gateways = {name: self._gateway(installation, name) for name in names}

    def _gateway(self, installation: StoryInstallation, name: str) -> StoryGateway:
        capabilities = Capabilities((Operation.PROCESS,), 600.0, 120.0, bare_tokens=re.compile(".+"))
        config = GatewayConfig(name, "told", "", "", connect_timeout_s=0.0, timeout_s=10.0)
        return StoryGateway(config, capabilities, self._call(name), self._ask, installation.halts.come_by)

    def _call(self, name: str) -> Callable[[GatewayRequest], Outcome]:
        def call(request: GatewayRequest) -> Outcome:
            if request.idempotency_key not in self.charged:
                self.charged.append(request.idempotency_key)
            return Approved(f"ch_{name}_{request.idempotency_key[-2:]}")

        return call

    def _ask(self, query: StatusQuery) -> Lookup:
        if query.reference not in self.charged:
            return NotFound()
        return Approved(f"ch_a_{query.reference[-2:]}")


def worker(
    installation: StoryInstallation, name: str, ledger: Ledger, queue: str = "payments"
) -> SteppedWorker:
    """A worker that has not begun."""
    return installation.worker(
        name,
        queue,
        ledger.gateways,
        lambda wanted: Verdict(granted=True),
        policy=POLICY,
        lease_s=LEASE_S,
        draw=lambda: 0.5,
    )

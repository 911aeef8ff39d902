"""What routing by what was measured would have done with the demo's payments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_worker.queries.past_payments import MOST_PAYMENTS, newest
from aegis_worker.queries.simulation import simulate
from aegis_worker.routing.config import checked_routing
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import remark
from aegis_worker.terminal.simulation import print_simulation

_DRAFT = {"strategy": "METRICS_BASED"}
_LONGEST_DEMO = timedelta(days=1)


def print_draft() -> None:
    """Replay the payments through the draft and print what would have changed."""
    remark(f"aegis demo: the same payments, had routing been {_DRAFT['strategy']}")
    gateways = configured_gateways()
    with opened_database() as database:
        span = newest(database, since=datetime.now(UTC) - _LONGEST_DEMO, limit=MOST_PAYMENTS)
        draft = checked_routing(_DRAFT, gateways)
        print_simulation(simulate(database, span, list(gateways.values()), draft, seed=1))

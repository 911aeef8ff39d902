"""The JSON form of what is overdue."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.stuck import StuckReport


def stuck_body(report: StuckReport) -> dict[str, Any]:
    """What is overdue."""
    return {
        "object": "stuck",
        "as_of": rfc3339(report.as_of),
        "data": [
            {
                "kind": stuck.kind,
                "id": stuck.id,
                "payment_id": stuck.payment_id,
                "merchant_id": stuck.merchant_id,
                "since": rfc3339(stuck.since),
                "overdue_s": round(stuck.overdue_s, 1),
                "why": stuck.why,
                "what_to_do": stuck.what_to_do,
            }
            for stuck in report.found
        ],
        "more": list(report.more),
    }

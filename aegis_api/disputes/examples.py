"""An example of a dispute, rendered by the same function as real answers."""

from __future__ import annotations

from datetime import timedelta

from aegis_api.jobs.examples import A_JOB
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import Dispute, DisputeReport
from aegis_worker.domain.money import Money
from aegis_worker.queries.entities import StoredDispute
from aegis_worker.views.entities import dispute_body

_SHOWN = DisputeReport(
    "dp_1Pgc71",
    "ch_8c1f",
    Money(1999, "USD"),
    DisputeStatus.NEEDS_RESPONSE,
    "needs_response",
    "product_not_received",
    "product_not_received",
    A_JOB.created_at + timedelta(days=7),
)
DISPUTE = dispute_body(
    StoredDispute(
        Dispute(
            id="dsp_0199a7c5a0f47d5a8f0e6b1c2d3e4f55",
            payment_id=A_JOB.payment_id,
            gateway="sandbox_a",
            own_charge=True,
            status=DisputeStatus.NEEDS_RESPONSE,
            shown=_SHOWN,
        ),
        A_JOB.created_at,
        A_JOB.updated_at,
    )
)

"""The example of an explanation, composed and rendered by the same functions as a real one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from aegis_api.jobs.examples import A_JOB
from aegis_api.payments.examples import A_STORED_ATTEMPT, AN_ATTEMPT, AN_INITIATED_PAYMENT
from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.queries.case_file import CaseFile
from aegis_worker.queries.explain import explain
from aegis_worker.queries.history import StoredEvent
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.views.explanations import explanation_body

_at = A_STORED_ATTEMPT.sent_at
_payment = replace(
    AN_INITIATED_PAYMENT, state=State.PROCESSING, version=3, certainty="unknown", gateway=AN_ATTEMPT.gateway
)
_told: tuple[tuple[EventType, Mapping[str, Any]], ...] = (
    (EventType.PROCESSING, {"gateway": AN_ATTEMPT.gateway, "attempt": 1}),
    (EventType.IN_DOUBT, {"gateway": AN_ATTEMPT.gateway, "reason": "read timeout"}),
)

EXPLANATION = explanation_body(
    explain(
        CaseFile(
            now=_at + timedelta(seconds=12),
            stored=StoredPayment(_payment, _at, _at),
            frozen_at=None,
            job=replace(
                A_JOB,
                queue="verify",
                status="waiting",
                reason="read timeout",
                result=None,
                run_at=_at + timedelta(seconds=18),
                finished_at=None,
            ),
            lease_until=None,
            claimed_by=None,
            events=[
                StoredEvent(_payment.id, seq, kind, data, _at + timedelta(seconds=8 * (seq - 2)))
                for seq, (kind, data) in enumerate(_told, 2)
            ],
            attempts=[
                replace(
                    A_STORED_ATTEMPT,
                    attempt=replace(
                        AN_ATTEMPT,
                        status=AttemptStatus.UNKNOWN,
                        gateway_ref=None,
                        outcome=StoredOutcome(reason="read timeout"),
                    ),
                    decision={
                        "candidates": ["sandbox_a", "sandbox_b"],
                        "left_out": {},
                        "because": "first in configured order",
                    },
                    latency_ms=8003.1,
                    answered_at=_at + timedelta(seconds=8),
                )
            ],
            recheck_at=None,
            incidents=[],
            decisions_of_people=[],
        )
    ),
    for_operators=False,
)

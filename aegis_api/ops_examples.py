"""Examples of the operators' routes, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime

from aegis_worker.persistence.audit_log import Entry

from .representations import audit_entry_body, list_body

_AT = datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC)

AUDIT_LOG = list_body(
    [
        audit_entry_body(
            Entry(
                seq=1,
                at=_AT,
                actor="cli:asha",
                action="api_key.created",
                payment_id=None,
                details={
                    "key_id": "key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54",
                    "role": "operator",
                    "label": "night",
                },
                previous_hash=bytes(32),
                hash=bytes(range(32)),
            )
        )
    ],
    None,
)

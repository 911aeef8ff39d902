"""What payers have to do, sealed (`action_secrets`): event, row and webhook have its type and end alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection

from aegis_worker.domain.changes import Change
from aegis_worker.sealing.ring import KeyRing

_PLACE = "action_secrets"

_KEEP = """
INSERT INTO action_secrets (payment_id, sealed)
SELECT payment_id, sealed FROM unnest(%(ids)s::text[], %(sealed)s::bytea[]) AS given(payment_id, sealed)
ON CONFLICT (payment_id) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at
"""

_SEALED = "SELECT sealed FROM action_secrets WHERE payment_id = %(payment_id)s"


def keep_actions(connection: Connection, ring: KeyRing, changes: Sequence[Change]) -> None:
    """Keep the actions that the changes bring, in their transaction. Makes no statement where there is none."""
    actions = {change.payment.id: change.action for change in changes if change.action is not None}
    if not actions:
        return
    sealed = [
        ring.seal(json.dumps(action.told).encode(), _PLACE, payment_id)
        for payment_id, action in actions.items()
    ]
    connection.exec_driver_sql(_KEEP, {"ids": list(actions), "sealed": sealed})


def action_of(connection: Connection, ring: KeyRing, payment_id: str) -> dict[str, Any] | None:
    """What the payer of this payment has to do, as `NextAction.told`; None where that is over. Raises CannotUnseal."""
    sealed = connection.exec_driver_sql(_SEALED, {"payment_id": payment_id}).scalar_one_or_none()
    if sealed is None:
        return None
    return cast("dict[str, Any]", json.loads(ring.unseal(bytes(sealed), _PLACE, payment_id)))

"""The JSON form of an entry of the audit log."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.audit_log import Entry


def audit_entry_body(entry: Entry) -> dict[str, Any]:
    """An entry of the audit log; hashes in hexadecimal digits."""
    return {
        "object": "audit_log_entry",
        "seq": entry.seq,
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "payment_id": entry.payment_id,
        "details": entry.details,
        "previous_hash": entry.previous_hash.hex(),
        "hash": entry.hash.hex(),
    }

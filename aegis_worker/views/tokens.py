"""The JSON form of a card in the vault."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aegis_worker.domain.cards import VaultedCard
from aegis_worker.domain.moments import rfc3339


def token_body(card: VaultedCard, created_at: datetime) -> dict[str, Any]:
    """A token, and what may be known of its card."""
    return {
        "id": card.token,
        "object": "token",
        "usage": "kept" if card.kept else "once",
        "network": card.network,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
        "has_security_code": card.with_code,
        "created_at": rfc3339(created_at),
    }

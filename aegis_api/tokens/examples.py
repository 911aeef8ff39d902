"""Examples of tokens, rendered by the same functions as real answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aegis_worker.domain.cards import VaultedCard
from aegis_worker.views.pages import list_body
from aegis_worker.views.tokens import token_body

_MADE_AT = datetime(2026, 11, 20, 9, 30, 0, tzinfo=UTC)
A_CARD = VaultedCard(
    token="card_0199a7c5a0f47d5a8f0e6b1c2d3e4f50",
    network="visa",
    last4="1111",
    exp_month=11,
    exp_year=2030,
    fingerprint="5b2c0f7de1a94c6d8e3f0a1b2c4d5e6f",
    kept=True,
    with_code=True,
)
TOKEN_REQUEST: Mapping[str, Any] = {
    "card": {
        "number": "4111111111111111",
        "exp_month": 11,
        "exp_year": 2030,
        "cvc": "737",
        "holder": "Asha Rao",
    },
    "usage": "kept",
    "customer": {"id": "cus_117"},
}
TOKEN: Mapping[str, Any] = token_body(A_CARD, _MADE_AT)
TOKENS: Mapping[str, Any] = list_body([token_body(A_CARD, _MADE_AT)], None)

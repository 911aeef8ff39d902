"""What of the sandbox's calls and answers is kept for people to read; see `kit.allow_list`."""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_PAYMENT = {
    "id",
    "object",
    "reference",
    "status",
    "amount",
    "currency",
    "amount_authorized",
    "amount_captured",
    "amount_refunded",
    "capture_before",
    "capture_method",
    "payment_method.type",
    "next_action.type",
    "next_action.expires_at",
    "last_error.code",
    "metadata.merchant_payment_id",
    "created",
    *below("operations", ("id", "operation", "reference", "amount", "status", "error_code")),
}

SANDBOX = AllowList(
    headers=frozenset({"content-type", "idempotency-key", "idempotent-replayed", "retry-after"}),
    query=frozenset({"reference"}),
    sent=frozenset(
        {
            "reference",
            "amount",
            "currency",
            "capture_method",
            "final",
            "off_session",
            "payment_method.type",
            "metadata.merchant_payment_id",
        }
    ),
    received=frozenset(
        {
            *_PAYMENT,
            *below("payment", _PAYMENT),
            *below("data", _PAYMENT),
            *below("error", ("type", "code")),
            "payment_id",
        }
    ),
)

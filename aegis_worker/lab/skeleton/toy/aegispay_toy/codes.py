"""The gateway's words: its decline codes in AegisPay's, its doubtful errors, and which of its fields may be kept."""

from aegis_worker.gateways import interface as aegis

# By the gateway's code the one of aegis_worker/domain/declines.py. Any other code is a generic decline.
DECLINE_CODES = {
    "authentication_failed": "authentication_failed",
    "insufficient_funds": "insufficient_funds",
    "issuer_unavailable": "issuer_unavailable",
    "lost_card": "lost_card",
    "stolen_card": "stolen_card",
}
# Errors after which the call may have happened all the same: another one holds its key.
DOUBTS = frozenset({"idempotency_mismatch", "key_in_use"})
# Ids, amounts, codes and statuses. Never what charges or opens something, who pays, or free text.
_PAYMENT = ("id", "reference", "state", "amount", "currency", "taken", "returned", "code", "held_until")
KEPT = aegis.AllowList(
    headers=frozenset({"content-type", "idempotency-key", "retry-after"}),
    query=frozenset({"reference"}),
    sent=frozenset({"reference", "amount", "currency", "hold", "order", "final"}),
    received=frozenset({*_PAYMENT, *aegis.below("payments", _PAYMENT), *aegis.below("changes", _PAYMENT)}),
)

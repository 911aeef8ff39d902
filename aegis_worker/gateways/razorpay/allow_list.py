"""What of Razorpay's calls and answers is kept for people to read; see `kit.allow_list`.

Not who pays (email, contact, vpa, card), nor what is freely worded. Source of the fields:
github.com/razorpay/markdown-docs, api/.
"""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_NOTED = below("notes", ("instrument", "merchant_payment_id", "method", "reference"))
_ORDER = {"amount_due", "amount_paid", "attempts", "receipt"}
_PAYMENT = {
    "amount_refunded",
    "captured",
    "error_code",
    "error_reason",
    "error_source",
    "error_step",
    "international",
    "method",
    "order_id",
    "refund_status",
}
_REFUND = {"payment_id", "receipt", "speed_processed"}
_DISPUTE = {"amount_deducted", "payment_id", "phase", "reason_code", "respond_by"}
_SHOWN = {
    *_NOTED,
    *_ORDER,
    *_PAYMENT,
    *_REFUND,
    *_DISPUTE,
    "amount",
    "created_at",
    "currency",
    "entity",
    "id",
    "status",
}
_ERROR = {"code", "field", "reason", "step", *below("metadata", ("order_id", "payment_id"))}

RAZORPAY = AllowList(
    headers=frozenset({"content-type", "date", "retry-after", "x-refund-idempotency"}),
    query=frozenset({"count", "receipt", "skip"}),
    sent=frozenset(
        {
            *_NOTED,
            *below("payment", ("capture",)),
            *below("payment.capture_options", ("manual_expiry_period", "refund_speed")),
            "amount",
            "currency",
            "receipt",
            "speed",
            "unique_receipt",
        }
    ),
    received=frozenset({*_SHOWN, *below("items", _SHOWN), *below("error", _ERROR), "count"}),
)

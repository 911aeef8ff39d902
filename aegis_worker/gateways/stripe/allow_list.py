"""What of Stripe's calls and answers is kept for people to read; see `kit.allow_list`.

Not the ids of payment methods and customers: whoever has a key can charge with them. Source of the fields:
docs.stripe.com/api/payment_intents/object, docs.stripe.com/api/charges/object, docs.stripe.com/api/refunds/object,
docs.stripe.com/api/errors.
"""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_OUR_REFERENCES = below("metadata", ("reference", "merchant_payment_id"))
_ERROR = {
    "advice_code",
    "charge",
    "code",
    "decline_code",
    "network_advice_code",
    "network_decline_code",
    "param",
    "type",
}
_OF_ALL = {"id", "object", "amount", "created", "currency", "livemode", "status", *_OUR_REFERENCES}
_CHARGE = {
    *_OF_ALL,
    "amount_captured",
    "amount_refunded",
    "balance_transaction",
    "captured",
    "disputed",
    "failure_code",
    "paid",
    "payment_intent",
    "refunded",
    *below(
        "outcome", ("advice_code", "network_advice_code", "network_decline_code", "network_status", "reason")
    ),
    *below("outcome", ("risk_level", "type")),
    "payment_method_details.type",
    *below(
        "payment_method_details.card", ("amount_authorized", "brand", "capture_before", "country", "network")
    ),
    "payment_method_details.card.network_transaction_id",
    "payment_method_details.card.overcapture.status",
    "payment_method_details.card.multicapture.status",
    *below("payment_method_details.card.three_d_secure", ("result", "result_reason", "version")),
}
_INTENT = {
    *_OF_ALL,
    "amount_capturable",
    "amount_received",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "confirmation_method",
    # Its id where it is not expanded.
    "latest_charge",
    *below("latest_charge", _CHARGE),
    *below("last_payment_error", _ERROR),
    "next_action.type",
    "payment_method_types",
    "processing.type",
    "setup_future_usage",
}
_REFUND = {*_OF_ALL, "balance_transaction", "charge", "failure_reason", "payment_intent", "reason"}

STRIPE = AllowList(
    headers=frozenset(
        {
            "content-type",
            "idempotency-key",
            "idempotent-replayed",
            "original-request",
            "request-id",
            "retry-after",
            "stripe-account",
            "stripe-should-retry",
            "stripe-version",
        }
    ),
    query=frozenset({"expand", "limit", "payment_intent", "starting_after"}),
    sent=frozenset(
        {
            "allowed_payment_method_types",
            "amount",
            "amount_to_capture",
            "capture_method",
            "currency",
            "final_capture",
            "off_session",
            "payment_intent",
            "payment_method_data.type",
            "payment_method_options.card.mit_exemption.network_transaction_id",
            "payment_method_options.card.request_multicapture",
            "setup_future_usage",
            "use_stripe_sdk",
            *_OUR_REFERENCES,
        }
    ),
    received=frozenset(
        {
            *_INTENT,
            *_REFUND,
            *below("data", _REFUND),
            "has_more",
            *below("error", _ERROR),
            *below("error.payment_intent", _INTENT),
        }
    ),
)

"""What of PayPal's calls and answers is kept for people to read; see `kit.allow_list`.

Not access tokens, vault ids and approve links: whoever has one acts as the merchant or the payer. Nor who pays. Source of
the fields: developer.paypal.com/docs/api/orders/v2, …/payments/v2.
"""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_MONEY = below("amount", ("currency_code", "value"))
_PROCESSOR = below("processor_response", ("avs_code", "cvv_code", "payment_advice_code", "response_code"))
_MADE = {
    *_MONEY,
    *_PROCESSOR,
    "create_time",
    "custom_id",
    "expiration_time",
    "final_capture",
    "id",
    "invoice_id",
    "payee.merchant_id",
    "status",
    "status_details.reason",
    "update_time",
    *below("supplementary_data.related_ids", ("authorization_id", "capture_id", "order_id")),
}
_UNIT = {*_MONEY, "custom_id", "invoice_id", "payee.merchant_id", "reference_id"}
_ERROR = {"debug_id", "details.field", "details.issue", "details.location", "error"}

PAYPAL = AllowList(
    headers=frozenset(
        {"content-type", "date", "paypal-debug-id", "paypal-request-id", "prefer", "retry-after"}
    ),
    sent=frozenset(
        {
            *_MONEY,
            "custom_id",
            "final_capture",
            "grant_type",
            "intent",
            "invoice_id",
            *below("payment_source.card.stored_credential", ("payment_initiator", "payment_type", "usage")),
            *below("purchase_units", _UNIT),
        }
    ),
    received=frozenset(
        {
            *_ERROR,
            *_MADE,
            "expires_in",
            "intent",
            "links.rel",
            "payment_source.card.brand",
            *below("purchase_units", _UNIT),
            *below("purchase_units.payments.authorizations", _MADE),
            *below("purchase_units.payments.captures", _MADE),
            *below("purchase_units.payments.refunds", _MADE),
            "token_type",
        }
    ),
)

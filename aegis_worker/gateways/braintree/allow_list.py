"""What of Braintree's calls and answers is kept for people to read; see `kit.allow_list`.

Not nonces, tokens and customers: whoever has a key can charge with them. Nor who pays. Source of the fields:
developer.paypal.com/braintree/docs/reference/response/transaction.
"""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_TRANSACTION = {
    "id",
    "amount",
    "authorization-expires-at",
    "authorized-transaction-id",
    "avs-error-response-code",
    "avs-postal-code-response-code",
    "avs-street-address-response-code",
    "created-at",
    "currency-iso-code",
    "cvv-response-code",
    "duplicate-of-transaction-id",
    "gateway-rejection-reason",
    "merchant-account-id",
    "merchant-advice-code",
    "network-response-code",
    "network-transaction-id",
    "order-id",
    "payment-instrument-type",
    "processor-response-code",
    "processor-response-type",
    "processor-settlement-response-code",
    "refund-ids",
    "refunded-transaction-id",
    "settlement-batch-id",
    "status",
    *below("status-history", ("amount", "status", "timestamp", "transaction-source")),
    "type",
    "updated-at",
    *below("disputes", ("id", "status", "kind", "amount-disputed")),
}
_ORDERED = {"amount", "api-request-key", "merchant-account-id", "options.submit-for-settlement", "order-id"}
_ERRORS = {
    f"errors.{place}errors.{name}"
    for place in ("", "transaction.", "transaction.credit-card.")
    for name in ("code", "attribute")
}

BRAINTREE = AllowList(
    headers=frozenset({"accept", "content-type", "retry-after", "x-apiversion", "x-request-id"}),
    sent=frozenset(
        {
            *below("transaction", {*_ORDERED, "transaction-source", "type"}),
            "search.ids",
            "search.order-id.is",
        }
    ),
    received=frozenset(
        {
            *below("transaction", _TRANSACTION),
            *below("credit-card-transactions", _TRANSACTION),
            *below("api-error-response", {*below("transaction", _TRANSACTION), *_ERRORS}),
            *below("api-error-response.params.transaction", {*_ORDERED, "type"}),
            "search-results.ids",
            "search-results.page-size",
        }
    ),
)

"""What Braintree does not accept, each with its code: …/reference/general/validation-errors/all. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_TRANSACTION = ("transaction",)
_CARD = ("transaction", "credit_card")
_EXTERNAL_VAULT = ("transaction", "external_vault")
_KEY = "api_request_key"


@dataclass(frozen=True, slots=True)
class Validation:
    """`path`: under which objects of the tree of errors it stands. `attribute`: the field, or `base`."""

    code: str
    message: str
    attribute: str = "base"
    path: tuple[str, ...] = _TRANSACTION


VALIDATIONS = {
    "amount_required": Validation("81502", "Amount is required.", "amount"),
    "amount_negative": Validation("81501", "Amount cannot be negative.", "amount"),
    "amount_format": Validation("81503", "Amount is an invalid format.", "amount"),
    "amount_large": Validation("81528", "Amount is too large.", "amount"),
    "amount_zero": Validation("81531", "Amount must be greater than zero.", "amount"),
    "account_invalid": Validation("91513", "Merchant account ID is invalid.", "merchant_account_id"),
    "type_required": Validation("91524", "Type is required.", "type"),
    "type_invalid": Validation("91523", "Type is invalid.", "type"),
    "order_id_long": Validation("91501", "Order ID is too long.", "order_id"),
    "custom_field": Validation("91526", "Custom field is invalid:", "custom_fields"),
    "card_required": Validation(
        "91508", "Need a customer_id, payment_method_token, credit_card, or subscription_id."
    ),
    "method_conflict": Validation("91515", "Cannot provide both payment_method_token and credit_card."),
    "nonce_consumed": Validation(
        "91564", "Cannot use a payment_method_nonce more than once.", "payment_method_nonce"
    ),
    "nonce_unknown": Validation("91565", "Unknown or expired payment_method_nonce.", "payment_method_nonce"),
    "token_invalid": Validation("91518", "Payment method token is invalid.", "payment_method_token"),
    "customer_invalid": Validation("91510", "Customer ID is invalid.", "customer_id"),
    "number_invalid": Validation("81715", "Credit card number is invalid.", "number", _CARD),
    "number_required": Validation("81714", "Credit card number is required.", "number", _CARD),
    "number_no_test": Validation(
        "81717", "Credit card number is not an accepted test number.", "number", _CARD
    ),
    "expiration_required": Validation("81709", "Expiration date is required.", "expiration_date", _CARD),
    "expiration_invalid": Validation("81710", "Expiration date is invalid.", "expiration_date", _CARD),
    "cvv_invalid": Validation(
        "81707", "CVV must be 4 digits for American Express and 3 for others.", "cvv", _CARD
    ),
    "source_invalid": Validation("915133", "Transaction source is invalid.", "transaction_source"),
    "external_instrument": Validation(
        "915176", "This payment instrument does not support external vaults.", "external_vault"
    ),
    "external_status": Validation("915175", "External vault status is invalid.", "status", _EXTERNAL_VAULT),
    "external_status_earlier": Validation(
        "915177",
        "External vault status is invalid with a previous network transaction ID.",
        "status",
        _EXTERNAL_VAULT,
    ),
    "external_earlier": Validation(
        "915179",
        "Previous network transaction ID is invalid.",
        "previous_network_transaction_id",
        _EXTERNAL_VAULT,
    ),
    "not_voidable": Validation(
        "91504",
        "Transaction can only be voided if status is authorized, submitted_for_settlement, or - for PayPal -"
        " settlement_pending.",
    ),
    "no_refund_of_credit": Validation("91505", "Cannot refund credit."),
    "refund_unsettled": Validation("91506", "Cannot refund a transaction unless it is settled."),
    "refunded": Validation("91512", "Transaction has already been fully refunded."),
    "refund_large": Validation("91521", "Refund amount is too large.", "amount"),
    "refund_hard": Validation("915200", "Refund authorization was declined: do not try again."),
    "refund_soft": Validation("915201", "Refund authorization was declined: try again later."),
    "not_submittable": Validation("91507", "Cannot submit for settlement unless status is authorized."),
    "settlement_large": Validation("91522", "Settlement amount is too large.", "amount"),
    "submit_hard": Validation("95602", "Authorization adjustment was declined: do not try again."),
    "submit_soft": Validation("95603", "Authorization adjustment failed: try again later."),
    "no_part_of_part": Validation("915103", "Cannot submit for partial settlement."),
    "not_settleable": Validation("91575", "Cannot simulate settlement of a transaction in this status."),
    "key_long": Validation("915230", "API request key is too long.", _KEY),
    "key_not_allowed": Validation("915231", "API request key is not allowed.", _KEY),
    "key_reused": Validation("915232", "API request key can be reused only with the same request.", _KEY),
    "key_in_flight": Validation("915233", "A request with this API request key is in flight.", _KEY),
    "key_failed": Validation("915234", "The request with this API request key has failed.", _KEY),
    "id_in_use": Validation("91609", "Customer ID has already been taken.", "id", ("customer",)),
    "id_invalid": Validation("91610", "Customer ID is invalid.", "id", ("customer",)),
    "method_customer_required": Validation(
        "93104", "Customer ID is required.", "customer_id", ("payment_method",)
    ),
    "method_customer_invalid": Validation(
        "93105", "Customer ID is invalid.", "customer_id", ("payment_method",)
    ),
    "method_nonce_required": Validation(
        "93103", "Nonce is required.", "payment_method_nonce", ("payment_method",)
    ),
    "dispute_accept": Validation(
        "95704", "Disputes can only be accepted when they are in an Open state", "status", ("dispute",)
    ),
    "dispute_finalize": Validation(
        "95705", "Disputes can only be finalized when they are in an Open state", "status", ("dispute",)
    ),
    "evidence_add": Validation(
        "95701", "Evidence can only be attached to disputes that are in an Open state", "status", ("dispute",)
    ),
    "evidence_remove": Validation(
        "95702",
        "Evidence can only be removed from disputes that are in an Open state",
        "status",
        ("dispute",),
    ),
}

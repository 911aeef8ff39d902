"""Checks what a merchant posts: what it does not know, it refuses. Pure.

The fields are those of the official SDK: `Transaction.create_signature()` and its like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .amounts import DEFAULT_ACCOUNT, currency_of, is_too_large, minor
from .errors import Bare, InvalidKeys, Refused
from .xml import Malformed
from .xml import parse as parse_xml

_SALE = (
    "amount api_request_key billing billing_address_id channel credit_card currency_iso_code custom_fields"
    " customer customer_id descriptor device_data device_session_id discount_amount exchange_rate_quote_id"
    " external_vault final_capture foreign_retailer fraud_merchant_id industry installments line_items"
    " merchant_account_id options order_id payment_facilitator payment_method_nonce payment_method_token"
    " paypal_account product_sku purchase_order_number recurring risk_data sca_exemption service_fee_amount"
    " shared_billing_address_id shared_customer_id shared_payment_method_nonce shared_payment_method_token"
    " shared_shipping_address_id shipping shipping_address_id shipping_amount shipping_tax_amount"
    " ships_from_postal_code tax_amount tax_exempt three_d_secure_authentication_id three_d_secure_pass_thru"
    " three_d_secure_token transaction_source transfer type"
)
_PART = (
    "amount api_request_key descriptor discount_amount final_capture industry line_items order_id purchase_order_number"
    " shipping shipping_amount shipping_tax_amount ships_from_postal_code tax_amount tax_exempt"
)
_FIELDS = {
    "sale": ("transaction", _SALE),
    "submit": ("transaction", _PART),
    "partial": ("transaction", _PART),
    "void": ("transaction", "api_request_key"),
    "refund": ("transaction", "amount api_request_key merchant_account_id order_id"),
    "customer": (
        "customer",
        "company credit_card custom_fields device_data email fax first_name id international_phone last_name options"
        " payment_method_nonce phone risk_data tax_identifiers website",
    ),
    "payment_method": (
        "payment_method",
        "billing_address billing_address_id cardholder_name customer_id cvv device_data expiration_date expiration_month"
        " expiration_year number options payment_method_nonce paypal_refresh_token token",
    ),
    "evidence": ("evidence", "category comments document_upload_id sequence_number"),
    "nonce": (
        "payment_method_nonce",
        "authentication_insight authentication_insight_options merchant_account_id",
    ),
}
_LONGEST_ORDER_ID, _LONGEST_KEY = 255, 255
# The custom fields that are set up in the merchant's control panel.
_CUSTOM_FIELDS = frozenset({"merchant_payment_id"})


def parse(name: str, raw: bytes) -> dict[str, Any]:
    """The object in the body of a call, empty for an empty body. Raises Bare(400), InvalidKeys(403)."""
    root, fields = _FIELDS[name]
    body = tree(raw)
    for other in body.keys() - {root}:
        raise InvalidKeys(other)
    inner_body = body.get(root) or {}
    if not isinstance(inner_body, dict):
        raise Bare(400)
    unknown = [f"{root}[{field}]" for field in inner_body if field not in fields.split()]
    if unknown:
        raise InvalidKeys(*unknown)
    return inner_body


def tree(raw: bytes) -> dict[str, Any]:
    """The whole body. Raises Bare(400)."""
    try:
        return parse_xml(raw)
    except Malformed as error:
        raise Bare(400) from error


def text(body: Mapping[str, Any], name: str) -> str:
    """A text, empty if there is none. Raises Bare(400)."""
    value = body.get(name)
    if value is None or value == {} or value == []:
        return ""
    if not isinstance(value, str):
        raise Bare(400)
    return value


def inner(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, empty if there is none. Raises Bare(400)."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Bare(400)
    return value


def truth(body: Mapping[str, Any], name: str) -> bool:
    """True or false, false if there is none."""
    return body.get(name) in (True, "true", "1")


def key_of(body: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    """The api_request_key, empty if there is none. Raises Refused(422)."""
    key = text(body, "api_request_key")
    if len(key) > _LONGEST_KEY:
        raise Refused("key_long", shown)
    return key


def order_id_of(body: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    """The merchant's reference, empty if there is none. Raises Refused(422)."""
    order_id = text(body, "order_id")
    if len(order_id) > _LONGEST_ORDER_ID:
        raise Refused("order_id_long", shown)
    return order_id


def account_of(body: Mapping[str, Any], shown: Mapping[str, Any]) -> tuple[str, str]:
    """The merchant account and its currency. Raises Refused(422)."""
    account = text(body, "merchant_account_id") or DEFAULT_ACCOUNT
    currency = currency_of(account)
    if currency is None:
        raise Refused("account_invalid", shown)
    return account, currency


def amount_of(body: Mapping[str, Any], currency: str, shown: Mapping[str, Any]) -> int | None:
    """The amount in minor units, None where there is none. Raises Refused(422)."""
    value = text(body, "amount")
    if not value:
        return None
    amount = minor(value, currency)
    if amount is None:
        raise Refused("amount_format", shown)
    if amount < 0:
        raise Refused("amount_negative", shown)
    if amount == 0:
        raise Refused("amount_zero", shown)
    if is_too_large(amount):
        raise Refused("amount_large", shown)
    return amount


def custom_fields_of(body: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, str]:
    """The custom fields. Raises Refused(422) for one that was not set up."""
    given = inner(body, "custom_fields")
    for name in given:
        if name not in _CUSTOM_FIELDS:
            raise Refused("custom_field", shown, detail=f" {name}.")
    return {name: text(given, name) for name in given}


def echoed(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What was posted, as an error shows it: without numbers and security codes of cards."""
    return {_FIELDS[name][0]: _without_secrets(body)}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_secrets(one) for name, one in value.items() if name not in ("number", "cvv")}
    if isinstance(value, list):
        return None
    return value

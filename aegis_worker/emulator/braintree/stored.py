"""What a sale says of a card that is kept, by the merchant itself or at Braintree. Pure.

developer.paypal.com/braintree/docs/reference/request/transaction/sale#external_vault, …#transaction_source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..network_ids import is_network_id
from . import bodies
from .errors import Refused

_SOURCES = frozenset(
    {
        "",
        "installment",
        "installment_first",
        "merchant",
        "moto",
        "recurring",
        "recurring_first",
        "unscheduled",
    }
)
_VAULTED, _WILL_VAULT = "vaulted", "will_vault"


def check_stored(body: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    """Raises Refused(422)."""
    if bodies.text(body, "transaction_source") not in _SOURCES:
        raise Refused("source_invalid", shown)
    outside = bodies.inner(body, "external_vault")
    if not outside:
        return
    if bodies.text(body, "payment_method_token"):
        raise Refused("external_instrument", shown)
    status, earlier = bodies.text(outside, "status"), bodies.text(outside, "previous_network_transaction_id")
    if status not in (_VAULTED, _WILL_VAULT):
        raise Refused("external_status", shown)
    if earlier and status != _VAULTED:
        raise Refused("external_status_earlier", shown)
    if earlier and not is_network_id(earlier):
        raise Refused("external_earlier", shown)

"""What a merchant asks for: the part of a payment that is given once and never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .money import Money


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """The terms of one payment, as the API validated them. Amounts in minor units.

    The request to pay, the payment and the calls to gateways hold this very object, so that a new field of a payment is
    declared here alone. Every field but `amount` has the name of its field in the API's body and of its column.
    `payment_method` is `{"type": "card", "token": …}` and the like.
    """

    amount: Money
    payment_method: Mapping[str, Any]
    capture_method: Literal["automatic", "manual"] = "automatic"
    reference: str | None = None
    customer: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    return_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

"""What a merchant asks for: the part of a payment that is given once and never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from .money import Money

SHORTEST_DESCRIPTOR, LONGEST_DESCRIPTOR = 5, 22
_SHOWN = r"!#-&()+-;=?-\[\]-~"
DESCRIPTOR = rf"(?=.{{0,21}}[A-Za-z])[{_SHOWN}][ {_SHOWN}]{{3,20}}[{_SHOWN}]"
"""A pattern: a statement descriptor. Source: docs.stripe.com/get-started/account/statement-descriptors,
of which this takes the letters that no gateway strips, and no space where one would be cut off."""
DESCRIPTOR_RULE = "printable ASCII without < > \\ ' \" *, with at least one letter and no space at either end"


class PaymentTerms(Struct, frozen=True):
    """The terms of one payment, as the API validated them. Amounts in minor units.

    The request to pay, the payment and the calls to gateways hold this very object, so that a field which is declared
    here goes with all of them. Every field but `amount` has the name of its field in the API's body and of its column.
    `payment_method` is `{"type": "card", "token": …}` and the like. `off_session`: the payer is not there to do anything.
    `mandate`: the gateway's own id of what the payer agreed to before. `order_lines`: what is bought. `scheduled_at`
    (aware): not to be charged before; gateways are told nothing of it.

    `setup_future_usage`: the payer, who is there, agrees that the card is kept, for payments with them there or without.
    `off_session_reason`: why the merchant charges without the payer; None: unscheduled. `network_transaction_id`: the card
    network's id of the payment at which the payer agreed to that, through whichever gateway it went.
    """

    amount: Money
    payment_method: Mapping[str, Any]
    capture_method: Literal["automatic", "manual"] = "automatic"
    reference: str | None = None
    customer: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    return_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    statement_descriptor: str | None = None
    off_session: bool | None = None
    mandate: str | None = None
    order_lines: Sequence[Mapping[str, Any]] | None = None
    scheduled_at: datetime | None = None
    setup_future_usage: Literal["on_session", "off_session"] | None = None
    off_session_reason: Literal["unscheduled", "recurring"] | None = None
    network_transaction_id: str | None = None

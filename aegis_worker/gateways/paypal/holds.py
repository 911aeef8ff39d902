"""Which authorization of an order is captured or voided, which capture is refunded, and when a hold is renewed. Pure.

PayPal honours a hold for three days and keeps it for 29. Renewing it does not move its end, and one authorization can be
renewed once: so it is renewed when a capture is asked for, and not before. Source: the description of
`authorizations.reauthorize` in PayPal's OpenAPI document of Payments v2.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from aegis_worker.domain.money import Money

from .objects import HELD, TAKEN, Authorization, Capture, Order
from .standing import newest_authorization, oldest_authorization

HONOURED_FOR = timedelta(days=3)


def to_capture(order: Order) -> Authorization | None:
    """The authorization that a capture takes from; None where nothing is held."""
    newest = newest_authorization(order) if order.authorizations else None
    if newest is not None and newest.status in HELD:
        return newest
    return next((one for one in order.authorizations if one.status in HELD), None)


def to_void(order: Order) -> Authorization | None:
    """The authorization that a void releases: the first one, whatever was made of it since. None where nothing is held."""
    if not any(one.status in HELD for one in order.authorizations):
        return None
    return oldest_authorization(order)


def renewed_before_capture(order: Order, authorization: Authorization, now: datetime) -> bool:
    """Whether the hold is to be renewed first: not of a card, none that was renewed, and none that was captured in part."""
    if order.source == "card" or len(order.authorizations) > 1 or authorization.status != "CREATED":
        return False
    made_at, ends_at = authorization.made_at, authorization.ends_at
    return made_at is not None and now >= made_at + HONOURED_FOR and (ends_at is None or now < ends_at)


def to_refund(order: Order, amount: Money) -> Capture | None:
    """The capture that a refund is made of: the first with enough left. None where none has.

    PayPal refunds a capture, so what was captured in parts is given back in parts.
    """
    return next((one for one in order.captures if _left_minor(order, one) >= amount.minor), None)


def _left_minor(order: Order, capture: Capture) -> int:
    if capture.status not in TAKEN:
        return 0
    given_back = sum(
        refund.amount.minor
        for refund in order.refunds
        if refund.capture_id == capture.id and refund.status in ("COMPLETED", "PENDING")
    )
    return capture.amount.minor - given_back
